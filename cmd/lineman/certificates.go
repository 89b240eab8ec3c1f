package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// tlsConfig is that of the port for browsers; nil without TLS.
func tlsConfig(c config.TLS) (*tls.Config, error) {
	switch {
	case len(c.Auto) > 0:
		return automatic(c), nil
	case c.Cert == "":
		return nil, nil
	}
	certificate, err := lineman.Certificate(c.Cert, c.Key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: certificate, MinVersion: tls.VersionTLS12}, nil
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
			return nil, fmt.Errorf("redis.ca: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("redis.ca: %s has no certificate in PEM", c.CA)
		}
	}
	if c.Cert != "" {
		certificate, err := lineman.Certificate(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("redis.cert and redis.key: %s", strings.TrimPrefix(err.Error(), "lineman: "))
		}
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate(nil) }
	}
	return t, nil
}

// automatic gets certificates by ACME when they are first needed, and again in time; the authority asks at the port for
// browsers (RFC 8737).
func automatic(c config.TLS) *tls.Config {
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(c.Cache),
		HostPolicy: autocert.HostWhitelist(c.Auto...),
		Email:      c.Email,
	}
	if c.Directory != "" {
		m.Client = &acme.Client{DirectoryURL: c.Directory}
	}
	t := m.TLSConfig()
	t.MinVersion = tls.VersionTLS12
	return t
}
