package lineman_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestCloseDelimited has a body that ends with the connection go on by a worker that knows nothing of HTTP, from a
// request for no WebSocket: it is not chunked, what comes behind the request is that worker's, and its callbacks run in
// their order.
func TestCloseDelimited(t *testing.T) {
	linemantest.NoLeaks(t)
	calls := make(chan string, 8)
	raw := &lineman.Worker{Name: "raw", Logger: quiet}
	raw.OnConnect = func(*lineman.Conn) { calls <- "connect" }
	raw.OnMessage = func(_ *lineman.Conn, msg []byte) { calls <- string(msg) }
	raw.OnClosing = func(*lineman.Conn) { calls <- "closing" }
	raw.OnClose = func(_ *lineman.Conn, err error) { calls <- "close " + err.Error() }
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: quiet, Limits: lineman.Limits{Answer: time.Second}}
	w.OnConnect = func(*lineman.Conn) { t.Error("OnConnect of the worker for WebSockets") }
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		head := http1.EventStream()
		head.CloseDelimited, head.Body = true, []byte("one ")
		if err := c.Respond(head); err != nil {
			t.Error(err)
		}
		if r.Method() == "HEAD" {
			return
		}
		if err := c.SetWorker(raw); err != nil {
			t.Error(err)
		}
		if c.Connected() {
			t.Error("it is connected before OnConnect")
		}
		_ = c.Send([]byte("two "))
	}
	s, clock := startByClock(t, w)
	client := linemantest.NewClient(t, dial(t, s.Addr(w)), w)
	client.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\n")
	for _, want := range []string{"connect", "GET /2 HTTP/1.1\r\n"} {
		if got := next(t, calls, want); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	clock.jump(s, w, time.Hour)
	s.Do(w, func(l *lineman.Loop) {
		if n := l.Broadcast(l.Conns(raw), []byte("three")); n != 1 {
			t.Errorf("%d took it", n)
		}
	})
	r, err := http.ReadResponse(client.Reader, nil)
	if err != nil || !r.Close || len(r.TransferEncoding) > 0 || r.ContentLength != -1 {
		t.Fatalf("%v, %v", r, err)
	}
	got := make([]byte, len("one two three"))
	if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != "one two three" {
		t.Errorf("%q, %v", got, err)
	}
	client.Close()
	for _, want := range []string{"closing", "close EOF"} {
		if got := next(t, calls, want); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	head := linemantest.NewClient(t, dial(t, s.Addr(w)), w)
	head.Write("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
	if rest := head.Rest(); len(rest) == 0 || rest[len(rest)-4:] != "\r\n\r\n" {
		t.Errorf("HEAD: %q", rest)
	}
}

// TestCloseDelimitedTLS does the same below TLS, and has the goodbye of TLS tell a client that the body is whole.
func TestCloseDelimitedTLS(t *testing.T) {
	linemantest.NoLeaks(t)
	raw := &lineman.Worker{Name: "raw", Logger: quiet}
	raw.OnConnect = func(c *lineman.Conn) {
		c.Loop().Broadcast(c.Loop().Conns(raw), []byte("two"))
		_ = c.Close()
	}
	w := secured(t, "websocket")
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
		_ = c.Respond(&http1.Response{Stream: true, CloseDelimited: true, Body: []byte("one ")})
		if err := c.SetWorker(raw); err != nil {
			t.Error(err)
		}
	}
	s := linemantest.Start(t, w)
	conn, err := tls.Dial("tcp", s.Addr(w).String(), &tls.Config{RootCAs: w.TLS.RootCAs, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(conn); err != nil || !bytes.HasSuffix(all, []byte("\r\n\r\none two")) {
		t.Errorf("%q, %v", all, err)
	}
}

// TestCloseDelimitedEnds has EndStream, and the end of the loop, end such a body, also where HTTP keeps the connection.
func TestCloseDelimitedEnds(t *testing.T) {
	linemantest.NoLeaks(t)
	w, conns := streaming(func() *http1.Response {
		return &http1.Response{Stream: true, CloseDelimited: true, Body: []byte("first ")}
	})
	s := linemantest.Start(t, w)
	client := s.Dial(w)
	client.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c := next(t, conns, "the stream")
	_ = c.Send([]byte("second"))
	if err := c.EndStream(); err != nil {
		t.Error(err)
	}
	if r, body := client.Response(""); body != "first second" || len(r.TransferEncoding) > 0 {
		t.Errorf("%q, %v", body, r.TransferEncoding)
	}
}

// TestSetWorkerAborted has a connection that is given away before its handshake, and at once ended, be told of whole.
func TestSetWorkerAborted(t *testing.T) {
	linemantest.NoLeaks(t)
	calls := make(chan string, 8)
	raw := &lineman.Worker{Name: "raw", Logger: quiet}
	raw.OnConnect = func(*lineman.Conn) { calls <- "connect" }
	raw.OnClosing = func(*lineman.Conn) { calls <- "closing" }
	raw.OnClose = func(*lineman.Conn, error) { calls <- "close" }
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: quiet}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		_ = c.Send(nil)
		if err := c.SetWorker(raw); err != nil {
			t.Error(err)
		}
		if string(r.Path()) == "/abort" {
			c.Abort()
		} else {
			c.Close()
		}
	}
	s := linemantest.Start(t, w)
	for _, path := range []string{"/abort", "/close"} {
		client := linemantest.NewClient(t, dial(t, s.Addr(w)), w)
		client.Write("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
		if path == "/close" {
			client.CloseWrite()
		}
		for _, want := range []string{"connect", "closing", "close"} {
			if got := next(t, calls, want); got != want {
				t.Errorf("%s: %q, want %q", path, got, want)
			}
		}
	}
}

// TestCheckOrigin has an answer for a page be bound to the origins of the WebSockets beside it.
func TestCheckOrigin(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{
		Addr: "websocket://127.0.0.1:0", Logger: quiet, Proxies: []string{"127.0.0.1"},
		Protocol: &websocket.Protocol{Origins: []string{"https://shop.example"}},
	}
	var last *lineman.Conn
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
		if last = c; c.CheckOrigin() != nil {
			_ = c.Respond(&http1.Response{Status: 403})
			return
		}
		_ = c.Send(nil)
	}
	s := linemantest.Start(t, w)
	client := linemantest.NewClient(t, dial(t, s.Addr(w)), w)
	for field, want := range map[string]int{
		"": 200, "Origin: https://shop.example\r\n": 200, "Origin: https://evil.example\r\n": 403,
		"Origin: null\r\n": 403, "Origin: http://x.example\r\n": 200,
		"Origin: http://x.example\r\nX-Forwarded-Proto: https\r\n":  403,
		"Origin: https://x.example\r\nX-Forwarded-Proto: https\r\n": 200,
	} {
		client.Write("GET / HTTP/1.1\r\nHost: x.example\r\n" + field + "\r\n")
		if r, _ := client.Response(""); r.StatusCode != want {
			t.Errorf("%q: %d, want %d", field, r.StatusCode, want)
		}
	}
	s.Do(w, func(*lineman.Loop) {
		if last.CheckOrigin() == nil {
			t.Error("without a request")
		}
	})
}
