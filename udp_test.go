package lineman_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestDialDatagrams echoes over datagrams, whose bounds hold, also of those that are sent before there is a socket.
func TestDialDatagrams(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, scheme := range []string{"udp", "text+udp", "frame+udp"} {
		t.Run(scheme, func(t *testing.T) {
			w := &lineman.Worker{
				Addr: scheme + "://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}, Logger: quiet,
			}
			s := linemantest.Start(t, w)
			addr := s.Addr(w).String()
			d := newDialed()
			c := dialFrom(t, s, w, scheme+"://"+addr, d.Dialer)
			want := []string{"early", "", "again", strings.Repeat("x", 60_000)}
			for _, msg := range want {
				if err := c.Send([]byte(msg)); err != nil {
					t.Fatal(err)
				}
			}
			if got := next(t, d.connects, "OnConnect"); got != c || c.RemoteAddr().String() != addr ||
				c.RemoteAddr().Network() != "udp" {
				t.Errorf("the peer is %v", c.RemoteAddr())
			}
			if a, ok := c.LocalAddr().(*net.UDPAddr); !ok || a.Port == 0 {
				t.Errorf("the local address is %v", c.LocalAddr())
			}
			for i, msg := range want {
				if got := next(t, d.messages, "the echo"); got != msg {
					t.Errorf("message %d is %.20q, want %.20q", i, got, msg)
				}
			}
			s.Do(w, func(l *lineman.Loop) {
				if n := l.Broadcast(slices.Values([]*lineman.Conn{c, c}), []byte("to all")); n != 2 {
					t.Errorf("reached %d", n)
				}
				if err := c.SetWorker(w); err == nil {
					t.Error("SetWorker of a connection of datagrams")
				}
			})
			if a, b := next(t, d.messages, "the echo"), next(t, d.messages, "the echo"); a != "to all" ||
				b != "to all" {
				t.Errorf("got %q, %q", a, b)
			}
			if stats := c.Stats(); stats.Pending != 0 || stats.MessagesOut != 6 || stats.BytesOut < 60_000 {
				t.Errorf("%+v", stats)
			}
			_ = c.Send([]byte("last"))
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := next(t, d.closes, "OnClose"); err != nil {
				t.Errorf("OnClose: %v", err)
			}
			if err := c.Send([]byte("x")); err != net.ErrClosed {
				t.Errorf("after that Send says %v", err)
			}
		})
	}
}

// TestDialDatagramsPeer has whole datagrams of the peer alone taken, each by itself.
func TestDialDatagramsPeer(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Name: "none", Logger: quiet}
	s := linemantest.Start(t, w)
	peer := listenPacket(t)
	d := newDialed()
	c := dialFrom(t, s, w, "text+udp://"+peer.LocalAddr().String(), d.Dialer)
	next(t, d.connects, "OnConnect")
	send := func(from net.PacketConn, data string) {
		t.Helper()
		if _, err := from.WriteTo([]byte(data), c.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	send(listenPacket(t), "stranger\n")
	send(peer, "one\ntwo\nhalf")
	send(peer, "three\n")
	for _, want := range []string{"one", "two", "three"} {
		if got := next(t, d.messages, "a line"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	s.Do(w, func(*lineman.Loop) { c.Pause() })
	send(peer, "later\n")
	s.Do(w, func(*lineman.Loop) {})
	select {
	case got := <-d.messages:
		t.Errorf("got %q while paused", got)
	default:
	}
	s.Do(w, func(*lineman.Loop) { c.Resume() })
	if got := next(t, d.messages, "a line"); got != "later" {
		t.Errorf("got %q", got)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if err := next(t, d.closes, "OnClose"); err != nil {
		t.Errorf("the loop stops: %v", err)
	}
}

// listenPacket is a datagram socket of the test's own.
func listenPacket(t *testing.T) net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	return pc
}

// TestDialDatagramsUndelivered has it told when nobody takes datagrams, or they are too long: the connection goes on,
// or ends and comes back.
func TestDialDatagramsUndelivered(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Name: "none", Logger: quiet}
	s := linemantest.Start(t, w)
	gone := listenPacket(t)
	addr := "udp://" + gone.LocalAddr().String()
	gone.Close()
	d := newDialed()
	told := make(chan error, 16)
	d.OnInvalid = func(_ *lineman.Conn, err error) { told <- err }
	c := dialFrom(t, s, w, addr, d.Dialer)
	next(t, d.connects, "OnConnect")
	for range 3 {
		_ = c.Send([]byte("hello?"))
		if err := next(t, told, "the refusal"); !errors.Is(err, syscall.ECONNREFUSED) ||
			!strings.Contains(err.Error(), "dial 127.0.0.1:") {
			t.Errorf("nobody is there: %v", err)
		}
	}
	_ = c.Send(make([]byte, 70_000))
	if err := next(t, told, "the refusal"); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("a long datagram: %v", err)
	}
	c.Abort()
	if err := next(t, d.closes, "OnClose"); err != nil {
		t.Errorf("OnClose: %v", err)
	}

	d = newDialed()
	d.Backoff = lineman.Backoff{First: time.Millisecond}
	c = dialFrom(t, s, w, addr, d.Dialer)
	for range 2 {
		next(t, d.connects, "OnConnect")
		_ = c.Send([]byte("hello?"))
		if err := next(t, d.closes, "OnClose"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody is there: %v", err)
		}
	}
	_ = c.Close()
}

// TestDialDatagramsLimits has an idle connection end, and a panic end only its own.
func TestDialDatagramsLimits(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Addr: "udp://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}, Logger: quiet}
	s, clock := startByClock(t, w)
	d := newDialed()
	d.Limits.Idle = 10 * second
	dialFrom(t, s, w, "udp://"+s.Addr(w).String(), d.Dialer)
	next(t, d.connects, "OnConnect")
	clock.jump(s, w, 11*second)
	if err := next(t, d.closes, "OnClose"); err != lineman.ErrIdle {
		t.Errorf("idle: %v", err)
	}
	d.OnMessage = func(*lineman.Conn, []byte) { panic("no") }
	c := dialFrom(t, s, w, "udp://"+s.Addr(w).String(), d.Dialer)
	_ = c.Send([]byte("x"))
	if err := next(t, d.closes, "OnClose"); err != lineman.ErrPanic {
		t.Errorf("a panic: %v", err)
	}
	d.Limits.MaxPending = 100
	full, drained := make(chan struct{}, 1), make(chan struct{}, 1)
	d.OnFull = func(*lineman.Conn) { full <- struct{}{} }
	d.OnDrain = func(*lineman.Conn) { drained <- struct{}{} }
	there := make(chan struct{})
	d.Connect = func(ctx context.Context, network, address string) (net.Conn, error) {
		<-there
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	c = dialFrom(t, s, w, "udp://"+s.Addr(w).String(), d.Dialer)
	for range 100 {
		if err := c.Send(nil); err != nil { // an empty one counts too
			t.Fatal(err)
		}
	}
	if err := c.Send(nil); err != lineman.ErrFull {
		t.Errorf("above MaxPending: %v", err)
	}
	next(t, full, "OnFull")
	close(there)
	next(t, drained, "OnDrain")
	c.Abort()
	next(t, d.closes, "OnClose")
}

// TestDatagramDestination has a worker that listens on all addresses answer from the one that it was asked at, which
// LocalAddr tells: a client that is connected to that gets no other answer.
func TestDatagramDestination(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no other system is asked")
	}
	for _, addr := range []string{"udp://0.0.0.0:0", "udp://[::]:0", "text+udp://:0", "udp://127.0.0.2:0"} {
		w := &lineman.Worker{Addr: addr}
		w.OnMessage = func(c *lineman.Conn, msg []byte) {
			_ = c.Send(fmt.Appendf(nil, "%s at %s", msg, c.LocalAddr()))
			_, _ = c.Write([]byte("and again"))
		}
		s := linemantest.Start(t, w)
		_, port, _ := net.SplitHostPort(s.Addr(w).String())
		hosts := []string{"127.0.0.1", "127.0.0.2", "127.0.0.1", "::1"}
		switch addr {
		case "udp://127.0.0.2:0":
			hosts = hosts[1:2]
		case "udp://0.0.0.0:0":
			hosts = hosts[:3]
		}
		for _, host := range hosts {
			at := net.JoinHostPort(host, port)
			c, err := net.Dial("udp", at)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			if _, err := c.Write([]byte("asked\n")); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 100)
			for _, want := range []string{"asked at " + at, "and again"} {
				n, err := c.Read(b)
				if got := strings.ReplaceAll(string(b[:n]), "\n", ""); got != want {
					t.Errorf("%s: got %q, %v, want %q", addr, got, err, want)
				}
			}
		}
	}
}

// TestDatagramClose has a callback close the Conn of a datagram in every way: the worker's socket takes the next one.
func TestDatagramClose(t *testing.T) {
	w := &lineman.Worker{Addr: "udp://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		_ = c.Send(msg)
		_ = c.Close()
		c.Abort()
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	for range 3 {
		c.Send("word")
		if got := c.Receive(); got != "word" {
			t.Fatalf("got %q", got)
		}
	}
}
