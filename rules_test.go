package lineman_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// Each rule of DESIGN.md has its test here.

func TestRule01OneLoop(t *testing.T) {
	// Two listeners, timers and Do share plain variables; -race would tell. Nothing nests.
	depth, calls := 0, 0
	var order []string
	enter := func() func() {
		depth++
		calls++
		if depth != 1 {
			t.Errorf("a callback ran inside another one")
		}
		return func() { depth-- }
	}
	ended := make(chan struct{})
	inner := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Name: "inner"}
	outer := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "outer"}
	for _, w := range []*lineman.Worker{inner, outer} {
		w.OnConnect = func(*lineman.Conn) { defer enter()() }
		w.OnMessage = func(c *lineman.Conn, msg []byte) {
			defer enter()()
			if string(msg) == "close" {
				c.Close()
				c.Loop().Do(func() { defer enter()() })
				order = append(order, "after Close")
				return
			}
			echo(c, msg)
		}
		w.OnClose = func(*lineman.Conn, error) {
			defer enter()()
			order = append(order, "OnClose")
			close(ended)
		}
	}
	outer.OnStart = func(l *lineman.Loop) error {
		l.Every(time.Millisecond, func() { defer enter()() })
		_, err := l.Listen(inner)
		return err
	}
	s := linemantest.Start(t, outer)
	a, b := s.Dial(outer), s.Dial(inner)
	for range 100 {
		a.Send("x")
		b.Send("y")
		if got := a.Receive() + b.Receive(); got != "xy" {
			t.Fatalf("got %q", got)
		}
	}
	a.Send("close")
	if err := a.Ended(); err != nil {
		t.Fatal(err)
	}
	a.Close()
	next(t, ended, "OnClose")
	s.Do(outer, func(*lineman.Loop) {
		if got := strings.Join(order, ", "); got != "after Close, OnClose" {
			t.Errorf("order was %s", got)
		}
		if calls < 203 {
			t.Errorf("only %d callbacks ran", calls)
		}
		inner.OnClose, outer.OnClose = nil, nil
	})
}

func TestRule02ListenOnRunningLoop(t *testing.T) {
	// The inner worker shares the outer's connections, has no OnStart and no Count, closes and listens again.
	inner := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "inner", Count: 4}
	inner.OnStart = func(*lineman.Loop) error {
		t.Error("OnStart of the inner worker was called")
		return nil
	}
	outer := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "outer"}
	inner.OnMessage = func(c *lineman.Conn, msg []byte) {
		n := c.Loop().Broadcast(c.Loop().Conns(outer), msg)
		_ = c.Send(fmt.Append(nil, n))
	}
	s := linemantest.Start(t, outer)
	s.Do(outer, func(l *lineman.Loop) {
		if _, err := l.Listen(inner); err != nil {
			t.Error(err)
		}
	})
	page, backend := s.Dial(outer), s.Dial(inner)
	linemantest.Until(t, "the page is not there", func() bool { return openConns(s, outer) == 1 })
	say := func(msg string) {
		t.Helper()
		backend.Send(msg)
		if got := page.Receive(); got != msg {
			t.Errorf("got %q, want %q", got, msg)
		}
		if got := backend.Receive(); got != "1" {
			t.Errorf("reached %s connections, want 1", got)
		}
	}
	say("first")
	s.Do(outer, func(l *lineman.Loop) { l.Listener(inner).Close() })
	say("the listener is closed, its connection lives")
	s.Do(outer, func(l *lineman.Loop) {
		if l.Listener(inner).Addr() != nil {
			t.Error("a closed listener has an address")
		}
		if _, err := l.Listen(inner); err != nil {
			t.Error(err)
		}
	})
	backend = s.Dial(inner)
	say("it listens again")
}

func TestRule03WorkersShareNothing(t *testing.T) {
	// Each worker of Run has a loop, and so a world, of its own.
	loops := make(chan *lineman.Loop, 2)
	worker := func(name string) *lineman.Worker {
		w := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: name}
		w.OnStart = func(l *lineman.Loop) error {
			loops <- l
			return nil
		}
		w.OnMessage = func(c *lineman.Conn, _ []byte) {
			n := 0
			for range c.Loop().Conns(w) {
				n++
			}
			_ = c.Send(fmt.Append(nil, n))
		}
		return w
	}
	a, b := worker("a"), worker("b")
	s := linemantest.Start(t, a, b)
	if one, two := <-loops, <-loops; one == two {
		t.Fatal("two workers share a loop")
	}
	s.Dial(a).Send("x")
	c := s.Dial(b)
	c.Send("x")
	if got := c.Receive(); got != "1" {
		t.Errorf("b sees %s connections, want its own", got)
	}
	for _, w := range []*lineman.Worker{a, b} {
		s.Do(w, func(l *lineman.Loop) {
			other := a
			if w == a {
				other = b
			}
			if l.Listener(other) != nil {
				t.Errorf("the loop of %s knows %s", w.Name, other.Name)
			}
		})
	}
	err := lineman.Run(context.Background(), &lineman.Worker{Addr: "tcp://127.0.0.1:0", Count: 2})
	if err == nil || !strings.Contains(err.Error(), "Count") {
		t.Errorf("Run with Count 2: %v", err)
	}
}

func TestRule04AnyGoroutine(t *testing.T) {
	// A hundred goroutines send to one connection: nothing is lost, doubled or mixed, and each one's order holds.
	const senders, each = 100, 200
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Limits: lineman.Limits{MaxPending: 64 << 20}}
	w.OnConnect = func(c *lineman.Conn) {
		for i := range senders {
			go func() {
				for j := range each {
					if err := c.Send(fmt.Appendf(nil, "%d %d %s", i, j, strings.Repeat("x", j%37*11))); err != nil {
						t.Errorf("sender %d, message %d: %v", i, j, err)
						return
					}
					_, _, _ = c.Pending(), c.ID(), c.Stats()
					_, _ = c.RemoteAddr(), c.LocalAddr()
				}
			}()
		}
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	var want [senders]int
	for range senders * each {
		var i, j int
		msg := c.Receive()
		if _, err := fmt.Sscanf(msg, "%d %d", &i, &j); err != nil {
			t.Fatalf("message %q: %v", msg, err)
		}
		if want[i] != j || !strings.HasSuffix(msg, " "+strings.Repeat("x", j%37*11)) {
			t.Fatalf("sender %d: got message %d, want %d: %q", i, j, want[i], msg)
		}
		want[i]++
	}
}

func TestRule04SendAnswers(t *testing.T) {
	// What Send returns, and that it copies.
	conns := make(chan *lineman.Conn, 1)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	s := linemantest.Start(t, w)
	client := s.Dial(w)
	c := next(t, conns, "the connection")
	buf := []byte("mine")
	if err := c.Send(buf); err != nil {
		t.Fatal(err)
	}
	copy(buf, "gone")
	if got := client.Receive(); got != "mine" {
		t.Errorf("Send kept the caller's bytes: %q", got)
	}
	c.Close()
	if err := c.Send(buf); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Send after Close: %v", err)
	}
	if err := client.Ended(); err != nil {
		t.Error(err)
	}
	client.Close()
	next(t, c.Context().Done(), "the end of the connection")
	if c.Do(func() { t.Error("Do ran on a closed connection") }) {
		t.Error("Do on a closed connection returned true")
	}
}

func TestRule05OnLoan(t *testing.T) {
	// The bytes of a message are the loop's: the next message lies in the same memory.
	var kept []byte
	var datagrams []*lineman.Conn
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		if kept == nil {
			kept = msg
		}
		echo(c, msg)
	}
	u := &lineman.Worker{Addr: "udp://127.0.0.1:0"}
	u.OnConnect = func(*lineman.Conn) { t.Error("OnConnect of a datagram") }
	u.OnClose = func(*lineman.Conn, error) { t.Error("OnClose of a datagram") }
	u.OnMessage = func(c *lineman.Conn, msg []byte) {
		datagrams = append(datagrams, c)
		_ = c.Send(fmt.Appendf(nil, "%d %s %s", c.ID(), c.RemoteAddr(), msg))
	}
	w.OnStart = func(l *lineman.Loop) error {
		_, err := l.Listen(u)
		return err
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	for _, msg := range []string{"first", "other"} {
		c.Send(msg)
		c.Receive()
	}
	a, b := s.Dial(u), s.Dial(u)
	a.Send("a")
	fromA := a.Receive()
	b.Send("b")
	fromB := b.Receive()
	for got, want := range map[string]string{
		fromA: a.Conn.LocalAddr().String() + " a", fromB: b.Conn.LocalAddr().String() + " b",
	} {
		if !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want the end %q", got, want)
		}
	}
	s.Do(w, func(*lineman.Loop) {
		if string(kept) == "first" {
			t.Error("the first message was not on loan: its bytes are still there")
		}
		if len(datagrams) != 2 || datagrams[0] != datagrams[1] {
			t.Error("something was kept per peer of a datagram socket")
		}
	})
}
