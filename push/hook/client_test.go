package hook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve starts an application, and returns a Client of it.
func serve(t *testing.T, e Endpoint, app http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(app)
	t.Cleanup(s.Close)
	e.Name, e.URL, e.Private = "app", s.URL+"/hook?token=hush", true
	return newClient(t, e)
}

func newClient(t *testing.T, e Endpoint) *Client {
	t.Helper()
	c, err := NewClient(e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// fails wants an error of Post that has no secret.
func fails(t *testing.T, c *Client, want error) {
	t.Helper()
	a, err := c.Post(t.Context(), []byte("{}"))
	if err == nil || want != nil && !errors.Is(err, want) || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v, %+v", err, a)
	}
}

// TestPost has a request be as docs/hooks.md says, and connections be kept.
func TestPost(t *testing.T) {
	const secret = "0123456789abcdef"
	var asked []*http.Request
	var wrong error
	c := serve(t, Endpoint{Secrets: []string{"another", secret}}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r)
		wrong = errors.Join(wrong, (&Verifier{Secrets: []string{secret}}).Verify(r.Header, body))
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusAccepted)
		w.Write(body)
	})
	for range 3 {
		a, err := c.Post(t.Context(), []byte(`{"a":1}`))
		if err != nil || a.Status != 202 || string(a.Body) != `{"a":1}` || a.RetryAfter != 7*time.Second {
			t.Errorf("%+v, %v", a, err)
		}
	}
	if wrong != nil {
		t.Error(wrong)
	}
	for _, r := range asked {
		if r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" || r.URL.RawQuery != "token=hush" ||
			r.Header.Get(NameHeader) != "app" || r.RemoteAddr != asked[0].RemoteAddr ||
			r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("%+v", r)
		}
	}
	if s := c.Stats(); s.Good != 3 || len(s.Took) != len(Seconds)+1 {
		t.Errorf("%+v", s)
	}
}

// TestUnsigned has a hook without a secret get no signature.
func TestUnsigned(t *testing.T) {
	c := serve(t, Endpoint{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Values(SignatureHeader) != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	if a, err := c.Post(t.Context(), nil); err != nil || !a.IsGood() {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestStatuses has each kind of answer be what it is: nothing is followed, and a large one is an error.
func TestStatuses(t *testing.T) {
	var others atomic.Int32
	c := serve(t, Endpoint{MaxAnswer: 10}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" || r.URL.Path != "/hook" {
			others.Add(1)
		}
		switch body, _ := io.ReadAll(r.Body); string(body) {
		case "redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "busy":
			w.WriteHeader(http.StatusTooManyRequests)
		case "wrong":
			w.WriteHeader(http.StatusNotFound)
		case "broken":
			w.WriteHeader(http.StatusBadGateway)
		case "large":
			io.WriteString(w, "12345678901")
		case "hang up":
			panic(http.ErrAbortHandler)
		}
	})
	for body, want := range map[string]Answer{
		"redirect": {Status: 307}, "busy": {Status: 429}, "wrong": {Status: 404}, "broken": {Status: 502},
		"": {Status: 200},
	} {
		a, err := c.Post(t.Context(), []byte(body))
		if err != nil || a.Status != want.Status || a.IsGood() != (body == "") ||
			a.IsAway() != (body == "busy" || body == "broken") {
			t.Errorf("%s: %+v, %v", body, a, err)
		}
		var status *StatusError
		if _, err := c.Ask(t.Context(), []byte(body)); body != "" &&
			(!errors.As(err, &status) || status.Status != want.Status || strings.Contains(err.Error(), "hush")) {
			t.Errorf("%s: %v", body, err)
		}
	}
	if _, err := c.Post(t.Context(), []byte("large")); !errors.Is(err, ErrLarge) {
		t.Error(err)
	}
	if _, err := c.Post(t.Context(), []byte("hang up")); err == nil {
		t.Error("there is no answer, and no error")
	}
	if others.Load() > 0 {
		t.Error("a redirect was followed")
	}
	if s := c.Stats(); s.Good != 2 || s.Refused != 4 || s.Busy != 2 || s.Broken != 2 || s.Lost != 2 {
		t.Errorf("%+v", s)
	}
}

// TestTimeout has a hook that does not answer be given up, and one that is given up be so at once.
func TestTimeout(t *testing.T) {
	over := make(chan struct{})
	c := serve(t, Endpoint{Timeout: 20 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) { <-over })
	t.Cleanup(func() { close(over) })
	fails(t, c, context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Post(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestRepeatable has a question be asked again when the hook closes a kept connection, and events not, which it may
// have got: whoever sends them again marks them.
func TestRepeatable(t *testing.T) {
	for _, repeatable := range []bool{false, true} {
		var asked atomic.Int32
		c := serve(t, Endpoint{Repeatable: repeatable}, func(w http.ResponseWriter, r *http.Request) {
			if _, ok := r.Header["Idempotency-Key"]; ok {
				t.Error("a header says so")
			}
			if asked.Add(1) == 2 {
				conn, _, _ := w.(http.Hijacker).Hijack()
				conn.Close()
			}
		})
		_, first := c.Post(t.Context(), nil)
		_, second := c.Post(t.Context(), []byte("{}"))
		if first != nil || (second == nil) != repeatable || (asked.Load() == 3) != repeatable {
			t.Errorf("repeatable %t: %v, %v, asked %d times", repeatable, first, second, asked.Load())
		}
	}
}

// TestPrivate has a hook on this machine be refused, by its address and by its name, unless that is said.
func TestPrivate(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(s.Close)
	direct := func(*http.Request) (*url.URL, error) { return nil, nil }
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for _, u := range []string{s.URL, "http://localhost:" + port + "/?hush", "http://[::ffff:127.0.0.1]:" + port} {
		fails(t, newClient(t, Endpoint{URL: u, Proxy: direct}), ErrPrivate)
	}
	if asked.Load() > 0 {
		t.Error("it was asked")
	}
}

// TestProxy has a proxy of the environment be asked, which may be anywhere, for hosts that are none of the network's.
func TestProxy(t *testing.T) {
	var asked atomic.Value
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Store(r.RequestURI)
	}))
	t.Cleanup(s.Close)
	proxy := func(*http.Request) (*url.URL, error) { return url.Parse(s.URL) }
	c := newClient(t, Endpoint{URL: "http://app.example.com/hook", Proxy: proxy})
	if _, err := c.Post(t.Context(), nil); err != nil || asked.Load() != "http://app.example.com/hook" {
		t.Errorf("%v, asked for %v", err, asked.Load())
	}
	for _, host := range []string{"10.0.0.1", "127.1", "[::1]", "a.localhost"} {
		if _, err := NewClient(Endpoint{URL: "http://" + host + "/", Proxy: proxy}); !errors.Is(err, ErrPrivate) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// TestTLS has a certificate be verified.
func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	fails(t, newClient(t, Endpoint{URL: s.URL + "/?hush", Private: true}), nil)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	good := Endpoint{URL: s.URL, Private: true, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	if a, err := newClient(t, good).Post(t.Context(), nil); err != nil || !a.IsGood() {
		t.Errorf("%+v, %v", a, err)
	}
	good.TLS = &tls.Config{RootCAs: roots, ServerName: "app.invalid", MinVersion: tls.VersionTLS12}
	fails(t, newClient(t, good), nil)
}

// TestNewClient refuses what is no URL, and says no secret.
func TestNewClient(t *testing.T) {
	for _, u := range []string{"", "hush", "ftp://hush/", "https://", "https://u:hush@h:x/", "http://[hush"} {
		if _, err := NewClient(Endpoint{URL: u}); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-1": 0, "1.5": 0, "soon": 0, "86400": longestRetryAfter,
		"99999999999999999999": 0, "Sun, 29 Nov 2026 06:00:10 GMT": 10 * time.Second,
		"Sun, 29 Nov 2026 05:00:00 GMT": 0, "Sun, 29 Nov 2099 05:00:00 GMT": longestRetryAfter,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
