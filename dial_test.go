package lineman_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// dialed is what happens on a connection that this side opens.
type dialed struct {
	lineman.Dialer
	connects chan *lineman.Conn
	messages chan string
	closes   chan error
}

func newDialed() *dialed {
	d := &dialed{
		connects: make(chan *lineman.Conn, 16), messages: make(chan string, 1024), closes: make(chan error, 16),
	}
	d.Logger = quiet
	d.OnConnect = func(c *lineman.Conn) { d.connects <- c }
	d.OnMessage = func(_ *lineman.Conn, msg []byte) { d.messages <- string(msg) }
	d.OnClose = func(_ *lineman.Conn, err error) { d.closes <- err }
	return d
}

// dialFrom dials on the loop of w.
func dialFrom(t *testing.T, s *linemantest.Server, w *lineman.Worker, addr string, d lineman.Dialer) (c *lineman.Conn) {
	t.Helper()
	var err error
	s.Do(w, func(l *lineman.Loop) { c, err = l.Dial(addr, d) })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDial echoes over every protocol that is dialed, from the loop that serves it; what is sent before the connection
// is there comes first.
func TestDial(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, scheme := range []string{"text", "frame", "tcp", "text+unix", "tls"} {
		t.Run(scheme, func(t *testing.T) {
			w := &lineman.Worker{Addr: scheme + "://127.0.0.1:0", Logger: quiet}
			d := newDialed()
			dialScheme := scheme
			switch scheme {
			case "text+unix":
				w.Addr = scheme + "://" + filepath.Join(t.TempDir(), "s")
			case "tls":
				dialScheme, w.Addr, w.TLS = "text", "text://127.0.0.1:0", linemantest.TLS(t)
				d.TLS = w.TLS
			}
			w.OnMessage = echo
			s := linemantest.Start(t, w)
			c := dialFrom(t, s, w, dialScheme+"://"+s.Addr(w).String(), d.Dialer)
			if err := c.Send([]byte("early")); err != nil {
				t.Fatal(err)
			}
			if got := next(t, d.connects, "OnConnect"); got != c {
				t.Error("OnConnect has another Conn")
			}
			if scheme != "tcp" {
				if got := next(t, d.messages, "the echo"); got != "early" {
					t.Errorf("got %q", got)
				}
			}
			for _, size := range []int{1, 1000, 100_000} {
				msg := strings.Repeat("x", size)
				if err := c.Send([]byte(msg)); err != nil {
					t.Fatal(err)
				}
				got := next(t, d.messages, "the echo")
				for scheme == "tcp" && len(strings.TrimPrefix(got, "early")) < size {
					got += next(t, d.messages, "more of the echo")
				}
				if strings.TrimPrefix(got, "early") != msg {
					t.Fatalf("%d bytes came back as %d", size, len(got))
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := next(t, d.closes, "OnClose"); err != nil {
				t.Errorf("OnClose: %v", err)
			}
		})
	}
}

// refusing is an address that nobody listens on.
func refusing(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// deadNameServer takes questions and never answers.
func deadNameServer(t *testing.T) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // guards the following
	var asked []net.Conn
	over := false
	t.Cleanup(func() { // package net goes on asking after nobody waits any more
		mu.Lock()
		defer mu.Unlock()
		over = true
		for _, c := range asked {
			c.Close()
		}
		server.Close()
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return nil, net.ErrClosed
		}
		c, err := (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
		if err == nil {
			asked = append(asked, c)
		}
		return c, err
	}}
}

// TestDialFails has every way of not coming about end in OnClose.
func TestDialFails(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Name: "none", Logger: quiet}
	plain := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Logger: quiet}
	s := linemantest.Start(t, w, plain)
	d := newDialed()
	dialFrom(t, s, w, "text://"+refusing(t), d.Dialer)
	if err := next(t, d.closes, "OnClose"); !errors.Is(err, syscall.ECONNREFUSED) ||
		!strings.Contains(err.Error(), "dial 127.0.0.1") {
		t.Errorf("refused: %v", err)
	}
	dialFrom(t, s, w, "unix://"+filepath.Join(t.TempDir(), "none"), d.Dialer)
	if err := next(t, d.closes, "OnClose"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no such file: %v", err)
	}
	d.Connect = (&net.Dialer{Resolver: deadNameServer(t)}).DialContext
	d.Limits.Handshake = 50 * time.Millisecond
	dialFrom(t, s, w, "text://example.com:1", d.Dialer)
	var timeout net.Error
	if err := next(t, d.closes, "OnClose"); !errors.As(err, &timeout) || !timeout.Timeout() ||
		!strings.Contains(err.Error(), "example.com:1") {
		t.Errorf("a dead name server: %v", err)
	}
	d.Limits.Handshake = 0
	c := dialFrom(t, s, w, "text://example.com:1", d.Dialer)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := next(t, d.closes, "OnClose"); err != nil {
		t.Errorf("closed before it was there: %v", err)
	}
	if err := c.Send(nil); err != net.ErrClosed {
		t.Errorf("after that Send says %v", err)
	}
	dialFrom(t, s, w, "text://example.com:1", d.Dialer)                               // under way when the loop stops
	d.Connect = func(ctx context.Context, network, target string) (net.Conn, error) { // however long that takes
		return (&net.Dialer{}).DialContext(context.WithoutCancel(ctx), network, target)
	}
	d.TLS = linemantest.TLS(t)
	d.Limits.Handshake = 100 * time.Millisecond
	dialFrom(t, s, w, "text://"+s.Addr(plain).String(), d.Dialer) // a server that says nothing
	if err := next(t, d.closes, "OnClose"); err != lineman.ErrTimeout {
		t.Errorf("a silent TLS server: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if err := next(t, d.closes, "OnClose at the end"); err != nil {
		t.Errorf("the loop stops: %v", err)
	}
}

func TestDialArguments(t *testing.T) {
	w := &lineman.Worker{Name: "none"}
	s := linemantest.Start(t, w)
	for addr, want := range map[string]string{
		"nonsense":                "scheme://host:port",
		"http://127.0.0.1:80":     "net/http",
		"websocket://127.0.0.1:1": "ws://",
		"text://127.0.0.1":        "host:port",
		"gopher://127.0.0.1:1":    "unknown scheme",
	} {
		s.Do(w, func(l *lineman.Loop) {
			if _, err := l.Dial(addr, lineman.Dialer{}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", addr, err)
			}
		})
	}
}

// TestDialOptions has what cannot be dialed refused at once.
func TestDialOptions(t *testing.T) {
	w := &lineman.Worker{Name: "none"}
	s := linemantest.Start(t, w)
	header := lineman.Dialer{Header: []http1.Field{http1.Field{Name: "Upgrade", Value: "x"}}}
	for _, tt := range []struct {
		addr string
		d    lineman.Dialer
		want string
	}{
		{"ws:///path", lineman.Dialer{}, "no host"},
		{"ws://user:secret@127.0.0.1/", lineman.Dialer{}, "Authorization"},
		{"wss://127.0.0.1/#x", lineman.Dialer{}, "fragment"},
		{"ws://b\u00fccher.example/", lineman.Dialer{}, "host"},
		{"ws://127.0.0.1/", lineman.Dialer{Protocol: linesBackwards{}}, "*websocket.Protocol"},
		{"ws://127.0.0.1/", lineman.Dialer{Protocol: &websocket.Protocol{Subprotocols: []string{"a b"}}},
			"subprotocol"},
		{"ws://127.0.0.1/", header, "handshake's own"},
		{"text://127.0.0.1:1", header, "Header is for ws"},
		{"tcp://127.0.0.1:1", lineman.Dialer{Protocol: &websocket.Protocol{}}, "ws://"},
		{"udp://127.0.0.1:1", lineman.Dialer{TLS: linemantest.TLS(t)}, "TLS is for streams"},
	} {
		s.Do(w, func(l *lineman.Loop) {
			_, err := l.Dial(tt.addr, tt.d)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v, want %q", tt.addr, err, tt.want)
			}
		})
	}
}

// TestDialBackoffTLS has an attempt go on though the handshake of the one before it ends late.
func TestDialBackoffTLS(t *testing.T) {
	linemantest.NoLeaks(t)
	silent := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Logger: quiet}
	s := linemantest.Start(t, silent)
	d := newDialed()
	d.TLS = linemantest.TLS(t)
	d.Backoff = lineman.Backoff{First: time.Nanosecond, Most: time.Nanosecond}
	d.Limits.Handshake = 10 * time.Millisecond
	d.Connect = func(ctx context.Context, network, address string) (net.Conn, error) { // timeOut is not never
		return (&net.Dialer{}).DialContext(context.WithoutCancel(ctx), network, address)
	}
	c := dialFrom(t, s, silent, "text://"+s.Addr(silent).String(), d.Dialer)
	for range 5 {
		if err := next(t, d.closes, "OnClose"); err != lineman.ErrTimeout {
			t.Errorf("OnClose: %v", err)
		}
	}
	_ = c.Close()
}

// TestDialUntrusted has a server that is not trusted told at once, though something waits to be sent.
func TestDialUntrusted(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", TLS: linemantest.TLS(t), Logger: quiet}
	w.Limits.Close, w.Limits.Shutdown = time.Hour, time.Hour // the server's side ends by itself too
	s := linemantest.Start(t, w)
	d := newDialed()
	d.TLS = &tls.Config{}
	d.Limits.Close = time.Hour
	c := dialFrom(t, s, w, "text://"+s.Addr(w).String(), d.Dialer)
	_ = c.Send([]byte("early"))
	var untrusted x509.UnknownAuthorityError
	if err := next(t, d.closes, "OnClose"); !errors.As(err, &untrusted) {
		t.Errorf("OnClose: %v", err)
	}
}

// TestDialBackoff has a connection come back, the same Conn, until it is closed.
func TestDialBackoff(t *testing.T) {
	linemantest.NoLeaks(t)
	addr := refusing(t)
	w := &lineman.Worker{Addr: "text://" + addr, Logger: quiet}
	var served atomic.Int32
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		if served.Add(1); string(msg) == "hang up" {
			c.Abort()
			return
		}
		echo(c, msg)
	}
	home := &lineman.Worker{Name: "home"}
	h := linemantest.Start(t, home)
	d := newDialed()
	d.Backoff = lineman.Backoff{First: time.Millisecond, Most: 10 * time.Millisecond}
	c := dialFrom(t, h, home, "text://"+addr, d.Dialer)
	id := c.ID()
	h.Do(home, func(*lineman.Loop) { c.SetValue("mine") })
	for range 3 {
		if err := next(t, d.closes, "OnClose"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody listens: %v", err)
		}
	}
	s := linemantest.Start(t, w)
	for round := range 3 {
		if got := next(t, d.connects, "OnConnect"); got != c || c.ID() != id {
			t.Fatal("it is another connection")
		}
		if err := c.Send(fmt.Append(nil, "round ", round)); err != nil {
			t.Fatal(err)
		}
		if got := next(t, d.messages, "the echo"); got != fmt.Sprint("round ", round) {
			t.Errorf("got %q", got)
		}
		if err := c.Send([]byte("hang up")); err != nil {
			t.Fatal(err)
		}
		for {
			err := next(t, d.closes, "OnClose")
			if errors.Is(err, syscall.ECONNRESET) || err == io.EOF {
				break
			}
		}
	}
	next(t, d.connects, "OnConnect")
	h.Do(home, func(*lineman.Loop) {
		if c.Value() != "mine" {
			t.Errorf("the value is %v", c.Value())
		}
	})
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := next(t, d.closes, "OnClose"); err != nil {
		t.Errorf("closed: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	select {
	case <-d.connects:
		t.Error("it came back after Close")
	default:
	}
}
