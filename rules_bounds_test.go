package lineman_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
)

func TestRule06SlowCallback(t *testing.T) {
	// A callback that holds the loop is named in the log and counted; slow work in a goroutine comes back by Do.
	log := &journal{}
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: log.logger()}
	shared := 0
	var clock *clock
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		if string(msg) == "slow" {
			clock.mu.Lock()
			clock.ahead += 150 * time.Millisecond
			clock.mu.Unlock()
			_ = c.Send(msg)
			return
		}
		go func() { // what it would do takes long
			c.Do(func() {
				shared++
				_ = c.Send(fmt.Append(nil, shared))
			})
		}()
	}
	s, jumping := startByClock(t, w)
	clock = jumping
	c := s.Dial(w)
	c.Send("work")
	if got := c.Receive(); got != "1" {
		t.Errorf("got %q", got)
	}
	if n := log.count("slow callback"); n != 0 {
		t.Errorf("%d slow callbacks before there was one: %s", n, log)
	}
	c.Send("slow")
	c.Receive()
	s.Do(w, func(l *lineman.Loop) {
		if n := l.Stats().Slow; n != 1 {
			t.Errorf("counted %d slow callbacks, want 1", n)
		}
	})
	if log.count("slow callback") != 1 || log.count("callback=OnMessage") != 1 || log.count("took=15") != 1 {
		t.Errorf("the log does not name it: %s", log)
	}
}

func TestRule07Panic(t *testing.T) {
	log := &journal{}
	ends := make(chan error, 8)
	ws := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: log.logger()}
	ws.OnMessage = func(*lineman.Conn, []byte) { panic("one") }
	ws.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	text := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: log.logger()}
	text.OnConnect = func(*lineman.Conn) { panic("two") }
	text.OnClose = func(_ *lineman.Conn, err error) {
		ends <- err
		panic("three")
	}
	fine := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "fine", Events: lineman.Events{OnMessage: echo}}
	ticks := make(chan int)
	fine.OnStart = func(l *lineman.Loop) error {
		for _, w := range []*lineman.Worker{ws, text} {
			if _, err := l.Listen(named(w)); err != nil {
				return err
			}
		}
		n := 0
		l.Every(time.Millisecond, func() {
			n++
			select {
			case ticks <- n:
			default:
			}
			panic("four")
		})
		l.After(0, func() { panic("five") })
		l.Do(func() { panic("six") })
		return nil
	}
	fine.Logger = log.logger()
	s := linemantest.Start(t, fine)

	c := s.Dial(ws)
	c.Send("x")
	var goodbye *websocket.CloseError
	if err := c.Ended(); !errors.As(err, &goodbye) || goodbye.Code != websocket.Internal {
		t.Errorf("the client was told %v, want 1011", err)
	}
	c.Close()
	if err := next(t, ends, "OnClose"); !errors.Is(err, lineman.ErrPanic) {
		t.Errorf("OnClose: %v", err)
	}
	c = s.Dial(text)
	if err := c.Ended(); err != nil {
		t.Error(err)
	}
	c.Close()
	if err := next(t, ends, "OnClose"); !errors.Is(err, lineman.ErrPanic) {
		t.Errorf("OnClose: %v", err)
	}
	if a, b := next(t, ticks, "a tick"), next(t, ticks, "another"); b <= a {
		t.Error("a timer that panicked does not go on")
	}
	c = s.Dial(fine)
	c.Send("alive")
	if got := c.Receive(); got != "alive" {
		t.Errorf("got %q", got)
	}
	for _, what := range []string{
		"panic=one", "panic=two", "panic=three", "panic=four", "panic=five", "panic=six", "rules_bounds_test.go",
	} {
		if log.count(what) == 0 {
			t.Errorf("the log has no %s", what)
		}
	}
	failed := &lineman.Worker{
		Addr: "text://127.0.0.1:0", Logger: quiet, OnStart: func(*lineman.Loop) error { panic("at start") },
	}
	if err := lineman.Run(context.Background(), failed); err == nil || !strings.Contains(err.Error(), "at start") {
		t.Errorf("a panic in OnStart: %v", err)
	}
}

// named gives a worker a name of its own, where several have the address ":0".
func named(w *lineman.Worker) *lineman.Worker {
	w.Name = fmt.Sprintf("%s %d", w.Addr, names.Add(1))
	return w
}

var names atomic.Int64

func TestRule08EndOfStream(t *testing.T) {
	// At the peer's end of stream what was complete is handled, what was not is dropped, answers arrive.
	ends := make(chan error, 1)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnMessage = echo
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("one\ntwo\nhalf")
	c.CloseWrite()
	if got := c.Rest(); got != "one\ntwo\n" {
		t.Errorf("got %q", got)
	}
	if err := next(t, ends, "OnClose"); err != io.EOF {
		t.Errorf("OnClose: %v, want EOF", err)
	}
}

func TestRule09SlowReader(t *testing.T) {
	// A peer that does not read is refused whole messages and told of; the others go on.
	const size = 256 << 10
	message := make([]byte, size)
	type event struct {
		what string
		c    *lineman.Conn
		send error // what Send says inside OnFull
	}
	events := make(chan event, 16)
	conns := make(chan *lineman.Conn, 2)
	w := &lineman.Worker{Addr: "frame://127.0.0.1:0"}
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	w.OnFull = func(c *lineman.Conn) { events <- event{"full", c, c.Send(message)} }
	w.OnDrain = func(c *lineman.Conn) { events <- event{"drain", c, nil} }
	w.OnMessage = echo
	s := linemantest.Start(t, w)
	slow := s.Dial(w)
	toSlow := next(t, conns, "the slow one")
	quick := s.Dial(w)
	next(t, conns, "the quick one")

	// The loop is busy with this until OnFull: the kernel, which may have room again at any time, is given nothing.
	accepted := 0
	s.Do(w, func(*lineman.Loop) {
		err := toSlow.Send(message)
		for ; err == nil; err = toSlow.Send(message) {
			accepted++
		}
		if !errors.Is(err, lineman.ErrFull) {
			t.Errorf("Send to who does not read: %v", err)
		}
		if pending := toSlow.Pending(); pending < 1<<20 || pending > 1<<20+size+4 {
			t.Errorf("%d bytes wait, want MaxPending and at most one message more", pending)
		}
	})
	if ev := next(t, events, "OnFull"); ev.what != "full" || ev.c != toSlow || !errors.Is(ev.send, lineman.ErrFull) {
		t.Errorf("got %v", ev)
	}
	const refused = 2
	if st := toSlow.Stats(); st.Refused != refused || int(st.MessagesOut) != accepted {
		t.Errorf("stats count %d refused and %d accepted, want %d and %d", st.Refused, st.MessagesOut,
			refused, accepted)
	}
	quick.Send("quick")
	if got := quick.Receive(); got != "quick" {
		t.Errorf("got %q", got)
	}
	for range accepted {
		if got := slow.Receive(); len(got) != size {
			t.Fatalf("a message of %d bytes, want %d", len(got), size)
		}
	}
	if ev := next(t, events, "OnDrain"); ev.what != "drain" || ev.c != toSlow {
		t.Errorf("got %v", ev)
	}
	if err := toSlow.Send([]byte("again")); err != nil {
		t.Error(err)
	}
	if got := slow.Receive(); got != "again" {
		t.Errorf("got %q", got)
	}
}

// TestRule09HalfFree has a slow reader be refused until half of MaxPending is free, and no longer. A Unix socket takes
// little at a time, so that both halves are seen.
func TestRule09HalfFree(t *testing.T) {
	const most = 4 << 20
	conns := make(chan *lineman.Conn, 1)
	w := &lineman.Worker{
		Addr: "frame+unix://" + filepath.Join(t.TempDir(), "s"), Limits: lineman.Limits{MaxPending: most},
	}
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	s := linemantest.Start(t, w)
	client := s.Dial(w)
	c := next(t, conns, "OnConnect")
	s.Do(w, func(*lineman.Loop) {
		for c.Send(make([]byte, 1<<20)) == nil {
		}
	})
	waiting, err := most, error(lineman.ErrFull)
	for err == lineman.ErrFull {
		if waiting < most/2 {
			t.Fatalf("refused with %d bytes of %d waiting", waiting, most)
		}
		client.Read(64 << 10)
		s.Do(w, func(*lineman.Loop) { waiting, err = c.Pending(), c.Send([]byte("x")) })
	}
	if err != nil || waiting >= most/2 || waiting < most/4 {
		t.Errorf("it was first taken with %d bytes of %d waiting: %v", waiting, most, err)
	}
}

func TestRule12NothingGlobal(t *testing.T) {
	// Many loops run side by side in one process, in parallel, and end without a trace.
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx, cancel := context.WithCancel(context.Background())
			w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
			n := 0
			w.OnStart = func(l *lineman.Loop) error {
				l.Every(time.Microsecond, func() {
					if n++; n == 100 {
						cancel()
					}
				})
				return nil
			}
			if err := lineman.Run(ctx, w); err != nil || n < 100 {
				t.Errorf("loop %d: %v after %d ticks", i, err, n)
			}
		}()
	}
	wg.Wait()
}
