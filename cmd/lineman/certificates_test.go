package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/linemantest"
)

// authority gives certificates as RFC 8555 says, to who answers at a port by the protocol acme-tls/1 (RFC 8737).
type authority struct {
	t    *testing.T
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	web  *httptest.Server
	port string // where it asks

	mu     sync.Mutex // guards the following
	valid  bool       // the name was proved
	issued []byte     // PEM
	orders int
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	a.root = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, a.root, a.root, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.root, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	a.web = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.web.Close)
	return a
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := func(path string) string { return a.web.URL + path }
	w.Header().Set("Replay-Nonce", fmt.Sprint(time.Now().UnixNano()))
	answer := func(status int, location string, body any) {
		w.Header().Set("Content-Type", "application/json")
		if location != "" {
			w.Header().Set("Location", at(location))
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	status := func(done bool, before string) string {
		if done {
			return "valid"
		}
		return before
	}
	order := map[string]any{
		"status": "pending", "authorizations": []string{at("/authz")}, "finalize": at("/finalize"),
		"certificate": at("/certificate"),
		"identifiers": []any{map[string]string{"type": "dns", "value": "push.example.com"}},
	}
	if a.valid {
		order["status"] = status(a.issued != nil, "ready")
	}
	challenge := map[string]string{
		"type": "tls-alpn-01", "url": at("/challenge"), "token": "token", "status": status(a.valid, "pending"),
	}
	switch r.URL.Path {
	case "/directory":
		answer(200, "", map[string]string{
			"newNonce": at("/nonce"), "newAccount": at("/account"), "newOrder": at("/new"), "revokeCert": at("/revoke"),
		})
	case "/nonce":
	case "/account":
		answer(201, "/account/1", map[string]string{"status": "valid"})
	case "/new":
		a.orders++
		answer(201, "/order", order)
	case "/order":
		answer(200, "/order", order)
	case "/authz":
		answer(200, "", map[string]any{
			"status":     status(a.valid, "pending"),
			"identifier": map[string]string{"type": "dns", "value": "push.example.com"}, "challenges": []any{challenge},
		})
	case "/challenge":
		a.prove()
		answer(200, "", challenge)
	case "/finalize":
		a.issue(r)
		order["status"] = "valid"
		answer(200, "/order", order)
	case "/certificate":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, _ = w.Write(a.issued)
	default:
		http.NotFound(w, r)
	}
}

// prove asks the port whether it has the name.
func (a *authority) prove() {
	c, err := tls.Dial("tcp", a.port,
		&tls.Config{ServerName: "push.example.com", NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true})
	if err != nil {
		a.t.Errorf("the authority asks: %v", err)
		return
	}
	defer c.Close()
	s := c.ConnectionState()
	a.valid = s.NegotiatedProtocol == "acme-tls/1" && s.PeerCertificates[0].VerifyHostname("push.example.com") == nil
}

// issue signs what a request asks for.
func (a *authority) issue(r *http.Request) {
	var message struct{ Payload string }
	var body struct{ CSR string }
	err := json.NewDecoder(r.Body).Decode(&message)
	payload, _ := base64.RawURLEncoding.DecodeString(message.Payload)
	_ = json.Unmarshal(payload, &body)
	raw, _ := base64.RawURLEncoding.DecodeString(body.CSR)
	csr, bad := x509.ParseCertificateRequest(raw)
	if err != nil || bad != nil {
		a.t.Errorf("the request for a certificate: %v, %v", err, bad)
		return
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: csr.DNSNames, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(90 * 24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, leaf, a.root, csr.PublicKey, a.key)
	if err != nil {
		a.t.Error(err)
	}
	a.issued = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
}

// TestAutomatic gets a certificate when the first page comes, keeps it, and has it again after a restart without
// asking.
func TestAutomatic(t *testing.T) {
	a := newAuthority(t)
	folder := t.TempDir()
	roots := x509.NewCertPool()
	roots.AddCert(a.root)
	for run := range 2 {
		t.Run(fmt.Sprint(run), func(t *testing.T) {
			c, err := tlsConfig(config.TLS{
				Auto: []string{"push.example.com"}, Cache: folder, Directory: a.web.URL + "/directory",
			})
			if err != nil {
				t.Fatal(err)
			}
			w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", TLS: c}
			s := linemantest.Start(t, w)
			a.port = s.Addr(w).String()
			conn, err := tls.Dial("tcp", a.port,
				&tls.Config{ServerName: "push.example.com", RootCAs: roots, NextProtos: []string{"http/1.1"}})
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			if _, err := tls.Dial("tcp", a.port,
				&tls.Config{ServerName: "other.example.com", RootCAs: roots}); err == nil ||
				!strings.Contains(err.Error(), "internal error") {
				t.Errorf("a name that is not ours: %v", err)
			}
		})
	}
	if a.orders != 1 {
		t.Errorf("%d certificates were asked for, want 1", a.orders)
	}
}

// TestTLSConfig takes files, or nothing, and says what is wrong with the files.
func TestTLSConfig(t *testing.T) {
	cert, key := linemantest.CertificateFiles(t, t.TempDir())
	for _, c := range []struct {
		tls  config.TLS
		some bool
		good bool
	}{
		{config.TLS{}, false, true}, {config.TLS{Cert: cert, Key: key}, true, true},
		{config.TLS{Cert: cert, Key: cert}, false, false},
	} {
		got, err := tlsConfig(c.tls)
		if (got != nil) != c.some || (err == nil) != c.good {
			t.Errorf("%+v: %v, %v", c.tls, got, err)
		}
		if c.some && got.MinVersion != tls.VersionTLS12 {
			t.Errorf("TLS from version %x on", got.MinVersion)
		}
	}
}

// TestRedisTLS is of files that are good, of those that are missing, and of those that are no certificates.
func TestRedisTLS(t *testing.T) {
	a := newAuthority(t)
	folder := t.TempDir()
	ca, nonsense := filepath.Join(folder, "ca.pem"), filepath.Join(folder, "nonsense.pem")
	pem := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
	if err := errors.Join(os.WriteFile(ca, pem, 0o600), os.WriteFile(nonsense, []byte("hush"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if c, err := redisTLS(config.Redis{}); c != nil || err != nil {
		t.Errorf("none: %v, %v", c, err)
	}
	c, err := redisTLS(config.Redis{TLS: true, CA: ca, ServerName: "redis.example.com"})
	if err != nil || c.RootCAs == nil || c.ServerName != "redis.example.com" {
		t.Errorf("%+v, %v", c, err)
	}
	for want, r := range map[string]config.Redis{
		"missing":            {TLS: true, CA: filepath.Join(folder, "missing")},
		"has no certificate": {TLS: true, CA: nonsense},
		"PEM":                {TLS: true, Cert: nonsense, Key: nonsense},
	} {
		if _, err := redisTLS(r); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "hush") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
