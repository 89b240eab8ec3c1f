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
const patience = 20 * time.Second

// A Server is workers that run for one test.
type Server struct {
	t      testing.TB
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run. Immutable after done is closed.

	mu    sync.Mutex // guards the following
	loops []*lineman.Loop
	homes map[*lineman.Worker]*lineman.Loop // of the workers given to Start
}

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
	s := &Server{t: t, cancel: cancel, done: make(chan struct{}), homes: make(map[*lineman.Worker]*lineman.Loop)}
	started := make(chan struct{}, len(workers))
	for _, w := range workers {
		onStart := w.OnStart
		w.OnStart = func(l *lineman.Loop) error {
			s.mu.Lock()
			s.loops = append(s.loops, l)
			s.homes[w] = l
			s.mu.Unlock()
			if onStart != nil {
				if err := onStart(l); err != nil {
					return err
				}
			}
			started <- struct{}{}
			return nil
		}
		t.Cleanup(func() { w.OnStart = onStart })
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
	for range workers {
		select {
		case <-started:
		case <-s.done:
			t.Fatalf("linemantest: %v", s.err)
		}
	}
	return s
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
		if ln := l.Listener(w); ln != nil && ln.Addr() != nil {
			addr = ln.Addr()
		}
	})
	if addr == nil {
		s.t.Fatalf("linemantest: worker %q does not listen", w.Addr)
	}
	return addr
}

// Do runs f on the loop of w, one of the workers given to Start or opened by Listen, and returns when it has run. A
// panic in f fails the test.
func (s *Server) Do(w *lineman.Worker, f func(l *lineman.Loop)) {
	s.t.Helper()
	found, ended := false, false
	s.each(func(l *lineman.Loop) {
		s.mu.Lock()
		home := s.homes[w] == l
		s.mu.Unlock()
		if home || l.Listener(w) != nil {
			found = true
			f(l)
			ended = true
		}
	})
	switch {
	case !found:
		s.t.Fatalf("linemantest: no loop has worker %q", w.Addr)
	case !ended:
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
