package server_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// get asks the port for operators.
func (r *running) get(path string, header map[string]string) (status int, answer string) {
	r.t.Helper()
	return r.call(call{"GET", path, "", header})
}

// TestAdmin tells operators how the server is, and nobody else.
func TestAdmin(t *testing.T) {
	r := start(t, settings(), server.Options{Credentials: openQuick(secret)})
	b := r.backend()
	r.page("secret-ann")
	r.known(b, "ann")
	told(t, r.page("wrong"), 4001)
	ask(b, `{"uid":"ann"}`)
	for header, status := range map[*http.Header]int{
		{"Origin": {"https://evil.example"}}: 403, {"Sec-Websocket-Version": {"8"}}: 426,
	} {
		if answer, _ := r.Connect(r.pages).Handshake("/", *header); answer.StatusCode != status {
			t.Errorf("%v: %d, want %d", *header, answer.StatusCode, status)
		}
	}
	r.api = r.admin
	for _, w := range []struct {
		path   string
		header map[string]string
		status int
		want   string
	}{
		{"/metrics", nil, 200, "\nlineman_connections 1\n"},
		{"/metrics", nil, 200, "\nlineman_publishes_total 1\n"},
		{"/metrics", nil, 200, "\nlineman_refusals_total{reason=\"credential\"} 1\n"},
		{"/metrics", nil, 200, "\nlineman_refusals_total{reason=\"handshakes_per_ip\"} 0\n"},
		{"/metrics", nil, 200, "\nlineman_refusals_total{reason=\"origin\"} 1\n"},
		{"/metrics", nil, 200, "\nlineman_refusals_total{reason=\"handshake\"} 1\n"},
		{"/metrics", nil, 200, "\nlineman_credential_refusals_total{reason=\"other\"} 1\n"},
		{"/metrics", map[string]string{"Host": "localhost:9"}, 200, ""},
		{"/metrics", map[string]string{"Host": "evil.example"}, 403, ""},
		{"/metrics", map[string]string{"Origin": "http://127.0.0.1"}, 403, ""},
		{"/debug/pprof/cmdline", map[string]string{"Sec-Fetch-Site": "same-site"}, 403, ""},
		{"/debug/pprof/", nil, 200, "goroutine"},
		{"/debug/pprof/goroutine?debug=1", nil, 200, "goroutine profile"},
		{"/debug/pprof/profile?seconds=1", nil, 200, ""},
		{"/health", nil, 200, "ok"},
		{"/ready", nil, 200, "ok"},
		{"/", nil, 200, "<!doctype html>"},
	} {
		if status, answer := r.get(w.path, w.header); status != w.status || !strings.Contains(answer, w.want) {
			t.Errorf("%s %v: %d, %.200s; want %d, %s", w.path, w.header, status, answer, w.status, w.want)
		}
	}
	if status, _ := r.call(post("/metrics", "")); status != http.StatusMethodNotAllowed {
		t.Errorf("a POST: %d", status)
	}
	_, answer := r.get("/metrics", nil)
	if strings.Contains(answer, "lineman_publish_lag_seconds_count 0\n") {
		t.Error("no lag was sampled")
	}
	if !strings.Contains(answer, "\nlineman_refusals_total{reason=\"page\"} 3\n") {
		t.Errorf("three pages were refused: %s", answer)
	}
}

// TestAdminKey wants a key of the scope admin where others reach the port.
func TestAdminKey(t *testing.T) {
	c := devMode()
	c.Admin.Listen = "0.0.0.0:0"
	c.API.Keys = []config.Key{
		{Name: "shop", Key: "the key of the shop"},
		{Name: "ops", Key: "the key of operators", Scopes: []string{"admin"}},
	}
	r := start(t, c, server.Options{})
	r.api = strings.Replace(r.admin, "0.0.0.0", "127.0.0.1", 1)
	for key, want := range map[string]int{
		"": 401, "Bearer nonsense": 401, "Bearer the key of the shop": 401, "Basic the key of operators": 401,
		"Bearer the key of operators": 200,
	} {
		if status, answer := r.get("/metrics", map[string]string{"Authorization": key}); status != want ||
			strings.Contains(answer, "the key of") {
			t.Errorf("%q: %d %.80s, want %d", key, status, answer, want)
		}
	}
	if _, answer := r.get("/metrics",
		map[string]string{"Authorization": "Bearer the key of operators"}); !strings.Contains(answer,
		"\nlineman_refusals_total{reason=\"key\"} 4\n") {
		t.Errorf("four were refused: %s", answer)
	}
}

// TestAdminHead decides about who would be an operator by the head of a request, and has nobody else stay.
func TestAdminHead(t *testing.T) {
	c := devMode()
	c.Admin.Listen = "0.0.0.0:0"
	c.API.Keys = []config.Key{{Name: "ops", Key: "the key of operators", Scopes: []string{"admin"}}}
	r := start(t, c, server.Options{})
	addr := strings.Replace(strings.TrimPrefix(r.admin, "http://"), "0.0.0.0", "127.0.0.1", 1)
	const key = "Authorization: Bearer the key of operators\r\n"
	for _, w := range []struct {
		head   string
		status int
	}{
		{"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n", 401},
		{"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n", 401},
		{"GET /metrics HTTP/1.1\r\nHost: localhost\r\n", 401},
		{"POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n", 401},
		{"GET /metrics HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 10000\r\n", 403},
		{"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n" + key, 413},
		{"POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n" +
			"Content-Length: 9\r\n" + key, 415},
	} {
		conn := dial(t, addr)
		_ = conn.SetDeadline(time.Now().Add(9 * time.Second)) // less than what is waited for the rest
		if _, err := io.WriteString(conn, w.head+"\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%q: %v", w.head, err)
			continue
		}
		if _, err = io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != w.status || !answer.Close {
			t.Errorf("%q: %d, close is %v, %v; want %d, and the end", w.head, answer.StatusCode, answer.Close,
				err, w.status)
		}
	}
}

// TestAdminKeyless has those that say no key give way to an operator.
func TestAdminKeyless(t *testing.T) {
	c := devMode()
	c.Admin.Listen, c.Admin.Connections, c.Limits.Login = "0.0.0.0:0", 4, time.Minute
	c.API.Keys = []config.Key{{Name: "ops", Key: "the key of operators", Scopes: []string{"admin"}}}
	r := start(t, c, server.Options{})
	r.admin = strings.Replace(r.admin, "0.0.0.0", "127.0.0.1", 1)
	for range c.Admin.Connections { // of which half may wait
		if silent, err := net.Dial("tcp", strings.TrimPrefix(r.admin, "http://")); err == nil { // else it was reset
			t.Cleanup(func() { silent.Close() })
		}
	}
	began := time.Now()
	linemantest.Until(t, "an operator is shut out", func() bool {
		q, err := http.NewRequest("GET", r.admin+"/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer the key of operators")
		return do(&http.Transport{DisableKeepAlives: true}, q) == "200 ok\n"
	})
	if took := time.Since(began); took > 8*time.Second { // those that say nothing end after 10
		t.Errorf("an operator had to wait for %v", took)
	}
}

// TestAdminDrain tells how the server is while it sends its pages away.
func TestAdminDrain(t *testing.T) {
	c := devMode()
	c.Drain = 10 * time.Second
	r := start(t, c, server.Options{})
	page, b := r.page("ann"), r.backend()
	r.known(b, "ann")
	b.Close()
	stopped := make(chan error)
	go func() { stopped <- r.Stop() }()
	told(t, page, 4101)
	r.api = r.admin
	for path, want := range map[string]int{"/metrics": 200, "/ready": 503, "/health": 200} {
		if status, answer := r.get(path, nil); status != want {
			t.Errorf("%s: %d %.200s, want %d", path, status, answer, want)
		}
	}
	page.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
