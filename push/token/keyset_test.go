package token_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"

	"github.com/lineman-go/lineman/push/token"
)

// site serves key sets.
type site struct {
	*httptest.Server
	answer  atomic.Pointer[http.HandlerFunc]
	fetches atomic.Int32
}

func newSite(t *testing.T, first http.HandlerFunc) *site {
	s := &site{}
	s.answer.Store(&first)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fetches.Add(1)
		(*s.answer.Load())(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) set(answer http.HandlerFunc) { s.answer.Store(&answer) }

// serve answers a set of public keys by their kids.
func serve(t *testing.T, set map[string]crypto.Signer) http.HandlerFunc {
	t.Helper()
	var marshal jwkset.JWKSMarshal
	for kid, key := range set {
		k, err := jwkset.NewJWKFromKey(key.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
		if err != nil {
			t.Fatal(err)
		}
		marshal.Keys = append(marshal.Keys, k.Marshal())
	}
	text, err := json.Marshal(marshal)
	if err != nil {
		t.Fatal(err)
	}
	return text200(string(text))
}

func text200(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// byKid makes a credential of a key of the set.
func byKid(t *testing.T, kid, name string) string {
	return sign(t, signer(t, token.Key{ID: kid, PEM: private(t, keys()[name])}, ""), token.Claims{})
}

// slowly is a pace that a test does not live to see.
func slowly(o token.Options) token.Options { return token.Hurried(o, time.Hour, time.Hour, time.Hour) }

// discard is a log that nobody reads.
func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// TestKeySet checks by the keys of a URL, which are replaced while it runs.
func TestKeySet(t *testing.T) {
	s := newSite(t, serve(t, map[string]crypto.Signer{"1": keys()["ES256"], "r": keys()["RSA"], "e": keys()["EdDSA"]}))
	v := verifier(t, token.Hurried(token.Options{JWKS: s.URL, Log: discard()}, time.Hour, time.Hour, 0))
	for kid, name := range map[string]string{"1": "ES256", "r": "RSA", "e": "EdDSA"} {
		check(t, v, name, byKid(t, kid, name), nil)
	}
	check(t, v, "without a kid", byKid(t, "", "ES256"), token.ErrNoKey)
	check(t, v, "the kid of another algorithm", byKid(t, "r", "ES256"), token.ErrAlgorithm)
	if n := s.fetches.Load(); n != 1 {
		t.Errorf("%d fetches for kids that are known", n)
	}
	check(t, v, "a kid that is not there", byKid(t, "sesame-2", "ES384"), token.ErrNoKey)
	s.set(serve(t, map[string]crypto.Signer{"sesame-2": keys()["ES384"]}))
	check(t, v, "the key that replaced them", byKid(t, "sesame-2", "ES384"), nil)
	check(t, v, "a key that was replaced", byKid(t, "1", "ES256"), token.ErrNoKey)
}

// TestKeySetInTime replaces the keys without a credential that asks for it.
func TestKeySetInTime(t *testing.T) {
	s := newSite(t, serve(t, map[string]crypto.Signer{"1": keys()["ES256"]}))
	v := verifier(t, token.Hurried(token.Options{JWKS: s.URL, Log: discard()}, time.Millisecond, time.Hour, time.Hour))
	check(t, v, "the first", byKid(t, "1", "ES256"), nil)
	s.set(serve(t, map[string]crypto.Signer{"2": keys()["ES384"]}))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		_, err := v.Verify(ctx, byKid(t, "2", "ES384"))
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	check(t, v, "the first, which is gone", byKid(t, "1", "ES256"), token.ErrNoKey)
}

// TestKeySetShared has one fetch serve all who wait, and none more for kids that are made up.
func TestKeySetShared(t *testing.T) {
	release := make(chan struct{})
	answer := serve(t, map[string]crypto.Signer{"1": keys()["ES256"]})
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		answer(w, r)
	})
	v := verifier(t, slowly(token.Options{JWKS: s.URL, Log: discard()}))
	good, madeUp := byKid(t, "1", "ES256"), byKid(t, "made up", "ES256")
	var all sync.WaitGroup
	for range 20 {
		all.Add(2)
		go func() { defer all.Done(); check(t, v, "good", good, nil) }()
		go func() { defer all.Done(); check(t, v, "made up", madeUp, token.ErrNoKey) }()
	}
	close(release)
	all.Wait()
	for range 20 {
		check(t, v, "made up", madeUp, token.ErrNoKey)
	}
	if n := s.fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// TestKeySetLate starts while the server is down. What another key signed is good all the same.
func TestKeySetLate(t *testing.T) {
	heard := &lines{}
	down := newSite(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	v := verifier(t, token.Hurried(token.Options{
		JWKS: down.URL + "/keys?key=sesame", Keys: []token.Key{{Secret: secret}},
		Log: slog.New(slog.NewTextHandler(heard, nil)),
	}, time.Hour, time.Hour, 0))
	check(t, v, "while it is down", byKid(t, "1", "ES256"), token.ErrNoKey)
	check(t, v, "by a secret", sign(t, signer(t, token.Key{Secret: secret}, ""), token.Claims{}), nil)
	down.set(serve(t, map[string]crypto.Signer{"1": keys()["ES256"]}))
	check(t, v, "when it is up", byKid(t, "1", "ES256"), nil)
	down.set(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	check(t, v, "when it is down again, another key", byKid(t, "2", "ES384"), token.ErrNoKey)
	check(t, v, "when it is down again", byKid(t, "1", "ES256"), nil)
	v.Close()
	if text := heard.String(); !strings.Contains(text, "503") || strings.Contains(text, "sesame") {
		t.Errorf("the log says %q", text)
	}
}

// TestKeySetUnavailable tells a key that may be there later from one that is not: the set cannot be fetched, or was
// fetched a moment ago.
func TestKeySetUnavailable(t *testing.T) {
	down := newSite(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	good := newSite(t, serve(t, map[string]crypto.Signer{"1": keys()["ES256"]}))
	for _, c := range []struct {
		name        string
		site        *site
		apart       time.Duration
		unavailable bool
	}{
		{"down", down, 0, true}, {"down a moment ago", down, time.Hour, true},
		{"up", good, 0, false}, {"up a moment ago", good, time.Hour, true},
	} {
		v := verifier(t, token.Hurried(token.Options{JWKS: c.site.URL, Log: discard()}, time.Hour, time.Hour, c.apart))
		for _, kid := range []string{"2", "3"} { // the first one may have waited for the first fetch
			_, err := v.Verify(context.Background(), byKid(t, kid, "ES384"))
			first := kid == "2" && c.site == good
			if !errors.Is(err, token.ErrNoKey) || !first && errors.Is(err, token.ErrUnavailable) != c.unavailable {
				t.Errorf("%s, kid %s: %v", c.name, kid, err)
			}
		}
	}
}

// lines is what was logged.
type lines struct {
	mu sync.Mutex // guards the following
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

// TestKeySetSlow waits no longer than it is told, and Close waits for nobody.
func TestKeySetSlow(t *testing.T) {
	reached, gone := make(chan struct{}, 1), make(chan struct{})
	s := newSite(t, func(_ http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		<-r.Context().Done()
		close(gone)
	})
	v := verifier(t, slowly(token.Options{JWKS: s.URL, Log: discard()}))
	<-reached
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := v.Verify(ctx, byKid(t, "1", "ES256")); !errors.Is(err, token.ErrNoKey) ||
		!errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	waited := make(chan error)
	go func() {
		_, err := v.Verify(context.Background(), byKid(t, "1", "ES256"))
		waited <- err
	}()
	v.Close()
	<-gone
	if err := <-waited; !errors.Is(err, token.ErrNoKey) {
		t.Error("who waited when it was closed:", err)
	}
	check(t, v, "closed", byKid(t, "1", "ES256"), token.ErrNoKey)
	v.Close()
}

// TestKeySetBad has answers that are no key set. The keys that are there stay.
func TestKeySetBad(t *testing.T) {
	good := serve(t, map[string]crypto.Signer{"1": keys()["ES256"]})
	second := serve(t, map[string]crypto.Signer{"2": keys()["ES256"]})
	elsewhere := newSite(t, second)
	s := newSite(t, good)
	v := verifier(t, token.Hurried(token.Options{JWKS: s.URL, Log: discard()}, time.Hour, time.Hour, 0))
	check(t, v, "at first", byKid(t, "1", "ES256"), nil)
	huge := strings.Repeat(" ", 2<<20)
	for name, answer := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		},
		"a huge answer": func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, huge); second(w, r) },
		"a huge header": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X", strings.Repeat("x", len(huge)))
			second(w, r)
		},
		"a page":           text200("<html>"),
		"nothing":          text200(""),
		"an error in JSON": text200(`{"error":"sesame"}`),
		"a set without a key": text200(
			`{"keys":[]}`),
		"a secret": text200(`{"keys":[{"kty":"oct","kid":"2","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}`),
		"RSA of few bits": text200(
			`{"keys":[{"kty":"RSA","kid":"2","n":"0vx7agoebGcQSuuPiLJXZpt","e":"AQAB"}]}`),
		"a point elsewhere": text200(
			`{"keys":[{"kty":"EC","kid":"2","crv":"P-256","x":"AAAA","y":"AAAA"}]}`),
	} {
		s.set(answer)
		before := s.fetches.Load()
		for _, algorithm := range []string{"HS256", "ES256"} {
			if _, err := v.Verify(context.Background(),
				jws(t, signingKey(algorithm), algorithm, `{"alg":"`+algorithm+`","kid":"2"}`,
					`{"sub":"7","exp":1795400060}`)); err == nil {
				t.Errorf("%s: a credential by it is good", name)
			}
		}
		check(t, v, "after "+name, byKid(t, "1", "ES256"), nil)
		if s.fetches.Load() == before {
			t.Errorf("%s: nobody has asked for it", name)
		}
	}
	if n := elsewhere.fetches.Load(); n > 0 {
		t.Errorf("%d fetches from where a redirect led", n)
	}
}

func signingKey(algorithm string) any {
	if algorithm == "HS256" {
		return secret
	}
	return keys()[algorithm]
}

// TestKeySetUse has keys that are for something else.
func TestKeySetUse(t *testing.T) {
	k, err := jwkset.NewJWKFromKey(keys()["RSA"].Public(),
		jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "1", ALG: jwkset.AlgPS256}})
	if err != nil {
		t.Fatal(err)
	}
	forPS := k.Marshal()
	k, err = jwkset.NewJWKFromKey(keys()["ES256"].Public(),
		jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "2", USE: jwkset.UseEnc}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{forPS, k.Marshal()}})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, text200(string(text)))
	v := verifier(t, slowly(token.Options{JWKS: s.URL, Log: discard()}))
	rsaKey := token.Key{ID: "1", PEM: private(t, keys()["RSA"])}
	check(t, v, "its algorithm", sign(t, signer(t, rsaKey, "PS256"), token.Claims{}), nil)
	check(t, v, "another algorithm", sign(t, signer(t, rsaKey, "RS256"), token.Claims{}), token.ErrAlgorithm)
	check(t, v, "for encryption", byKid(t, "2", "ES256"), token.ErrAlgorithm)
}

// TestKeySetURL wants a URL, and does not say what it has got.
func TestKeySetURL(t *testing.T) {
	for _, u := range []string{"sesame", "file:///sesame", "https://", "http://sesame\x7f/", "//sesame/keys"} {
		if _, err := token.New(token.Options{JWKS: u}); err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%q: %v", u, err)
		}
	}
}
