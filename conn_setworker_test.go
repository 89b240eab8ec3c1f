package lineman_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestSetWorkerRequest takes the request at hand along to another http worker, whose limits hold from the next one on.
func TestSetWorkerRequest(t *testing.T) {
	linemantest.NoLeaks(t)
	back := &lineman.Worker{
		Name: "back", Protocol: &http1.Protocol{}, Limits: lineman.Limits{MaxMessage: 4}, Logger: quiet,
	}
	back.OnRequest = func(c *lineman.Conn, r *http1.Request) { _ = c.Send(append([]byte("back "), r.Body()...)) }
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Logger: quiet}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		if err := c.SetWorker(back); err != nil {
			t.Error(err)
		}
		_ = c.Send(append([]byte("front "), r.Body()...))
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	post := func(body string) string {
		return "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + string('0'+rune(len(body))) + "\r\n\r\n" + body
	}
	c.Write(post("123456") + post("1234") + post("12345"))
	for _, want := range []string{"front 123456", "back 1234"} {
		if _, body := c.Response(""); body != want {
			t.Errorf("%q, want %q", body, want)
		}
	}
	if r, _ := c.Response(""); r.StatusCode != 413 {
		t.Errorf("a body above the new limit: %d", r.StatusCode)
	}
}

// TestSetWorkerWaiting keeps a request that waits from being lost to a protocol that has no answers.
func TestSetWorkerWaiting(t *testing.T) {
	linemantest.NoLeaks(t)
	lines := &lineman.Worker{Name: "lines", Addr: "text://127.0.0.1:0", Logger: quiet}
	lines.OnMessage = echo
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Logger: quiet}
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
		if err := c.SetWorker(lines); err == nil || !strings.Contains(err.Error(), "answer the request") {
			t.Errorf("before the answer: %v", err)
		}
		_ = c.Send([]byte("now lines"))
		if err := c.SetWorker(lines); err != nil {
			t.Error(err)
		}
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, body := c.Response(""); body != "now lines" {
		t.Errorf("%q", body)
	}
	c.Write("a line\n")
	if line, err := c.Reader.ReadString('\n'); line != "a line\n" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
}

// TestSetWorkerWebSocket keeps what the handshake agreed on, and takes the new limits.
func TestSetWorkerWebSocket(t *testing.T) {
	linemantest.NoLeaks(t)
	small := &lineman.Worker{
		Name: "small", Protocol: &websocket.Protocol{}, Limits: lineman.Limits{MaxMessage: 4, Close: second / 20},
		Logger: quiet,
	}
	said := make(chan string, 2)
	ends := make(chan error, 1)
	small.OnMessage = func(c *lineman.Conn, msg []byte) { said <- c.Subprotocol() + " " + string(msg) }
	small.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	w := &lineman.Worker{
		Addr: "websocket://127.0.0.1:0", Protocol: &websocket.Protocol{Subprotocols: []string{"a", "b"}}, Logger: quiet,
	}
	w.OnMessage = func(c *lineman.Conn, _ []byte) {
		if err := c.SetWorker(small); err != nil {
			t.Error(err)
		}
	}
	s := linemantest.Start(t, w)
	conn := dial(t, s.Addr(w))
	c := linemantest.NewClient(t, conn, w)
	c.Write("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: b\r\n\r\n")
	if r, err := http.ReadResponse(c.Reader, nil); err != nil || r.StatusCode != 101 {
		t.Fatalf("%v, %v", r, err)
	}
	c.Send("this goes to the first")
	c.Send("1234")
	if got := next(t, said, "a message"); got != "b 1234" {
		t.Errorf("%q", got)
	}
	c.Send("12345")
	if err := next(t, ends, "OnClose"); err != lineman.ErrTooLarge {
		t.Errorf("a message above the new limit: %v", err)
	}
}

// TestSetWorkerRefused has a handshake that is refused end a connection of the worker that had it: the other one never
// heard of it.
func TestSetWorkerRefused(t *testing.T) {
	linemantest.NoLeaks(t)
	live := &lineman.Worker{Name: "live", Protocol: &websocket.Protocol{}, Logger: quiet}
	live.OnUpgrade = func(*lineman.Conn, *http1.Request) error { return errors.New("no") }
	live.OnClose = func(*lineman.Conn, error) { t.Error("OnClose without OnConnect") }
	ends := make(chan error, 1)
	onClose := func(_ *lineman.Conn, err error) { ends <- err }
	byRequest := &lineman.Worker{Addr: "http://127.0.0.1:0", Name: "request", Logger: quiet}
	byRequest.OnRequest = func(c *lineman.Conn, _ *http1.Request) { _ = c.SetWorker(live) }
	byRequest.OnClose = onClose
	byHandler := handled(func(w http.ResponseWriter, r *http.Request) { _ = lineman.Upgrade(w, r, live) })
	byHandler.OnClose = onClose
	s := linemantest.Start(t, byRequest, byHandler)
	for _, w := range []*lineman.Worker{byRequest, byHandler} {
		c := linemantest.NewClient(t, dial(t, s.Addr(w)), w)
		c.Write("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if r, err := http.ReadResponse(c.Reader, nil); err != nil || r.StatusCode != 403 {
			t.Fatalf("%v, %v", r, err)
		}
		c.Close()
		next(t, ends, "OnClose")
	}
}

// TestSetWorkerAddress has the addresses be the connection's, whoever has it.
func TestSetWorkerAddress(t *testing.T) {
	linemantest.NoLeaks(t)
	other := &lineman.Worker{Name: "other", Addr: "tcp://127.0.0.1:0", Logger: quiet}
	addrs := make(chan net.Addr, 2)
	w := &lineman.Worker{Addr: "unix://" + filepath.Join(t.TempDir(), "s"), Logger: quiet}
	w.OnConnect = func(c *lineman.Conn) {
		addrs <- c.RemoteAddr()
		if err := c.SetWorker(other); err != nil {
			t.Error(err)
		}
		addrs <- c.RemoteAddr()
	}
	s := linemantest.Start(t, w)
	s.Dial(w)
	for range 2 {
		if a := next(t, addrs, "an address"); a.Network() != "unix" {
			t.Errorf("the peer of a Unix socket is %v", a)
		}
	}
}

// TestSetWorkerTooLate has a connection that has ended, or is joined with another, stay where it is.
func TestSetWorkerTooLate(t *testing.T) {
	linemantest.NoLeaks(t)
	other := &lineman.Worker{Name: "other", Addr: "tcp://127.0.0.1:0", Logger: quiet}
	w := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Logger: quiet}
	conns, ends := make(chan *lineman.Conn, 3), make(chan error, 3)
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	w.OnClose = func(c *lineman.Conn, err error) {
		ends <- err
		if err := c.SetWorker(other); err != net.ErrClosed {
			t.Errorf("in OnClose: %v", err)
		}
	}
	s := linemantest.Start(t, w)
	first := s.Dial(w)
	a := next(t, conns, "the connection")
	first.Close()
	if err := next(t, ends, "OnClose"); err != io.EOF {
		t.Error(err)
	}
	s.Dial(w)
	b := next(t, conns, "the connection")
	s.Dial(w)
	c := next(t, conns, "the connection")
	s.Do(w, func(*lineman.Loop) {
		if err := a.SetWorker(other); err != net.ErrClosed {
			t.Errorf("closed: %v", err)
		}
		if err := lineman.Pipe(b, c); err != nil {
			t.Error(err)
		}
		if err := b.SetWorker(other); err == nil || !strings.Contains(err.Error(), "joined") {
			t.Errorf("joined: %v", err)
		}
	})
}
