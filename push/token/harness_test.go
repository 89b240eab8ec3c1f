package token_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/lineman-go/lineman/push/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is the instant of most tests.
var now = time.Unix(1_795_400_000, 0)

var (
	secret = []byte("0123456789abcdef0123456789abcdef")
	other  = []byte("another secret of whom nobody knows")
)

// keys are made once: RSA's take long.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	made := make(map[string]crypto.Signer)
	var errs [5]error
	made["RSA"], errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	made["ES256"], errs[1] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	made["ES384"], errs[2] = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	made["ES512"], errs[3] = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, made["EdDSA"], errs[4] = ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(errs[:]...); err != nil {
		panic(err)
	}
	return made
})

func private(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func public(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// allKeys can do every algorithm.
func allKeys(t testing.TB) []token.Key {
	list := []token.Key{{Secret: secret}}
	for _, k := range keys() {
		list = append(list, token.Key{PEM: public(t, k)})
	}
	return list
}

// signing is a key that can make credentials by an algorithm.
func signing(t testing.TB, algorithm string) token.Key {
	switch algorithm[:2] {
	case "HS", "ti":
		return token.Key{Secret: secret}
	case "RS", "PS":
		return token.Key{PEM: private(t, keys()["RSA"])}
	}
	return token.Key{PEM: private(t, keys()[algorithm])}
}

var algorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
	"EdDSA", "ticket",
}

// verifier is closed with the test, and lives at now.
func verifier(t testing.TB, o token.Options) *token.Verifier {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return now }
	}
	v, err := token.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func signer(t testing.TB, k token.Key, algorithm string) *token.Signer {
	t.Helper()
	s, err := token.NewSigner(k, algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sign makes a credential that is good for a minute.
func sign(t testing.TB, s *token.Signer, c token.Claims) string {
	t.Helper()
	if c.UID == "" {
		c.UID = "7"
	}
	if c.Expires.IsZero() {
		c.Expires = now.Add(time.Minute)
	}
	credential, err := s.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

// jws signs a header and claims as they are written.
func jws(t testing.TB, key any, algorithm, header, claims string) string {
	t.Helper()
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(claims))
	signature, err := jwt.GetSigningMethod(algorithm).Sign(signed, key)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// hs256 signs claims as they are written by the secret.
func hs256(t testing.TB, claims string) string {
	return jws(t, secret, "HS256", `{"alg":"HS256"}`, claims)
}

// check wants Verify to say something, and its error to tell nothing of the credential.
func check(t *testing.T, v *token.Verifier, name, credential string, want error) {
	t.Helper()
	c, err := v.Verify(context.Background(), credential)
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", name, err, want)
	}
	if err == nil {
		return
	}
	if c.UID != "" || len(c.Channels)+len(c.Publish)+len(c.Groups) > 0 {
		t.Errorf("%s: refused, yet it says %+v", name, c)
	}
	if token.Reason(err) == "other" || !slices.Contains(token.Reasons(), token.Reason(err)) {
		t.Errorf("%s: no reason for %v", name, err)
	}
	for _, part := range append(strings.Split(credential, "."), string(secret), "sesame") {
		if len(part) > 5 && strings.Contains(err.Error(), part) {
			t.Errorf("%s: the error tells a part of it: %v", name, err)
		}
	}
}

func equal(a, b token.Claims) bool {
	return a.UID == b.UID && slices.Equal(a.Channels, b.Channels) && slices.Equal(a.Groups, b.Groups) &&
		slices.Equal(a.Publish, b.Publish) && a.Issued.Equal(b.Issued) && a.Expires.Equal(b.Expires)
}
