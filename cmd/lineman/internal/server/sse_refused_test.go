package server_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// TestStreamRefused has who cannot have a stream be told so, in a way that a browser understands: a status at which it
// gives up, or a stream that says when to come again.
func TestStreamRefused(t *testing.T) {
	c := settings()
	c.Origins, c.Cookie = []string{"https://shop.example"}, "session"
	c.Limits.ConnectionsPerUID = 1
	r := start(t, c, server.Options{Credentials: openQuick(secret)})
	r.ask(t, "token=secret-late", "").welcome("late")
	long := make([]string, 200)
	for i := range long {
		long[i] = fmt.Sprintf("chat:a-channel-%d", i)
	}
	for _, w := range []struct {
		method, target, fields string
		status                 int
		body                   string
	}{
		{"GET", "/sse", "", 401, "no credential"},
		{"GET", "/sse?token=wrong", "", 401, "the credential is not valid"},
		{"GET", "/sse?token=secret-", "", 401, "a uid has 1 to 255 bytes"},
		{"GET", "/sse?token=%zz", "", 400, "malformed"},
		{"GET", "/sse?token=secret-a&last=x", "", 400, "last is 1 to"},
		{"GET", "/sse?token=secret-a&pad=2", "", 400, "pad"},
		{"GET", "/sse?token=secret-a&sub=" + strings.Join(long, ","), "", 400, "4096"},
		{"GET", "/sse?token=secret-a", "Origin: https://evil.example\r\n", 403, "origins"},
		{"GET", "/sse", "Cookie: session=secret-a\r\nSec-Fetch-Site: cross-site\r\n", 403, "origins"},
		{"GET", "/sse", "Cookie: session=secret-a\r\nSec-Fetch-Site: same-site\r\n", 403, "origins"},
		{"GET", "/sse?token=secret-late", "", 429, ""},
		{"GET", "/sse?token=secret-a", "Last-Event-ID: end:4009\r\n", 204, ""},
		{"HEAD", "/sse?token=secret-a", "", 200, ""},
		{"POST", "/sse?token=secret-a", "Content-Length: 0\r\n", 405, "want GET"},
		{"GET", "/sse?token=secret-a", "Content-Length: 1\r\n", 413, ""},
		{"GET", "/sse/x?token=secret-a", "", 404, ""},
	} {
		st := r.request(t, w.method, w.target, w.fields)
		body, _ := io.ReadAll(st.body)
		if st.answer.StatusCode != w.status || !strings.Contains(string(body), w.body) ||
			!st.answer.Close && w.status != 404 {
			t.Errorf("%s %.40s %q: %d %s", w.method, w.target, w.fields, st.answer.StatusCode, body)
		}
		if late := st.answer.Header.Get("Retry-After"); (late != "") != (w.status == 429) {
			t.Errorf("%s: Retry-After is %q", w.target, late)
		}
	}
	again := r.ask(t, "token=secret-late", "Last-Event-ID: chat:1=k3f9.1\r\n")
	if got := again.event(); again.answer.StatusCode != 200 ||
		!strings.HasPrefix(got, `{"op":"bye","code":4103,"retry":5000`) ||
		again.retry != "5000" || again.lastID != "chat:1=k3f9.1" || again.event() != "" {
		t.Errorf("a browser that comes too often: %s, %+v", got, again)
	}
	lost := r.ask(t, "token=secret-late", "Last-Event-ID: nonsense\r\n")
	if lost.event(); lost.lastID != "lost" {
		t.Errorf("the id that is not known becomes %q", lost.lastID)
	}
}

// TestStreamOrigins lets pages of origins that are listed read the answer, whatever it is.
func TestStreamOrigins(t *testing.T) {
	c := settings()
	c.Origins, c.Cookie = []string{"https://shop.example"}, "session"
	r := start(t, c, server.Options{Credentials: openQuick(secret)})
	for _, w := range []struct{ method, fields, allowed string }{
		{"GET", "Cookie: session=secret-a\r\n", ""},
		{"GET", "Cookie: session=secret-a\r\nOrigin: https://shop.example\r\n", "https://shop.example"},
		{"GET", "Cookie: session=wrong\r\nOrigin: https://shop.example\r\n", "https://shop.example"},
		{"GET", "Authorization: Bearer secret-a\r\nOrigin: http://localhost\r\n", "http://localhost"},
		{"OPTIONS", "Origin: https://shop.example\r\nAccess-Control-Request-Method: GET\r\n", "https://shop.example"},
		{"OPTIONS", "Origin: https://evil.example\r\nAccess-Control-Request-Method: GET\r\n", ""},
	} {
		a := r.request(t, w.method, "/sse", w.fields).answer
		if a.Header.Get("Access-Control-Allow-Origin") != w.allowed ||
			(a.Header.Get("Access-Control-Allow-Credentials") == "true") != (w.allowed != "") ||
			(a.Header.Get("Vary") == "Origin") != (w.allowed != "") {
			t.Errorf("%s %q: %d %v", w.method, w.fields, a.StatusCode, a.Header)
		}
		if w.method == "OPTIONS" && (a.StatusCode == 204) != (w.allowed != "") {
			t.Errorf("%q: %d", w.fields, a.StatusCode)
		}
	}
	dev := start(t, devMode(), server.Options{})
	foreign := dev.Connect(dev.pages)
	foreign.Write("GET /sse?token=ann HTTP/1.1\r\nHost: rebind.example\r\n\r\n")
	if a, _ := foreign.Response("GET"); a.StatusCode != 403 {
		t.Errorf("a foreign host in dev mode: %d", a.StatusCode)
	}
}
