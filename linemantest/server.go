// Package linemantest helps to test what is built on Lineman: it runs workers for one test, dials them, tries protocols
// with every way that bytes can arrive, and finds what a test left behind.
package linemantest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
)

// patience is how long anything in a test may take.
const patience = time.Minute

// A Server is workers that run for one test.
type Server struct {
	t      testing.TB
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run. Immutable after done is closed.

	mu    sync.Mutex // guards the following
	loops []*lineman.Loop
	homes map[*lineman.Loop]home
}

// home is what a loop runs.
type home struct{ given, own *lineman.Worker } // the worker given to Start, and the loop's copy of it, or the same

// Start runs the workers, as lineman.Run does, until the test ends, and returns when each OnStart has returned. The
// test fails at once if one does not start, and at its end if one does not stop as it should. Give them port 0: Addr
// tells which they got.
func Start(t testing.TB, workers ...*lineman.Worker) *Server {
	t.Helper()
	return StartBy(t, lineman.Run, workers...)
}

// StartBy is Start by another function than lineman.Run, which calls that in the end.
func StartBy(t testing.TB, run func(context.Context, ...*lineman.Worker) error, workers ...*lineman.Worker) *Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{t: t, cancel: cancel, done: make(chan struct{}), homes: make(map[*lineman.Loop]home)}
	expected := 0
	for _, w := range workers {
		expected += max(w.Loops, 1)
	}
	started := make(chan struct{}, expected)
	for _, w := range workers {
		before := *w
		t.Cleanup(func() { w.OnStart, w.PerLoop = before.OnStart, before.PerLoop })
		if before.PerLoop == nil {
			s.follow(w, w, started)
			continue
		}
		w.PerLoop = func(own *lineman.Worker) {
			before.PerLoop(own)
			s.follow(w, own, started)
		}
	}
	go func() {
		defer close(s.done)
		s.err = run(ctx, workers...)
	}()
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("linemantest: %v", err)
		}
	})
	for range expected {
		select {
		case <-started:
		case <-s.done:
			t.Fatalf("linemantest: %v", s.err)
		}
	}
	return s
}

// follow has a loop's worker tell when it has started, and on which loop.
func (s *Server) follow(given, own *lineman.Worker, started chan<- struct{}) {
	onStart := own.OnStart
	own.OnStart = func(l *lineman.Loop) error {
		s.mu.Lock()
		s.loops = append(s.loops, l)
		s.homes[l] = home{given, own}
		s.mu.Unlock()
		if onStart != nil {
			if err := onStart(l); err != nil {
				return err
			}
		}
		started <- struct{}{}
		return nil
	}
}

// Stop ends the workers, waits until they have ended, and returns what Run returned. The second call only returns it
// again.
func (s *Server) Stop() error {
	s.cancel()
	<-s.done
	return s.err
}

// Addr is the address that w listens on, also of a worker that was opened by Listen. The test fails if it does not
// listen.
func (s *Server) Addr(w *lineman.Worker) net.Addr {
	s.t.Helper()
	var addr net.Addr
	s.each(func(l *lineman.Loop) {
		if ln := l.Listener(s.own(w, l)); ln != nil && ln.Addr() != nil {
			addr = ln.Addr()
		}
	})
	if addr == nil {
		s.t.Fatalf("linemantest: worker %q does not listen", w.Addr)
	}
	return addr
}

// own is a loop's copy of a worker that was given to Start, where it has one; else that worker.
func (s *Server) own(w *lineman.Worker, l *lineman.Loop) *lineman.Worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.homes[l]; h.given == w {
		return h.own
	}
	return w
}

// Do runs f on the loop of w, one of the workers given to Start or opened by Listen, and returns when it has run: on
// the first one, if there are several. A panic in f fails the test.
func (s *Server) Do(w *lineman.Worker, f func(l *lineman.Loop)) {
	s.t.Helper()
	s.do(w, func(l *lineman.Loop) bool { return l.Index() == 0 }, f)
}

// DoEach is Do on each loop of w, one after the other.
func (s *Server) DoEach(w *lineman.Worker, f func(l *lineman.Loop)) {
	s.t.Helper()
	s.do(w, func(*lineman.Loop) bool { return true }, f)
}

// do runs f on those loops of w that are wanted.
func (s *Server) do(w *lineman.Worker, wanted func(*lineman.Loop) bool, f func(l *lineman.Loop)) {
	s.t.Helper()
	found, ended := 0, 0
	s.each(func(l *lineman.Loop) {
		s.mu.Lock()
		home := s.homes[l].given == w
		s.mu.Unlock()
		if (home || l.Listener(w) != nil) && (wanted(l) || !home) {
			found++
			f(l)
			ended++
		}
	})
	switch {
	case found == 0:
		s.t.Fatalf("linemantest: no loop has worker %q", w.Addr)
	case ended < found:
		s.t.Errorf("linemantest: the function for Do panicked, or called Goexit: see the log")
	}
}

// each runs f on one loop after the other.
func (s *Server) each(f func(l *lineman.Loop)) {
	s.t.Helper()
	s.mu.Lock()
	loops := s.loops
	s.mu.Unlock()
	for _, l := range loops {
		ran := make(chan struct{})
		if !l.Do(func() { defer close(ran); f(l) }) {
			continue // this one has ended
		}
		select {
		case <-ran:
		case <-time.After(patience):
			s.t.Fatal("linemantest: the loop does not answer")
		}
	}
}
