package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push/token"
)

// TestRotation has two secrets at once, by their kid, and in tickets, which have none.
func TestRotation(t *testing.T) {
	both := verifier(t, token.Options{Keys: []token.Key{{ID: "2", Secret: secret}, {ID: "1", Secret: other}}})
	after := verifier(t, token.Options{Keys: []token.Key{{ID: "2", Secret: secret}}})
	for _, algorithm := range []string{"HS256", token.Ticket} {
		fresh := sign(t, signer(t, token.Key{ID: "2", Secret: secret}, algorithm), token.Claims{})
		old := sign(t, signer(t, token.Key{ID: "1", Secret: other}, algorithm), token.Claims{})
		check(t, both, "the new one", fresh, nil)
		check(t, both, "the old one", old, nil)
		check(t, after, "the new one, alone", fresh, nil)
		want := token.ErrNoKey
		if algorithm == token.Ticket {
			want = token.ErrSignature
		}
		check(t, after, "the old one, afterwards", old, want)
	}
}

// TestNew refuses keys that would not be safe, and says nothing about them.
func TestNew(t *testing.T) {
	if _, err := token.New(token.Options{}); !errors.Is(err, token.ErrNoKey) {
		t.Error("without a key:", err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaPEM := public(t, keys()["RSA"])
	for name, k := range map[string]token.Key{
		"nothing":          {},
		"an empty secret":  {Secret: []byte{}},
		"a short secret":   {Secret: []byte("sesame")},
		"PEM as a secret":  {Secret: rsaPEM},
		"both":             {Secret: secret, PEM: rsaPEM},
		"RSA of 1024 bits": {PEM: public(t, weak)},
		"P-224":            {PEM: public(t, p224)},
		"no PEM":           {PEM: []byte("open sesame")},
		"two keys":         {PEM: slices.Concat(rsaPEM, rsaPEM)},
		"a broken key":     {PEM: []byte("-----BEGIN PUBLIC KEY-----\nc2VzYW1l\n-----END PUBLIC KEY-----\n")},
		"an encrypted key": {PEM: []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VzYW1l\n" +
			"-----END ENCRYPTED PRIVATE KEY-----\n")},
		"a request": {PEM: []byte("-----BEGIN CERTIFICATE REQUEST-----\nc2VzYW1l\n" +
			"-----END CERTIFICATE REQUEST-----\n")},
		"a broken certificate": {PEM: []byte("-----BEGIN CERTIFICATE-----\nc2VzYW1l\n-----END CERTIFICATE-----\n")},
		"a secret of 15 bytes": {Secret: []byte("sesame sesame..")},
	} {
		_, err := token.New(token.Options{Keys: []token.Key{k}})
		if !errors.Is(err, token.ErrKey) || strings.Contains(err.Error(), "sesame") ||
			strings.Contains(err.Error(), "c2Vz") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := token.NewSigner(k, ""); !errors.Is(err, token.ErrKey) {
			t.Errorf("signing by %s: %v", name, err)
		}
	}
	if _, err := token.NewSigner(token.Key{Secret: []byte("sesame sesame...")}, ""); err != nil {
		t.Error("a secret of 16 bytes:", err)
	}
	if _, err := token.NewSigner(token.Key{PEM: rsaPEM}, ""); !errors.Is(err, token.ErrKey) {
		t.Error("signing by a public key:", err)
	}
	if _, err := token.NewSigner(token.Key{Secret: secret}, "RS256"); !errors.Is(err, token.ErrAlgorithm) {
		t.Error("RS256 by a secret:", err)
	}
	for _, list := range [][]string{{"HS257"}, {"RS256"}, {""}} {
		if _, err := token.New(token.Options{Keys: []token.Key{{Secret: secret}}, Algorithms: list}); !errors.Is(err,
			token.ErrAlgorithm) {
			t.Errorf("algorithms %q: %v", list, err)
		}
	}
}

// TestSign makes nothing that would be refused.
func TestSign(t *testing.T) {
	s := signer(t, token.Key{Secret: secret}, "")
	exp := now.Add(time.Minute)
	for _, c := range []struct {
		claims token.Claims
		want   error
	}{
		{token.Claims{UID: "7"}, token.ErrNoExpiry},
		{token.Claims{Expires: exp}, token.ErrUID},
		{token.Claims{UID: "7\xff", Expires: exp}, token.ErrUID},
		{token.Claims{UID: "7", Expires: exp, Groups: []string{""}}, token.ErrMalformed},
		{token.Claims{UID: "a\u0085", Expires: exp}, token.ErrUID},
		{token.Claims{UID: "a\u202eb", Expires: exp}, token.ErrUID},
		{token.Claims{UID: "7", Expires: exp, Groups: []string{"a\u009b"}}, token.ErrMalformed},
		{token.Claims{UID: "7", Expires: exp, Groups: []string{"a\u2028"}}, token.ErrMalformed},
		{token.Claims{UID: "7", Expires: exp, Channels: []string{"a\u200bb"}}, token.ErrMalformed},
		{token.Claims{UID: "7", Expires: exp, Channels: []string{"chat:\u0080*"}}, token.ErrMalformed},
		{token.Claims{UID: "7", Expires: exp, Channels: []string{"a*b"}}, token.ErrMalformed},
		{token.Claims{UID: "7", Expires: exp, Publish: []string{"u:7"}}, token.ErrMalformed},
		{token.Claims{UID: "7", Expires: exp, Publish: []string{"a*b"}}, token.ErrMalformed},
		{token.Claims{UID: "7", Expires: exp, Groups: slices.Repeat([]string{"room"}, 2000)}, token.ErrMalformed},
	} {
		if got, err := s.Sign(c.claims); !errors.Is(err, c.want) || got != "" {
			t.Errorf("%.100v: %.20q, %v, want %v", c.claims, got, err, c.want)
		}
	}
}

// TestIsQuick has a loop check credentials by secrets alone.
func TestIsQuick(t *testing.T) {
	secret, public := signing(t, "HS256"), signing(t, "ES256")
	for name, c := range map[string]struct {
		o    token.Options
		want bool
	}{
		"a secret":                  {token.Options{Keys: []token.Key{secret}}, true},
		"two secrets":               {token.Options{Keys: []token.Key{secret, secret}}, true},
		"a public key":              {token.Options{Keys: []token.Key{public}}, false},
		"a secret and a public key": {token.Options{Keys: []token.Key{secret, public}}, false},
		"a secret and a key set":    {token.Options{Keys: []token.Key{secret}, JWKS: "http://127.0.0.1:1/"}, false},
	} {
		if got := verifier(t, c.o).IsQuick(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestAllowed asks for channels.
func TestAllowed(t *testing.T) {
	c := token.Claims{Channels: []string{"news", "chat:*"}}
	for channel, want := range map[string]bool{
		"news": true, "news2": false, "chat:": true, "chat:1": true, "chat": false, "other": false,
	} {
		if c.Allowed(channel) != want {
			t.Errorf("%s: %v, want %v", channel, !want, want)
		}
	}
	if (&token.Claims{}).Allowed("news") {
		t.Error("who may subscribe to nothing may to news")
	}
}
