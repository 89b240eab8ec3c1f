package lineman

import (
	"container/heap"
	"slices"
	"time"
)

// A Timer calls a function of the application's on its loop.
type Timer struct {
	loop  *Loop
	f     func()
	due   time.Time
	every time.Duration // 0: once
	index int           // in the heap, -1 when not there
	conn  *Conn         // that keeps it, to stop it at its end; nil: none does
}

// Every calls f each d, on the loop: it panics if d is not above zero. Calls do not drift: they stay at multiples of d
// after the first. If a busy loop misses calls, they are left out. The timer may be stopped in f.
func (l *Loop) Every(d time.Duration, f func()) *Timer {
	if d <= 0 {
		panic("lineman: Every needs an interval above zero")
	}
	return l.timer(d, d, f)
}

// After calls f once after d, on the loop: at the next tick if d is not above zero.
func (l *Loop) After(d time.Duration, f func()) *Timer { return l.timer(d, 0, f) }

// After calls f once after d, on the loop, unless the connection has closed by then: at the next tick if d is not above
// zero.
func (c *Conn) After(d time.Duration, f func()) *Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() == closed {
		return &Timer{loop: c.loop, index: -1}
	}
	t := c.loop.After(d, f)
	t.conn = c
	x := c.extrasLocked()
	x.timers = append(x.timers, t)
	return t
}

// dropTimer has the connection not keep a timer any more that was stopped or is due: an idle one has nothing of it.
func (c *Conn) dropTimer(t *Timer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.extra
	if x == nil {
		return // it is being dialed again
	}
	if x.timers = slices.DeleteFunc(x.timers, func(other *Timer) bool { return other == t }); len(x.timers) == 0 {
		x.timers = nil
	}
	if x.isEmptyLocked() {
		c.extra = nil
	}
}

// stopTimers stops the timers of a connection that has closed, without the lock: nobody sets one any more.
func (x *extra) stopTimers() {
	for _, t := range x.timers {
		t.remove()
	}
}

// Stop prevents the calls to come and reports whether there would have been one. On the loop only.
func (t *Timer) Stop() bool {
	if !t.remove() {
		return false
	}
	if t.conn != nil {
		t.conn.dropTimer(t)
	}
	return true
}

// remove takes it out of the heap, and reports whether it was there.
func (t *Timer) remove() bool {
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.loop.timers, t.index)
	return true
}

func (l *Loop) timer(d, every time.Duration, f func()) *Timer {
	t := &Timer{loop: l, f: f, due: l.clock().Add(max(d, 1)), every: every}
	heap.Push(&l.timers, t)
	return t
}

// runDue runs what is due by the clock: limits of connections, then timers. A timer that a callback sets to now waits
// for the next tick.
func (l *Loop) runDue() {
	l.wheel.Advance(l.present, func(id int32, due uint32) {
		at := l.scheduled.At(int(id))
		if *at != due {
			return // an earlier look took its place
		}
		*at = 0
		if c := *l.conns.At(int(id)); c != nil {
			l.look(c)
		}
	})
	until := l.now
	for len(l.timers) > 0 && !l.timers[0].due.After(until) {
		t := l.timers[0]
		if t.every == 0 {
			heap.Pop(&l.timers)
			if t.conn != nil {
				t.conn.dropTimer(t)
			}
		} else {
			missed := until.Sub(t.due) / t.every
			t.due = t.due.Add((missed + 1) * t.every)
			heap.Fix(&l.timers, 0)
		}
		l.call(inTimer, t.f)
	}
}

// untilDue is how long the loop may sleep: negative means until something happens.
func (l *Loop) untilDue() time.Duration {
	next, ok := l.nextDue()
	if !ok {
		return -1
	}
	return max(0, next.Sub(l.now))
}

func (l *Loop) nextDue() (next time.Time, ok bool) {
	if at, some := l.wheel.Next(); some {
		next, ok = l.started.Add(time.Duration(at)*tick), true
	}
	if len(l.timers) > 0 && (!ok || l.timers[0].due.Before(next)) {
		next, ok = l.timers[0].due, true
	}
	if l.stopping && l.staying() == 0 && (!ok || l.giveUp.Before(next)) {
		next, ok = l.giveUp, true
	}
	return next, ok
}

// ticks is a time in ticks of the wheel.
func (l *Loop) ticks(t time.Time) uint32 { return uint32(t.Sub(l.started) / tick) }

// timerHeap has the timer that is due first at its root.
type timerHeap []*Timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*Timer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}
