package lineman_test

import (
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestEvery has calls stay at multiples of the interval, and those that a busy loop missed left out.
func TestEvery(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	s, clock := startByClock(t, w)
	calls := 0
	var timer *lineman.Timer
	s.Do(w, func(l *lineman.Loop) { timer = l.Every(time.Hour, func() { calls++ }) })
	for _, step := range []struct {
		jump time.Duration
		want int
	}{
		{59 * time.Minute, 0}, {2 * time.Minute, 1}, {58 * time.Minute, 1}, {2 * time.Minute, 2}, // 2 h 1 min
		{10 * time.Hour, 3}, {58 * time.Minute, 3}, {2 * time.Minute, 4}, // 13 h 1 min: still at full hours
	} {
		clock.jump(s, w, step.jump)
		s.Do(w, func(*lineman.Loop) {
			if calls != step.want {
				t.Errorf("after %v more: %d calls, want %d", step.jump, calls, step.want)
			}
		})
	}
	s.Do(w, func(l *lineman.Loop) {
		if !timer.Stop() || timer.Stop() {
			t.Error("Stop should tell that there was a call to come, once")
		}
		if l.Stats().Timers != 0 {
			t.Error("a stopped timer is left")
		}
	})
	clock.jump(s, w, 10*time.Hour)
	s.Do(w, func(*lineman.Loop) {
		if calls != 4 {
			t.Error("a stopped timer was called")
		}
	})
}

// TestAfter has timers run once, in the order of their times, and stop each other.
func TestAfter(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	s, clock := startByClock(t, w)
	var order []string
	s.Do(w, func(l *lineman.Loop) {
		note := func(name string) func() { return func() { order = append(order, name) } }
		stopped := l.After(3*time.Hour, note("stopped"))
		l.After(2*time.Hour, func() {
			note("second")()
			stopped.Stop()
			l.After(0, note("at once"))
		})
		l.After(time.Hour, note("first"))
		l.After(4*time.Hour, note("last"))
	})
	clock.jump(s, w, 5*time.Hour)
	s.Do(w, func(*lineman.Loop) {
		if want := []string{"first", "second", "last", "at once"}; !slices.Equal(order, want) {
			t.Errorf("order was %v, want %v", order, want)
		}
	})
}

// TestEveryStopsItself stops a timer in its own callback.
func TestEveryStopsItself(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	s := linemantest.Start(t, w)
	calls := 0
	done := make(chan struct{})
	s.Do(w, func(l *lineman.Loop) {
		var timer *lineman.Timer
		timer = l.Every(time.Millisecond, func() {
			if calls++; calls == 3 {
				timer.Stop()
				l.After(20*time.Millisecond, func() { close(done) })
			}
		})
	})
	next(t, done, "the end")
	s.Do(w, func(*lineman.Loop) {
		if calls != 3 {
			t.Errorf("%d calls, want 3", calls)
		}
	})
}

// TestConnAfter has the timer of a connection go with it.
func TestConnAfter(t *testing.T) {
	closed := make(chan struct{})
	ran := make(chan string, 4)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnConnect = func(c *lineman.Conn) {
		c.After(0, func() { ran <- "live" })
		c.After(time.Hour, func() { ran <- "dead" })
	}
	w.OnClose = func(c *lineman.Conn, _ error) {
		c.After(0, func() { ran <- "after OnClose" })
		close(closed)
	}
	s, clock := startByClock(t, w)
	c := s.Dial(w)
	if got := next(t, ran, "the timer"); got != "live" {
		t.Errorf("%s ran", got)
	}
	c.Close()
	next(t, closed, "OnClose")
	clock.jump(s, w, 2*time.Hour)
	s.Do(w, func(l *lineman.Loop) {
		if len(ran) != 0 {
			t.Errorf("the timer of a closed connection ran: %s", <-ran)
		}
		if l.Stats().Timers != 0 {
			t.Error("the timer of a closed connection is left")
		}
	})
}

// TestTimerOnTime has a timer of a loop that sleeps run close to its time, measured by the real clock.
func TestTimerOnTime(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	s := linemantest.Start(t, w)
	late := make(chan time.Duration, 1)
	best := time.Hour
	for range 10 {
		s.Do(w, func(l *lineman.Loop) {
			due := time.Now().Add(5 * time.Millisecond)
			l.After(5*time.Millisecond, func() { late <- time.Since(due) })
		})
		d := next(t, late, "the timer")
		if d < 0 {
			t.Errorf("%v early", -d)
		}
		best = min(best, d)
	}
	if best > 10*time.Millisecond {
		t.Errorf("the best of ten timers was %v late", best)
	}
}

// TestConnTimerForgotten has a connection keep nothing of a timer that has run or was stopped.
func TestConnTimerForgotten(t *testing.T) {
	var ran, stopped, waits weak.Pointer[lineman.Timer]
	done := make(chan struct{})
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnConnect = func(c *lineman.Conn) {
		waits = weak.Make(c.After(time.Hour, func() {}))
		stop := c.After(time.Hour, func() {})
		stopped = weak.Make(stop)
		stop.Stop()
		ran = weak.Make(c.After(0, func() { close(done) }))
	}
	s := linemantest.Start(t, w)
	s.Dial(w)
	next(t, done, "the timer")
	s.Do(w, func(*lineman.Loop) { // the timer's callback is over
		runtime.GC()
		if ran.Value() != nil || stopped.Value() != nil || waits.Value() == nil {
			t.Errorf("kept: one that has run %t, one that was stopped %t, one that waits %t", ran.Value() != nil,
				stopped.Value() != nil, waits.Value() != nil)
		}
	})
}
