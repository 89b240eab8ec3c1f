package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

func TestCertificate(t *testing.T) {
	machine, _ := good()
	now := machine.Now()
	from := func(begin, end time.Duration) files { return certificateFiles(t, now.Add(begin), now.Add(end)) }
	with := func(name, text string) files {
		f := from(-time.Hour, 90*24*time.Hour)
		f[name] = text
		return f
	}
	given := func(_ *Machine, o *Options) { o.Cert, o.Key = "cert.pem", "key.pem" }
	try(t, certificate,
		trial{name: "none"},
		trial{name: "good", files: from(-time.Hour, soon+time.Hour), change: given, verdict: OK,
			found: "of example.com, good until 2026-12-08T01:00:00Z"},
		trial{name: "not for long", files: from(-time.Hour, soon-time.Hour), change: given, verdict: Warn,
			found: "expires on 2026-12-07T23:00:00Z", fix: "certbot renew"},
		trial{name: "expired", files: from(-time.Hour, -time.Minute), change: given, verdict: Fail, found: "expired on",
			fix: "certbot renew"},
		trial{name: "not yet", files: from(time.Hour, 90*24*time.Hour), change: given, verdict: Fail,
			found: "good from 2026-11-24T01:00:00Z only", fix: "date -u"},
		trial{name: "another key", files: with("key.pem", from(0, 0)["key.pem"]), change: given, verdict: Fail,
			found: "does not match", fix: "openssl x509"},
		trial{name: "no PEM", files: with("cert.pem", "nonsense"), change: given, verdict: Fail,
			found: "cert.pem and key.pem: ", fix: "openssl x509"},
		trial{name: "no key", files: with("key.pem", "gone"), change: given, verdict: Fail, found: "key.pem",
			fix: "ls -l key.pem"},
		trial{name: "a key for others", files: with("key.pem", "forbidden"), change: given, verdict: Fail,
			found: "permission", fix: "sudo chgrp lineman key.pem && sudo chmod 640 key.pem"},
		trial{name: "no certificate", files: with("cert.pem", "gone"), change: given, verdict: Fail,
			fix: "ls -l cert.pem"},
	)
}

// certificateFiles are a certificate of example.com, and its key.
func certificateFiles(t *testing.T, from, to time.Time) files {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"example.com"}, NotBefore: from, NotAfter: to,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return files{
		"cert.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"key.pem":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
	}
}
