package redis_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
	"github.com/lineman-go/lineman/push/redis"
)

// certificate makes one that signs itself, as files for a server and as what a client trusts.
func certificate(t testing.TB) (files []string, trusted *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, content []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	public := write("certificate", "CERTIFICATE", signed)
	trusted = x509.NewCertPool()
	trusted.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}))
	return []string{
		"--tls-cert-file", public, "--tls-ca-cert-file", public, "--tls-key-file", write("key", "PRIVATE KEY", private),
	}, trusted
}

// TestTLS works over TLS, and not with a server that nobody vouches for.
func TestTLS(t *testing.T) {
	files, trusted := certificate(t)
	port := freePort(t)
	startServer(t, append(files, "--tls-port", port, "--tls-auth-clients", "no")...)
	o := redis.Options{Addresses: []string{net.JoinHostPort("127.0.0.1", port)}, TLS: &tls.Config{RootCAs: trusted}}
	a, b := join(t, "a", o), join(t, "b", o)
	b.subscribe("x")
	a.reaches(1, "x")

	log := &journal{}
	o.TLS, o.Log = &tls.Config{}, log.logger()
	enter(t, "c", o)
	linemantest.Until(t, "the log does not say it",
		func() bool { return strings.Contains(log.String(), "certificate signed by unknown authority") })
}

// rights are those that the documentation of the package lists, as a command.
func rights(t testing.TB, cluster bool) []string {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "//\tACL SETUSER ")
	listed, rest, _ := strings.Cut(rest, "//\n// and in a Cluster ")
	more, rest, _ := strings.Cut(rest, ".")
	_, rest, _ = strings.Cut(rest, "With history")
	_, rest, _ = strings.Cut(rest, "//\n//\t")
	history, rest, _ := strings.Cut(rest, "\n")
	_, rest, _ = strings.Cut(rest, "//\n//\t")
	presence, _, _ := strings.Cut(rest, "\n")
	listed += history + " " + presence
	words := append([]string{"ACL", "SETUSER"}, strings.Fields(strings.ReplaceAll(listed, "//", ""))...)
	if cluster {
		words = append(words, strings.Fields(more)...)
	}
	return words
}

// TestRights runs the suite as a user who has exactly the rights that are documented.
func TestRights(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	do(t, s.address(), rights(t, false)...)
	do(t, s.address(), "CONFIG", "RESETSTAT")
	p := newProxy(t, s.address())
	log := &journal{}
	o := redis.Options{Addresses: []string{p.address()}, Username: "lineman", Password: "SECRET", Log: log.logger()}
	pushtest.TestBroker(t, func(t *testing.T) pushtest.Cluster {
		do(t, s.address(), "FLUSHALL")
		return pushtest.Cluster{
			Broker: func() push.Broker { return newBroker(t, o) }, Cut: p.Cut, Mend: p.Mend,
			History: true, Presence: true,
		}
	})
	a := join(t, "a", o)
	if err := a.broker.Revoke(context.Background(), "7", time.Now()); err != nil {
		t.Error(err)
	}
	if got, err := a.broker.Revocations(context.Background()); err != nil || len(got) != 1 {
		t.Errorf("revocations: %v, %v", got, err)
	}
	if known, err := a.broker.Claim(context.Background(), "g", "x", time.Minute); err != nil || known != 0 {
		t.Errorf("a claim: %v, %v", known, err)
	}
	m := do(t, s.address(), "ACL", "LOG")
	if denied := m.String(); strings.Contains(denied, "reason") {
		t.Errorf("some rights are not documented: %s", denied)
	}
	if strings.Contains(log.String(), "SECRET") {
		t.Errorf("the log has the password:\n%s", log)
	}
}

// TestNoRights says what is missing, and works without the rights that only ending stale connections needs.
func TestNoRights(t *testing.T) {
	s := startServer(t)
	do(t, s.address(),
		slices.DeleteFunc(rights(t, false), func(word string) bool { return strings.HasPrefix(word, "+client") })...)
	log := &journal{}
	o := redis.Options{Addresses: []string{s.address()}, Username: "lineman", Password: "SECRET", Log: log.logger()}
	a := join(t, "a", o)
	a.reaches(0, "x")
	if text := log.String(); !strings.Contains(text, "allow client|info and client|kill") {
		t.Errorf("the log has\n%s", text)
	}
	for _, c := range []struct{ prefix, password, want string }{
		{"other", "SECRET", "NOPERM"},
		{"lineman", "wrong", "WRONGPASS"},
	} {
		log := &journal{}
		o.Prefix, o.Password, o.Log = c.prefix, c.password, log.logger()
		enter(t, "b", o)
		linemantest.Until(t, "the log does not say it", func() bool { return strings.Contains(log.String(), c.want) })
	}
}

// TestDatabase keeps the registry where it is told to.
func TestDatabase(t *testing.T) {
	s := startServer(t)
	a, b := join(t, "a", redis.Options{Addresses: []string{s.address()}, Database: 3}),
		join(t, "b", redis.Options{Addresses: []string{s.address()}, Database: 3})
	b.subscribe("x")
	a.reaches(1, "x")
	m, err := try(t, rueidis.ClientOption{InitAddress: []string{s.address()}, SelectDB: 3}, "HLEN", registryKey)
	if n, _ := m.ToInt64(); err != nil || n != 2 {
		t.Errorf("the registry has %d nodes, %v", n, err)
	}
}
