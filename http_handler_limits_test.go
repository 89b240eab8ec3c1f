package lineman_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
)

// limited is handled, and tells why connections end.
func limited(f http.HandlerFunc, limits lineman.Limits) (*lineman.Worker, chan error) {
	reasons := make(chan error, 8)
	w := handled(f)
	w.Limits = limits
	w.OnClose = func(_ *lineman.Conn, err error) { reasons <- err }
	return w, reasons
}

// untouched fails if a limit has struck.
func untouched(t *testing.T, s *linemantest.Server, w *lineman.Worker, when string) {
	t.Helper()
	if n := openConns(s, w); n != 1 {
		t.Errorf("%s: the limit struck early", when)
	}
}

// struck fails if no limit has struck.
func struck(t *testing.T, s *linemantest.Server, w *lineman.Worker, when string) {
	t.Helper()
	if n := openConns(s, w); n != 0 {
		t.Errorf("%s: %d connections are open", when, n)
	}
}

// openConns counts the connections of w that do not close yet.
func openConns(s *linemantest.Server, w *lineman.Worker) (n int) {
	s.Do(w, func(l *lineman.Loop) {
		for range l.Conns(w) {
			n++
		}
	})
	return n
}

// goroutines counts those that have all of these in their stack: what a handler does inside net/http cannot be seen
// otherwise.
func goroutines(inStack ...string) (n int) {
	dump := make([]byte, 1<<20)
	for _, stack := range strings.Split(string(dump[:runtime.Stack(dump, true)]), "\n\n") {
		if !slices.ContainsFunc(inStack, func(what string) bool { return !strings.Contains(stack, what) }) {
			n++
		}
	}
	return n
}

// waitForEnd returns when the loop has seen the end of every exchange.
func waitForEnd(t *testing.T, s *linemantest.Server, w *lineman.Worker) {
	t.Helper()
	linemantest.Until(t, "an exchange is under way", func() bool {
		spare := goroutines("net/http.(*conn).serve(", "(*serverConn).goOn(", "[chan receive")
		return goroutines("net/http.(*conn).serve(") == spare
	})
	twoTicks(s, w)
}

// waitForReader returns when a handler waits for its body, and the loop could know.
func waitForReader(t *testing.T, s *linemantest.Server, w *lineman.Worker) {
	t.Helper()
	linemantest.Until(t, "no handler waits for its body", func() bool {
		return goroutines("sync.Cond.Wait", "(*Exchange).Read(", "(*body).Read(") == 1
	})
	twoTicks(s, w)
}

// twoTicks has the loop see what has happened: the first may have begun before.
func twoTicks(s *linemantest.Server, w *lineman.Worker) {
	s.Do(w, func(*lineman.Loop) {})
	s.Do(w, func(*lineman.Loop) {})
}

// TestHandlerHalfHead has a head stop coming.
func TestHandlerHalfHead(t *testing.T) {
	linemantest.NoLeaks(t)
	w, reasons := limited(func(http.ResponseWriter, *http.Request) { t.Error("half a request came") }, lineman.Limits{})
	s, clock := startByClock(t, w)
	c := s.Dial(w)
	c.Write("GET / HTTP/1.1\r\nHos")
	waitForBytes(t, s, w, c)
	clock.jump(s, w, 59*second)
	untouched(t, s, w, "after 59 s")
	clock.jump(s, w, 2*second)
	if rest := c.Rest(); !strings.HasPrefix(rest, "HTTP/1.1 408 ") || !strings.Contains(rest, "Connection: close\r\n") {
		t.Errorf("%q", rest)
	}
	c.Close()
	if err := next(t, reasons, "OnClose"); !errors.Is(err, lineman.ErrTimeout) {
		t.Errorf("OnClose: %v", err)
	}
}

// TestHandlerKeepAlive counts the time of an idle connection from the end of its last exchange, however long that took.
func TestHandlerKeepAlive(t *testing.T) {
	for _, pipelined := range []bool{false, true} {
		t.Run(fmt.Sprintf("pipelined %v", pipelined), func(t *testing.T) {
			linemantest.NoLeaks(t)
			entered, leave := make(chan struct{}, 2), make(chan struct{})
			w, reasons := limited(func(w http.ResponseWriter, r *http.Request) {
				entered <- struct{}{}
				if r.URL.Path == "/slow" {
					<-leave
				}
			}, lineman.Limits{})
			s, clock := startByClock(t, w)
			c := s.Dial(w)
			c.Write("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
			answers := 1
			if pipelined {
				c.Write(get)
				answers = 2
			}
			next(t, entered, "the handler")
			waitForBytes(t, s, w, c)
			clock.jump(s, w, 70*second)
			untouched(t, s, w, "while the handler runs")
			close(leave)
			for range answers {
				if r, _ := c.Response(""); r.StatusCode != 200 {
					t.Errorf("%s", r.Status)
				}
			}
			waitForEnd(t, s, w)
			clock.jump(s, w, 74*second)
			untouched(t, s, w, "74 s after the exchange")
			clock.jump(s, w, 2*second)
			if rest := c.Rest(); rest != "" {
				t.Errorf("%q", rest)
			}
			c.Close()
			if err := next(t, reasons, "OnClose"); !errors.Is(err, lineman.ErrIdle) {
				t.Errorf("OnClose: %v", err)
			}
		})
	}
}

// TestHandlerHalfBody has a body stop coming while its handler waits for it: at once, or after it has done something
// else for longer than the limit.
func TestHandlerHalfBody(t *testing.T) {
	for _, keepAlive := range []time.Duration{0, -1} {
		for _, busy := range []bool{false, true} {
			t.Run(fmt.Sprintf("KeepAlive %v busy %v", keepAlive, busy), func(t *testing.T) {
				linemantest.NoLeaks(t)
				halfBody(t, lineman.Limits{KeepAlive: keepAlive}, busy)
			})
		}
	}
}

func halfBody(t *testing.T, limits lineman.Limits, busy bool) {
	some, goOn, failed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	w, reasons := limited(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 3))
		close(some)
		<-goOn
		_, err := io.Copy(io.Discard, r.Body)
		failed <- err
	}, limits)
	s, clock := startByClock(t, w)
	c := s.Dial(w)
	c.Write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel")
	next(t, some, "what came of the body")
	if busy {
		clock.jump(s, w, 61*second)
		untouched(t, s, w, "while the handler does something else")
	}
	c.Write("l")
	close(goOn)
	waitForBytes(t, s, w, c)
	waitForReader(t, s, w)
	clock.jump(s, w, 59*second)
	untouched(t, s, w, "after 59 s")
	clock.jump(s, w, 2*second)
	if err := next(t, failed, "the end of Read"); err == nil {
		t.Error("the body was read to its end")
	}
	c.Rest()
	c.Close()
	if err := next(t, reasons, "OnClose"); !errors.Is(err, lineman.ErrTimeout) {
		t.Errorf("OnClose: %v", err)
	}
}

// TestHandlerNotTaken has a client take nothing of an answer.
func TestHandlerNotTaken(t *testing.T) {
	for _, limits := range []lineman.Limits{{}, {KeepAlive: -1}, {KeepAlive: 10 * time.Minute}} {
		t.Run(fmt.Sprintf("KeepAlive %v", limits.KeepAlive), func(t *testing.T) {
			linemantest.NoLeaks(t)
			failed := make(chan error, 1)
			w, reasons := limited(func(w http.ResponseWriter, _ *http.Request) {
				piece := make([]byte, 64<<10)
				for {
					if _, err := w.Write(piece); err != nil {
						failed <- err
						return
					}
				}
			}, limits)
			full := make(chan struct{})
			w.OnConnect = func(c *lineman.Conn) {
				var before lineman.ConnStats
				quiet := 0 // looks, one after the other: over package net a goroutine writes, which may be slow
				var look *lineman.Timer
				look = c.Loop().Every(50*time.Millisecond, func() { // by its own clock, which the handler does not have
					now := c.Stats()
					if quiet++; now.Pending == 0 || now.BytesOut != before.BytesOut {
						quiet = 0
					}
					if before = now; quiet == 10 {
						look.Stop()
						close(full)
					}
				})
			}
			s, clock := startByClock(t, w)
			c := s.Dial(w)
			c.Write(get)
			next(t, full, "what the kernel does not take")
			clock.jump(s, w, 58*second)
			untouched(t, s, w, "58 s after the last byte was taken")
			clock.jump(s, w, 4*second)
			clock.jump(s, w, 2*second)
			struck(t, s, w, "64 s after the last byte was taken")
			for range 20 { // so that the test ends where the limit comes late
				clock.jump(s, w, time.Minute)
			}
			next(t, failed, "the end of Write")
			if err := next(t, reasons, "OnClose"); !errors.Is(err, lineman.ErrTimeout) {
				t.Errorf("OnClose: %v", err)
			}
		})
	}
}

// TestHandlerLong has a handler take an hour, without a byte in either direction.
func TestHandlerLong(t *testing.T) {
	linemantest.NoLeaks(t)
	entered, leave := make(chan struct{}, 1), make(chan struct{})
	w, _ := limited(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		select {
		case <-leave:
		case <-r.Context().Done():
			t.Error("the context has ended")
		}
		fmt.Fprint(w, "at last")
	}, lineman.Limits{Idle: 30 * second})
	s, clock := startByClock(t, w)
	c := s.Dial(w)
	c.Write(get)
	next(t, entered, "the handler")
	for range 60 {
		clock.jump(s, w, time.Minute)
	}
	close(leave)
	if _, body := c.Response(""); body != "at last" {
		t.Errorf("%q", body)
	}
}

// TestHandlerStop lets a handler that runs finish when the server stops, and has it answer what was asked behind.
func TestHandlerStop(t *testing.T) {
	linemantest.NoLeaks(t)
	entered, leave, stopping := make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	w, _ := limited(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-leave
		fmt.Fprint(w, "last words")
	}, lineman.Limits{})
	var loop *lineman.Loop
	w.OnStart = func(l *lineman.Loop) error {
		loop = l
		return nil
	}
	w.OnStop = func(*lineman.Loop) { close(stopping) }
	s := linemantest.Start(t, w)
	idle, c := s.Dial(w), s.Dial(w)
	c.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /behind HTTP/1.1\r\nHost: x\r\n\r\n")
	next(t, entered, "the handler")
	waitForAccepted(t, s, w, 2)
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	next(t, stopping, "OnStop")
	if rest := idle.Rest(); rest != "" {
		t.Errorf("an idle connection gets %q", rest)
	}
	idle.Close()
	if loop.Context().Err() == nil {
		t.Error("the loop's context goes on")
	}
	close(leave)
	for _, last := range []bool{false, true} {
		if r, body := c.Response(""); r.StatusCode != 200 || body != "last words" || r.Close != last {
			t.Errorf("%s %q, close %v", r.Status, body, r.Close)
		}
	}
	if rest := c.Rest(); rest != "" {
		t.Errorf("after the last answer: %q", rest)
	}
	c.Close()
	if err := next(t, stopped, "the end"); err != nil {
		t.Error(err)
	}
}

// TestHandlerShutdown cuts a handler that never ends.
func TestHandlerShutdown(t *testing.T) {
	linemantest.NoLeaks(t)
	entered, over := make(chan struct{}, 1), make(chan error, 1)
	w, reasons := limited(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-r.Context().Done()
		_, err := w.Write(make([]byte, 1<<20))
		over <- err
	}, lineman.Limits{Shutdown: 30 * second})
	stopping := make(chan struct{})
	w.OnStop = func(*lineman.Loop) { close(stopping) }
	var loop *lineman.Loop
	w.OnStart = func(l *lineman.Loop) error {
		loop = l
		return nil
	}
	s, clock := startByClock(t, w)
	c := s.Dial(w)
	c.Write(get)
	next(t, entered, "the handler")
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	next(t, stopping, "OnStop")
	twoTicks(s, w) // the limit has begun
	clock.jump(s, w, 28*second)
	if len(over) != 0 || len(stopped) != 0 {
		t.Error("the limit struck early")
	}
	clock.mu.Lock()
	clock.ahead += 4 * second
	clock.mu.Unlock()
	loop.Do(func() {}) // the loop ends: jump would wait for it
	if err := next(t, over, "the end of the handler"); err == nil {
		t.Error("what nobody will read was written")
	}
	if err := next(t, stopped, "the end"); err != nil {
		t.Error(err)
	}
	if err := next(t, reasons, "OnClose"); !errors.Is(err, lineman.ErrTimeout) {
		t.Errorf("OnClose: %v", err)
	}
}

// TestHandlerAlone refuses a worker whose requests would have two homes, or none.
func TestHandlerAlone(t *testing.T) {
	h := http.NotFoundHandler()
	onMessage := lineman.Events{OnMessage: func(*lineman.Conn, []byte) {}}
	onRequest := lineman.Events{OnRequest: func(*lineman.Conn, *http1.Request) {}}
	for _, w := range []*lineman.Worker{
		{Addr: "http://127.0.0.1:0", Handler: h, Events: onMessage},
		{Addr: "http://127.0.0.1:0", Handler: h, Events: onRequest},
		{Addr: "websocket://127.0.0.1:0", Handler: h},
		{Addr: "tcp://127.0.0.1:0", Handler: h},
		{Addr: "text://127.0.0.1:0", Handler: h},
		{Addr: "udp://127.0.0.1:0", Handler: h},
	} {
		err := lineman.Run(context.Background(), w)
		if err == nil || !strings.Contains(err.Error(), "Handler") {
			t.Errorf("%s: %v", w.Addr, err)
		}
	}
}
