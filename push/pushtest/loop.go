package pushtest

import (
	"sync"
	"testing"
	"time"
)

// patience is how long anything in a test may take.
const patience = time.Minute

// A Loop is what a Hub and a Broker need of a loop: a goroutine that runs functions in order.
type Loop struct {
	t testing.TB

	mu     sync.Mutex // guards the following
	cond   sync.Cond
	posted []func()
	ended  bool
	done   chan struct{}
}

// NewLoop starts a Loop that runs until the end of the test.
func NewLoop(t testing.TB) *Loop {
	l := &Loop{t: t, done: make(chan struct{})}
	l.cond.L = &l.mu
	go l.run()
	t.Cleanup(func() {
		l.mu.Lock()
		l.ended = true
		l.cond.Signal()
		l.mu.Unlock()
		<-l.done
	})
	return l
}

func (l *Loop) run() {
	defer close(l.done)
	for {
		l.mu.Lock()
		for len(l.posted) == 0 && !l.ended {
			l.cond.Wait()
		}
		posted := l.posted
		l.posted = nil
		ended := l.ended
		l.mu.Unlock()
		for _, f := range posted {
			f()
		}
		if ended {
			return
		}
	}
}

// Do runs f on the loop, after what is under way.
func (l *Loop) Do(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	l.posted = append(l.posted, f)
	l.cond.Signal()
	return true
}

// Await runs f on the loop and waits for its end.
func (l *Loop) Await(f func()) {
	l.t.Helper()
	ran := make(chan struct{})
	if !l.Do(func() { defer close(ran); f() }) {
		l.t.Fatal("pushtest: the loop has ended")
	}
	select {
	case <-ran:
	case <-time.After(patience):
		l.t.Fatal("pushtest: the loop does not come round")
	}
}

// until waits until something holds, and leaves the processor to others meanwhile. It returns false if that takes too
// long.
func until(holds func() bool) bool {
	for late := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			return false
		}
	}
	return true
}
