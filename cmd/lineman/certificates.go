package main

import (
	"crypto/tls"

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

// automatic gets certificates by ACME when they are first needed, and again in time; the authority asks at the port for browsers (RFC
// 8737).
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
