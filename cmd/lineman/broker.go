package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push/metrics"
	"github.com/lineman-go/lineman/push/redis"
)

// newBroker is that by which nodes meet.
func newBroker(c config.Redis) (*redis.Broker, error) {
	t, err := redisTLS(c)
	if err != nil {
		return nil, err
	}
	return redis.New(redis.Options{
		Addresses: c.Addresses, Master: c.Master, Cluster: c.Cluster, Database: c.Database,
		Username: c.User, Password: c.Password, SentinelUsername: c.SentinelUser, SentinelPassword: c.SentinelPassword,
		TLS: t, Prefix: c.Prefix, Partitions: c.Partitions, Answer: c.Answer,
	})
}

// brokerStats tells metrics how a broker is.
func brokerStats(b *redis.Broker) func() metrics.Broker {
	return func() metrics.Broker {
		s := b.Stats()
		return metrics.Broker{Nodes: s.Nodes, BytesIn: s.BytesIn, BytesOut: s.BytesOut, Ghosts: s.Ghosts, Overflows: s.Dropped}
	}
}

// redisTLS is that of connections to Redis; nil without TLS.
func redisTLS(c config.Redis) (*tls.Config, error) {
	if !c.TLS {
		return nil, nil
	}
	t := &tls.Config{ServerName: c.ServerName, MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		text, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, err
		}
		if t.RootCAs = x509.NewCertPool(); !t.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("redis.ca: %s has no certificate in PEM", c.CA)
		}
	}
	if c.Cert != "" {
		certificate, err := lineman.Certificate(c.Cert, c.Key)
		if err != nil {
			return nil, err
		}
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate(nil) }
	}
	return t, nil
}
