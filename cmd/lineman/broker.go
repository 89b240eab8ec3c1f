package main

import (
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
		return metrics.Broker{
			Nodes: s.Nodes, RoundTrip: s.RoundTrip, Waiting: s.Waiting, BytesIn: s.BytesIn, BytesOut: s.BytesOut,
			Stale: s.Stale, Overflows: s.Overflows,
		}
	}
}
