package lineman_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// troubled dials a server that is away at first, then hangs up in the midst of handshakes, and is well after release.
type troubled struct {
	*dialed
	attempts atomic.Int32
	well     chan struct{} // closed when attempts may succeed
}

func newTroubled(good, bad net.Addr) *troubled {
	d := &troubled{dialed: newDialed(), well: make(chan struct{})}
	d.Backoff = lineman.Backoff{First: time.Millisecond, Most: 2 * time.Millisecond}
	d.OnClose = func(_ *lineman.Conn, err error) {
		select {
		case d.closes <- err:
		default: // nobody counts them any more
		}
	}
	d.Connect = func(ctx context.Context, network, _ string) (net.Conn, error) {
		to := bad
		switch n := d.attempts.Add(1); {
		case isClosed(d.well):
			to = good
		case n%2 == 1:
			return nil, errors.New("away")
		}
		return (&net.Dialer{}).DialContext(ctx, to.Network(), to.String())
	}
	return d
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// sendBetween sends over a connection that comes and goes: while an attempt ends there is none to send to.
func sendBetween(t *testing.T, s *linemantest.Server, w *lineman.Worker, c *lineman.Conn, msg string) {
	t.Helper()
	for until := time.Now().Add(patience); ; s.Do(w, func(*lineman.Loop) {}) {
		err := c.Send([]byte(msg))
		if err == nil {
			return
		}
		if err != net.ErrClosed || time.Now().After(until) {
			t.Fatal(err)
		}
	}
}

// TestDialKeeps has what Send accepts before there is a connection wait until there is one, however many attempts that
// takes.
func TestDialKeeps(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, scheme := range []string{"text", "frame", "text+unix", "tls", "ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			got := make(chan string, 64)
			w := &lineman.Worker{Name: "good", Addr: scheme + "://127.0.0.1:0", Logger: quiet}
			bad := &lineman.Worker{Name: "bad", Addr: "tcp://127.0.0.1:0", Logger: quiet}
			// in the midst of a handshake, if there is one
			bad.OnMessage = func(c *lineman.Conn, _ []byte) { c.Abort() }
			target := scheme + "://127.0.0.1:1"
			secured := scheme == "tls" || scheme == "wss"
			switch scheme {
			case "tls":
				w.Addr, target = "text://127.0.0.1:0", "text://127.0.0.1:1"
			case "ws", "wss":
				w.Addr = "websocket://127.0.0.1:0"
			case "text+unix":
				w.Addr, target = "text+unix://"+t.TempDir()+"/s", "text+unix:///s"
			}
			if secured {
				w.TLS = linemantest.TLS(t)
			}
			w.OnMessage = func(_ *lineman.Conn, msg []byte) { got <- string(msg) }
			s := linemantest.Start(t, w, bad)
			if !secured && scheme != "ws" { // without a handshake a connection that comes about is there
				bad = w
			}
			d := newTroubled(s.Addr(w), s.Addr(bad))
			if bad == w {
				d.Connect = func(ctx context.Context, _, _ string) (net.Conn, error) {
					if !isClosed(d.well) {
						return nil, errors.New("away")
					}
					return (&net.Dialer{}).DialContext(ctx, s.Addr(w).Network(), s.Addr(w).String())
				}
			}
			if secured {
				d.TLS = w.TLS
			}
			c := dialFrom(t, s, w, target, d.Dialer)
			var want []string
			for i := range 5 {
				want = append(want, fmt.Sprint("message ", i))
				sendBetween(t, s, w, c, want[i])
				if c.Connected() {
					t.Error("it says that it is connected")
				}
				next(t, d.closes, "the end of an attempt")
				next(t, d.closes, "the end of another one")
			}
			if c.Pending() < len(strings.Join(want, "")) {
				t.Errorf("%d bytes are pending", c.Pending())
			}
			close(d.well)
			next(t, d.connects, "OnConnect")
			if !c.Connected() {
				t.Error("it says that it is not connected")
			}
			if err := c.Send([]byte("last")); err != nil {
				t.Fatal(err)
			}
			for _, want := range append(want, "last") {
				if msg := next(t, got, want); msg != want {
					t.Errorf("got %q, want %q", msg, want)
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := c.Send([]byte("late")); err != net.ErrClosed || c.Connected() {
				t.Errorf("after Close: %v, connected: %v", err, c.Connected())
			}
		})
	}
}

// TestDialKeepsBounded has MaxPending hold over all attempts, and OnDrain come when it is written.
func TestDialKeepsBounded(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet}
	lines := make(chan string, 64)
	w.OnMessage = func(_ *lineman.Conn, msg []byte) { lines <- string(msg) }
	s := linemantest.Start(t, w)
	d := newTroubled(s.Addr(w), s.Addr(w))
	d.Connect = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if !isClosed(d.well) {
			return nil, errors.New("away")
		}
		return (&net.Dialer{}).DialContext(ctx, s.Addr(w).Network(), s.Addr(w).String())
	}
	d.Limits.MaxPending = 1000
	fulls, drains := make(chan bool, 64), make(chan bool, 64)
	d.OnFull = func(*lineman.Conn) { fulls <- true }
	d.OnDrain = func(*lineman.Conn) { drains <- true }
	c := dialFrom(t, s, w, "text://127.0.0.1:1", d.Dialer)
	for range 9 {
		sendBetween(t, s, w, c, strings.Repeat("x", 110))
		next(t, d.closes, "the end of an attempt")
	}
	sendBetween(t, s, w, c, "reaches the limit")
	next(t, fulls, "OnFull")
	for range 3 {
		if err := c.Send([]byte("one too many")); err != lineman.ErrFull && err != net.ErrClosed {
			t.Errorf("a full one said %v", err)
		}
		next(t, d.closes, "the end of an attempt")
	}
	close(d.well)
	for range 10 {
		if got := next(t, lines, "a line"); got == "one too many" {
			t.Error("what was refused was sent")
		}
	}
	next(t, drains, "OnDrain")
	if len(fulls) > 0 || len(drains) > 0 {
		t.Error("OnFull or OnDrain came twice")
	}
	_ = c.Close()
}

// TestDialGivesUp has Send and Context tell that there will be no connection any more, in the back-off and after the
// only attempt.
func TestDialGivesUp(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Name: "none", Logger: quiet}
	s := linemantest.Start(t, w)
	for name, backoff := range map[string]lineman.Backoff{
		"one attempt": {}, "closed in the back-off": {First: time.Hour},
	} {
		d := newDialed()
		d.Backoff = backoff
		d.Connect = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("away") }
		c := dialFrom(t, s, w, "text://127.0.0.1:1", d.Dialer)
		next(t, d.closes, "OnClose")
		s.Do(w, func(*lineman.Loop) {}) // OnClose has returned
		if backoff.First != 0 {
			if err := c.Send([]byte("kept")); err != nil || c.Pending() == 0 {
				t.Errorf("%s: %v, %d bytes are pending", name, err, c.Pending())
			}
			ctx := c.Context()
			if err := c.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			next(t, ctx.Done(), "the end of the context")
		}
		if err := c.Send([]byte("nobody")); err != net.ErrClosed || c.Connected() || c.Pending() != 0 {
			t.Errorf("%s: Send says %v, Connected %v, %d bytes are pending", name, err, c.Connected(), c.Pending())
		}
		next(t, c.Context().Done(), "the end of the context")
		if c.Do(func() { t.Error("Do ran") }) {
			t.Errorf("%s: Do says true", name)
		}
	}
}

// TestDialBreaks has what was accepted for a connection that breaks end with it: the next one begins afresh.
func TestDialBreaks(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet}
	lines := make(chan string, 64)
	conns := make(chan *lineman.Conn, 4)
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	w.OnMessage = func(_ *lineman.Conn, msg []byte) { lines <- string(msg) }
	s := linemantest.Start(t, w)
	d := newDialed()
	d.Backoff = lineman.Backoff{First: time.Millisecond, Most: 2 * time.Millisecond}
	closing := make(chan string, 1)
	d.OnClose = func(c *lineman.Conn, _ error) {
		closing <- fmt.Sprint(c.Send([]byte("between")), c.Connected(), c.Pending())
	}
	c := dialFrom(t, s, w, "text://"+s.Addr(w).String(), d.Dialer)
	server := next(t, conns, "the connection")
	next(t, d.connects, "OnConnect")
	s.Do(w, func(*lineman.Loop) { server.Pause() })
	line := []byte(strings.Repeat("x", 100_000))
	var err error
	for err == nil {
		err = c.Send(line)
	}
	if err != lineman.ErrFull {
		t.Fatal(err)
	}
	server.Abort()
	if got, want := next(t, closing, "OnClose"), fmt.Sprint(net.ErrClosed, false, 0); got != want {
		t.Errorf("in OnClose: %s, want %s", got, want)
	}
	next(t, d.connects, "OnConnect again")
	if err := c.Send([]byte("afresh")); err != nil {
		t.Error(err)
	}
	if got := next(t, lines, "a line"); got != "afresh" {
		t.Errorf("the next connection began with %.20q", got)
	}
	_ = c.Close()
	next(t, closing, "the last OnClose")
}
