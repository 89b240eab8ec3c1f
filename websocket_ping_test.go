package lineman_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestRoundTrip measures the round trip of a ping by its own pong, and tells of all pongs.
func TestRoundTrip(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, tls := range []bool{false, true} {
		conns, pongs := make(chan *lineman.Conn, 1), make(chan string, 8)
		w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: quiet}
		w.Protocol = &websocket.Protocol{
			PingInterval: 30 * second, PongTimeout: 60 * second, Compression: &websocket.Compression{},
		}
		if tls {
			w.TLS = linemantest.TLS(t)
		}
		w.OnConnect = func(c *lineman.Conn) { conns <- c }
		w.OnPong = func(_ *lineman.Conn, payload []byte) { pongs <- string(payload) }
		s, clock := startByClock(t, w)
		client := s.Dial(w)
		c := next(t, conns, "the connection")
		asked := func(want string) {
			t.Helper()
			if op, payload := client.NextFrame(); op != websocket.Ping || payload != want {
				t.Fatalf("the client got %v with %q, want a ping with %q", op, payload, want)
			}
		}
		answer := func(payload string) {
			t.Helper()
			client.Frame(true, websocket.Pong, payload)
			if got := next(t, pongs, "OnPong"); got != payload {
				t.Errorf("OnPong got %q, want %q", got, payload)
			}
		}
		answer("nobody asked")
		if got := c.Stats().RoundTrip; got != 0 {
			t.Errorf("before any ping the round trip took %v", got)
		}
		longest := strings.Repeat("x", 125)
		payload := []byte(longest)
		if err := c.Ping(payload); err != nil {
			t.Fatal(err)
		}
		copy(payload, "what is the caller's again")
		asked(longest)
		clock.jump(s, w, 3*second)
		answer("another")
		if got := c.Stats().RoundTrip; got != 0 {
			t.Errorf("by another pong the round trip took %v", got)
		}
		answer(longest)
		first := c.Stats().RoundTrip
		if first < 3*second || first > 3*second+patience {
			t.Errorf("the round trip took %v, want 3 s and a little", first)
		}
		answer(longest)
		if got := c.Stats().RoundTrip; got != first {
			t.Errorf("a second pong made it %v", got)
		}
		if err := c.Ping(nil); err != nil {
			t.Fatal(err)
		}
		asked("")
		answer("")
		if got := c.Stats().RoundTrip; got <= 0 || got >= 3*second {
			t.Errorf("without a payload it took %v", got)
		}
		clock.jump(s, w, 31*second)
		asked("") // the protocol's own
		answer("")
		if got := c.Stats(); got.RoundTrip >= 3*second || got.MessagesOut != 0 || got.MessagesIn != 0 {
			t.Errorf("after a ping of the protocol's own: %+v", got)
		}
		client.Send("alive")
		client.Goodbye(websocket.Normal, "")
	}
}

// TestPingInterval has a connection pinged again in time, though its pong might have come later.
func TestPingInterval(t *testing.T) {
	linemantest.NoLeaks(t)
	pongs := make(chan string, 1)
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: quiet}
	w.Protocol = &websocket.Protocol{PingInterval: 3 * second, PongTimeout: 60 * second}
	w.OnPong = func(_ *lineman.Conn, payload []byte) { pongs <- string(payload) }
	s, clock := startByClock(t, w)
	client := s.Dial(w)
	for range 3 {
		clock.jump(s, w, 4*second)
		if op, _ := client.NextFrame(); op != websocket.Ping {
			t.Fatalf("the client got %v, want a ping", op)
		}
		client.Frame(true, websocket.Pong, "")
		next(t, pongs, "OnPong")
	}
	client.Goodbye(websocket.Normal, "")
}

// TestPingDialed has both sides of a WebSocket ask each other.
func TestPingDialed(t *testing.T) {
	linemantest.NoLeaks(t)
	conns, pongs := make(chan *lineman.Conn, 1), make(chan string, 2)
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: quiet}
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	w.OnPong = func(_ *lineman.Conn, payload []byte) { pongs <- string(payload) }
	s := linemantest.Start(t, w)
	d := newDialed()
	d.OnPong = w.OnPong
	c := dialFrom(t, s, w, "ws://"+s.Addr(w).String(), d.Dialer)
	next(t, d.connects, "OnConnect")
	for _, side := range []*lineman.Conn{c, next(t, conns, "the other side")} {
		if err := side.Ping([]byte("are you there")); err != nil {
			t.Fatal(err)
		}
		if got := next(t, pongs, "OnPong"); got != "are you there" || side.Stats().RoundTrip <= 0 {
			t.Errorf("got %q after %v", got, side.Stats().RoundTrip)
		}
	}
	_ = c.Close()
	next(t, d.closes, "OnClose")
}

// TestPingErrors has Ping say why it does not ask.
func TestPingErrors(t *testing.T) {
	linemantest.NoLeaks(t)
	conns := make(chan *lineman.Conn, 4)
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Name: "ws", Logger: quiet}
	w.Limits.MaxPending = 1000
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	lines := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "lines", Logger: quiet}
	lines.OnConnect = w.OnConnect
	s := linemantest.Start(t, w, lines)
	client := s.Dial(w)
	c := next(t, conns, "the connection")
	if err := c.Ping(make([]byte, 126)); err == nil || !strings.Contains(err.Error(), "125") {
		t.Errorf("126 bytes: %v", err)
	}
	for err := error(nil); err != lineman.ErrFull; {
		if err = c.Ping(make([]byte, 125)); err != nil && err != lineman.ErrFull {
			t.Fatal(err)
		}
	}
	s.Dial(lines)
	if err := next(t, conns, "a connection of lines").Ping(nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("over lines: %v", err)
	}
	d := newDialed()
	d.Connect = nil
	absent := dialFrom(t, s, lines, "ws://"+refusing(t), d.Dialer)
	if err := absent.Ping(nil); !errors.Is(err, errors.ErrUnsupported) && err != net.ErrClosed {
		t.Errorf("before it is there: %v", err)
	}
	next(t, d.closes, "OnClose")
	client.Close()
	next(t, c.Context().Done(), "the end of the connection")
	if err := c.Ping(nil); err != net.ErrClosed {
		t.Errorf("closed: %v", err)
	}
}
