package server_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// TestFull has a port that is full of pages still tell so, and say that it lives.
func TestFull(t *testing.T) {
	c := devMode()
	c.Limits.Connections = 2
	r := start(t, c, server.Options{})
	b := r.backend()
	r.page("ann")
	r.known(b, "ann")
	silent := dial(t, r.Addr(r.pages).String()) // it counts from the connecting on
	for range 3 {
		if status, body := r.plain(t, "/health"); status != 200 || body != "ok\n" {
			t.Errorf("/health: %d %q", status, body)
		}
		answer, body := r.Connect(r.pages).Handshake("/", nil)
		if answer.StatusCode != 429 || answer.Header.Get("Retry-After") == "" ||
			!strings.Contains(body, "connections") {
			t.Errorf("a page: %d %q", answer.StatusCode, body)
		}
	}
	silent.Close()
	linemantest.Until(t, "what has gone keeps its slot", func() bool {
		answer, _ := r.Connect(r.pages).Handshake("/", nil)
		return answer.StatusCode == 101
	})
}

// plain asks the port for pages on a connection of its own.
func (r *running) plain(t *testing.T, path string) (status int, body string) {
	t.Helper()
	c := r.Connect(r.pages)
	c.Write("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
	answer, body := c.Response("")
	if !answer.Close {
		t.Error("it stays, where there is no slot")
	}
	return answer.StatusCode, body
}

// TestSilent bounds who says nothing from the connecting on, and has others be told.
func TestSilent(t *testing.T) {
	const waiting = 5
	c := devMode()
	c.Limits.Waiting = waiting
	r := start(t, c, server.Options{})
	for range waiting {
		dial(t, r.Addr(r.pages).String())
	}
	// They are accepted in the order in which they came.
	if answer, body := r.Connect(r.pages).Handshake("/", nil); answer.StatusCode != 429 ||
		!strings.Contains(body, "waiting") {
		t.Errorf("those that are silent count for nobody: %d %s", answer.StatusCode, body)
	}
}

// TestSpareIsGivenBack has who says nothing not keep a spare slot, which is there to be told that there is no other.
func TestSpareIsGivenBack(t *testing.T) {
	c := devMode()
	c.Limits.Connections, c.Text.Connections, c.API.Connections = 1, 1, 1
	r := start(t, c, server.Options{})
	for _, addr := range []string{
		r.Addr(r.pages).String(), r.text, strings.TrimPrefix(strings.TrimSuffix(r.api, "/v1/"), "http://"),
	} {
		endsSoon(t, func() net.Conn {
			dial(t, addr)
			return dial(t, addr)
		})
	}
}

// TestPipelinedRequests bounds what a connection asks without being a page.
func TestPipelinedRequests(t *testing.T) {
	c := devMode()
	c.Limits.MessagesPerConnection = 2
	r := start(t, c, server.Options{})
	conn := dial(t, r.Addr(r.pages).String())
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn,
		strings.Repeat("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 500)); err != nil {
		t.Fatal(err)
	}
	answers, err := io.ReadAll(conn)
	if n := strings.Count(string(answers), "HTTP/1.1 200 "); n < 10 || n > 100 {
		t.Errorf("%d requests were answered, %v", n, err)
	}
	if !strings.Contains(string(answers), "HTTP/1.1 429 ") {
		t.Errorf("it was not told why: %.100s", answers)
	}
}

// TestPoolsApart has pages that say nothing not shut back ends out.
func TestPoolsApart(t *testing.T) {
	c := devMode()
	c.API.Keys = []config.Key{{Name: "all", Key: "a secret of 22 letters"}}
	c.Text.Auth, c.Limits.Waiting = true, 2
	r := start(t, c, server.Options{})
	for range 60 {
		if answer, _ := r.Connect(r.pages).Handshake("/", nil); answer.StatusCode != 101 && answer.StatusCode != 429 {
			t.Fatalf("a page: %d", answer.StatusCode)
		}
	}
	if got := ask(r.backend(), `{"cmd":"auth","key":"a secret of 22 letters"}`); got != `{"ok":true}` {
		t.Errorf("a back end with a key: %s", got)
	}
}

// TestKeylessGiveWay has back ends that say no key give way to one that does.
func TestKeylessGiveWay(t *testing.T) {
	c := devMode()
	c.API.Keys = []config.Key{{Name: "all", Key: "a secret of 22 letters"}}
	c.Text.Auth, c.Limits.Waiting, c.Limits.Login = true, 2, time.Minute
	r := start(t, c, server.Options{})
	first, second := dial(t, r.text), dial(t, r.text)
	linemantest.Until(t, "a back end with a key has no slot", func() bool {
		b, err := net.Dial("tcp", r.text)
		if err != nil {
			return false // reset before that returned: it is refused while the others are new
		}
		defer b.Close()
		_ = b.SetDeadline(time.Now().Add(time.Minute))
		_, _ = io.WriteString(b, `{"cmd":"auth","key":"a secret of 22 letters"}`+"\n")
		answer := make([]byte, len(`{"ok":true}`))
		_, err = io.ReadFull(b, answer)
		return err == nil && string(answer) == `{"ok":true}`
	})
	gone := make(chan error, 2)
	for _, c := range []net.Conn{first, second} {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		go func() {
			_, err := c.Read(make([]byte, 1))
			gone <- err
		}()
	}
	if isTimeout(<-gone) { // the other stays until the end of the test
		t.Error("nobody gave way")
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

// TestSlotsOfBackends bounds the connections to the other ports, and tells by which setting.
func TestSlotsOfBackends(t *testing.T) {
	c := devMode()
	c.Text.Connections, c.API.Connections, c.Admin.Connections = 1, 1, 1
	r := start(t, c, server.Options{})
	b := r.backend()
	if got := ask(b, `{"cmd":"groups"}`); got != `{"ok":true,"groups":[]}` {
		t.Fatal(got)
	}
	second := r.backend()
	if got := second.Receive(); got != "error: too many connections: text.connections" {
		t.Errorf("a second back end is told %q", got)
	}
	if got := second.Rest(); got != "" {
		t.Errorf("it stays, and is told %q", got)
	}
	keep := &http.Transport{}
	defer keep.CloseIdleConnections()
	for _, port := range []struct{ url, full string }{
		{strings.TrimSuffix(r.api, "/v1/") + "/v1/openapi.json", "429 too many connections: api.connections\n"},
		{r.admin + "/health", ""},
	} {
		if got := get(t, keep, port.url); !strings.HasPrefix(got, "200 ") {
			t.Errorf("%s: %s", port.url, got)
		}
		further := &http.Transport{DisableKeepAlives: true}
		if got := get(t, further, port.url); got != port.full {
			t.Errorf("a second connection to %s: %q, want %q", port.url, got, port.full)
		}
	}
}

// TestSlotIsGivenBack has connections that have gone, after all that they may do, leave their slots to others.
func TestSlotIsGivenBack(t *testing.T) {
	c := devMode()
	c.API.Keys = []config.Key{{Name: "all", Key: "a secret of 22 letters",
		Scopes: []string{"publish", "read", "admin"}}}
	c.Text.Auth, c.Text.Connections, c.API.Connections, c.Admin.Connections = true, 2, 2, 1
	log := &journal{}
	r := start(t, c, server.Options{Log: log.logger()})
	for range 5 {
		linemantest.Until(t, "the port for lines has no slot", func() bool {
			b := r.backend()
			defer b.Close()
			_, err := io.WriteString(b.Conn, `{"cmd":"auth","key":"a secret of 22 letters"}`+"\n{\"cmd\":\"groups\"}\n")
			answers, _ := io.ReadAll(io.LimitReader(b.Reader, int64(len("{\"ok\":true}\n{\"ok\":true"))))
			return err == nil && string(answers) == "{\"ok\":true}\n{\"ok\":true"
		})
		linemantest.Until(t, "the HTTP API has no slot", func() bool {
			q, err := http.NewRequest("POST", r.api+"groups", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set("Content-Type", "application/json")
			q.Header.Set("Authorization", "Bearer a secret of 22 letters")
			return strings.HasPrefix(do(&http.Transport{DisableKeepAlives: true}, q), "200 ")
		})
		linemantest.Until(t, "the port for operators has no slot", func() bool {
			return get(t, &http.Transport{DisableKeepAlives: true}, r.admin+"/health") == "200 ok\n"
		})
	}
	if strings.Contains(log.String(), "panic") {
		t.Errorf("the log has a panic: %s", log)
	}
}

// TestKeylessCalls bounds the connections to the HTTP API that have not said a key, in number and in time.
func TestKeylessCalls(t *testing.T) {
	c := devMode()
	c.API.Keys = []config.Key{{Name: "all", Key: "a secret of 22 letters"}}
	c.API.Connections, c.Limits.Login = 4, time.Second
	r := start(t, c, server.Options{})
	addr := strings.TrimPrefix(strings.TrimSuffix(r.api, "/v1/"), "http://")
	silent := []net.Conn{dial(t, addr), dial(t, addr)}
	q, err := http.NewRequest("POST", r.api+"groups", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer a secret of 22 letters")
	keep := &http.Transport{}
	defer keep.CloseIdleConnections()
	linemantest.Until(t, "a back end with a key is shut out", func() bool {
		q.Body = io.NopCloser(strings.NewReader("{}"))
		return strings.HasPrefix(do(keep, q), "200 ")
	})
	for _, c := range silent {
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("one that says nothing stays: %v", err)
		}
	}
}

// TestKnownCalls has connections to the HTTP API that have said a key take no place of those that have not.
func TestKnownCalls(t *testing.T) {
	c := devMode()
	c.API.Keys = []config.Key{{Name: "all", Key: "a secret of 22 letters"}}
	c.API.Connections = 4 // of which two may be there without a key
	r := start(t, c, server.Options{})
	addr := strings.TrimPrefix(strings.TrimSuffix(r.api, "/v1/"), "http://")
	var known []*linemantest.Client
	for range 3 {
		known = append(known, linemantest.NewClient(t, dial(t, addr), &lineman.Worker{Addr: "http://127.0.0.1:0"}))
		for i, c := range known {
			c.Write("POST /v1/groups HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
				"Authorization: Bearer a secret of 22 letters\r\nContent-Length: 2\r\n\r\n{}")
			if answer, text := c.Response(""); answer.StatusCode != 200 {
				t.Errorf("number %d of %d that have said a key: %d %s", i, len(known), answer.StatusCode, text)
			}
		}
	}
}

// get is the status of an answer and its body; empty if there is none.
func get(t *testing.T, by *http.Transport, url string) string {
	t.Helper()
	q, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(by, q)
}

func do(by *http.Transport, q *http.Request) string {
	client := http.Client{Transport: by, Timeout: time.Minute}
	answer, err := client.Do(q)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return fmt.Sprintf("%d %s", answer.StatusCode, body)
}
