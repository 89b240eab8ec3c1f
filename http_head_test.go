package lineman_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// keyed is an http worker that lets in by a field of the head, and answers with the body.
func keyed(t *testing.T) *lineman.Worker {
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Limits: lineman.Limits{MaxMessage: 1 << 20}}
	w.OnHead = func(c *lineman.Conn, r *http1.Request) error {
		if c.Request() != r || c.Send(nil) != lineman.ErrAnswered {
			t.Error("the head is answered by its error alone")
		}
		switch string(r.Header("Key")) {
		case "right":
			return nil
		case "":
			return errors.New("nobody is told")
		}
		return &lineman.RefuseError{
			Status: 401, Reason: `{"ok":false}`, Type: "application/json",
			Header: []http1.Field{{Name: "WWW-Authenticate", Value: "Bearer"}},
		}
	}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		if string(r.Header("Key")) != "right" {
			t.Error("a request came that the head refused")
		}
		_ = c.Send(r.Body())
	}
	return w
}

const mebibyte = "1048576"

// TestHead has a request be refused by its head: the answer comes before the body, whatever is said about that.
func TestHead(t *testing.T) {
	t.Run("plain", func(t *testing.T) { refusesByHead(t, keyed(t)) })
	t.Run("TLS", func(t *testing.T) {
		w := keyed(t)
		w.TLS = linemantest.TLS(t)
		refusesByHead(t, w)
	})
}

func refusesByHead(t *testing.T, w *lineman.Worker) {
	s := linemantest.Start(t, w)
	for _, framing := range []string{
		"Content-Length: " + mebibyte + "\r\n\r\n", "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nffff\r\nand so on",
		"Content-Length: 5\r\n\r\nhello", "Content-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n", "\r\n",
	} {
		for key, status := range map[string]int{"": 403, "wrong": 401} {
			c := s.Dial(w)
			c.Write("POST / HTTP/1.1\r\nHost: x\r\nKey: " + key + "\r\n" + framing)
			r, body := c.Response("")
			if r.StatusCode != status || !r.Close ||
				(status == 401) != (body == `{"ok":false}`+"\n" && r.Header.Get("WWW-Authenticate") == "Bearer" &&
					r.Header.Get("Content-Type") == "application/json") {
				t.Errorf("%q with the key %q: %s %q %v", framing, key, r.Status, body, r.Header)
			}
			if rest := c.Rest(); rest != "" {
				t.Errorf("%q: %q after the answer", framing, rest)
			}
		}
	}
}

// TestHeadAdmits has requests that the head admits come with their bodies, however they come, and be asked about once.
func TestHeadAdmits(t *testing.T) {
	w := keyed(t)
	heads, admits := 0, w.OnHead
	w.OnHead = func(c *lineman.Conn, r *http1.Request) error { heads++; return admits(c, r) }
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	head := "POST / HTTP/1.1\r\nHost: x\r\nKey: right\r\n"
	c.Write(head + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	if r, _ := c.Response(""); r.StatusCode != 100 {
		t.Errorf("an admitted sender is told %s", r.Status)
	}
	c.Write("hello")
	if r, body := c.Response(""); r.StatusCode != 200 || body != "hello" {
		t.Errorf("got %s %q", r.Status, body)
	}
	large := strings.Repeat("x", 1<<20)
	c.Write(head + "Content-Length: " + mebibyte + "\r\n\r\n" + large)
	if r, body := c.Response(""); r.StatusCode != 200 || body != large {
		t.Errorf("got %s and %d bytes", r.Status, len(body))
	}
	chunks := head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
	for i := range chunks { // byte by byte
		c.Write(chunks[i : i+1])
	}
	if r, body := c.Response(""); r.StatusCode != 200 || body != "abcde" {
		t.Errorf("got %s %q", r.Status, body)
	}
	get := "GET / HTTP/1.1\r\nHost: x\r\nKey: right\r\n\r\n"
	c.Write(get + chunks + get + "POST / HTTP/1.1\r\nHost: x\r\nKey: no\r\nContent-Length: 5\r\n\r\n" + get)
	for _, want := range []string{"200", "200abcde", "200", `401{"ok":false}` + "\n"} {
		if r, body := c.Response(""); fmt.Sprint(r.StatusCode)+body != want {
			t.Errorf("pipelined: %s %q, want %s", r.Status, body, want)
		}
	}
	if rest := c.Rest(); rest != "" {
		t.Errorf("%q after a refusal", rest)
	}
	s.Do(w, func(*lineman.Loop) {
		if heads != 7 {
			t.Errorf("%d heads were asked about, want 7", heads)
		}
	})
}

// TestHeadOfHandshake has a WebSocket port answer by the head what has a body, and ask OnHead about its other requests.
func TestHeadOfHandshake(t *testing.T) {
	alone := &lineman.Worker{Name: "alone", Addr: "websocket://127.0.0.1:0"}
	both := &lineman.Worker{Name: "both", Addr: "websocket://127.0.0.1:0"}
	both.OnHead = func(_ *lineman.Conn, r *http1.Request) error {
		if r.HasBody() {
			return &lineman.RefuseError{Status: 413, Reason: "no body is wanted"}
		}
		return nil
	}
	both.OnRequest = func(c *lineman.Conn, _ *http1.Request) { _ = c.Send([]byte("asked")) }
	refused := 0
	both.OnRefuse = func(*lineman.Conn, *http1.Request, *websocket.HandshakeError) { refused++ }
	s := linemantest.Start(t, alone, both)
	shake := "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, tt := range []struct {
		worker *lineman.Worker
		wire   string
		status int
	}{
		{alone, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", 426},
		{alone, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n" + shake + "\r\n", 400},
		{alone, "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + shake + "\r\n", 400},
		{both, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n" + shake + "\r\nx", 400},
		{both, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n" + shake + "\r\n", 405},
		{both, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", 413},
		{both, "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 413},
		{both, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 413},
		{both, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 00\r\n\r\n", 200},
		{both, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 000\r\n" + shake + "\r\n", 101},
	} {
		c := s.Connect(tt.worker)
		c.Write(tt.wire)
		if r, body := c.Response(""); r.StatusCode != tt.status {
			t.Errorf("%q: %s %q, want %d", tt.wire, r.Status, body, tt.status)
		}
	}
	s.Do(both, func(*lineman.Loop) {
		if refused != 2 {
			t.Errorf("OnRefuse was told of %d handshakes, want 2", refused)
		}
	})
}

// TestHeadAndHandler refuses a worker that has two ways to decide.
func TestHeadAndHandler(t *testing.T) {
	w := keyed(t)
	w.OnRequest, w.Handler = nil, http.NotFoundHandler()
	if err := lineman.Run(context.Background(), w); err == nil || !strings.Contains(err.Error(), "OnHead") {
		t.Error(err)
	}
}

// TestUnreadAnswers has pipelined requests wait while the answers to those before them are not read, and then be
// answered all.
func TestUnreadAnswers(t *testing.T) {
	const requests, size, most = 200, 1 << 20, 64 << 10
	answer := []byte(strings.Repeat("x", size))
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Limits: lineman.Limits{MaxPending: most}}
	asked, pending := 0, 0
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
		asked++
		pending = max(pending, c.Pending())
		if err := c.Send(answer); err != nil {
			t.Error(err)
		}
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write(strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", requests))
	linemantest.Until(t, "the first answers", func() bool {
		n := 0
		s.Do(w, func(*lineman.Loop) { n = asked })
		return n > 0
	})
	s.Do(w, func(*lineman.Loop) {
		if asked > requests/2 {
			t.Errorf("%d requests were answered to who reads nothing", asked)
		}
	})
	for i := range requests {
		if r, body := c.Response(""); r.StatusCode != 200 || len(body) != size {
			t.Fatalf("answer %d: %s with %d bytes", i, r.Status, len(body))
		}
	}
	s.Do(w, func(*lineman.Loop) {
		if asked != requests || pending > most+size {
			t.Errorf("%d requests were answered; %d bytes waited", asked, pending)
		}
	})
}

// TestUnreadSmallAnswers has pipelined requests wait as soon as their client's kernel takes no more answers, well below
// MaxPending.
func TestUnreadSmallAnswers(t *testing.T) {
	const requests, size, most = 2000, 32 << 10, 256 << 10
	answer := []byte(strings.Repeat("x", size))
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Limits: lineman.Limits{MaxPending: 16 << 20}}
	pending := 0
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
		if err := c.Send(answer); err != nil {
			t.Error(err)
		}
		pending = max(pending, c.Pending())
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write(strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", requests))
	linemantest.Until(t, "some answers wait", func() bool {
		n := 0
		s.Do(w, func(*lineman.Loop) { n = pending })
		return n > 0
	})
	for i := range requests {
		if r, body := c.Response(""); r.StatusCode != 200 || len(body) != size {
			t.Fatalf("answer %d: %s with %d bytes", i, r.Status, len(body))
		}
	}
	s.Do(w, func(*lineman.Loop) {
		if pending > most {
			t.Errorf("%d bytes waited, want no more than %d", pending, most)
		}
	})
}
