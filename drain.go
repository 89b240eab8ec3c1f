package lineman

import (
	"time"

	"github.com/lineman-go/lineman/internal/grace"
)

// beginDrain gives the application time to end connections one by one: the longest Limits.Drain that d has room for.
func (l *Loop) beginDrain(d grace.Period) {
	longest := time.Duration(0)
	for _, s := range l.services {
		longest = max(longest, s.limits.Drain)
	}
	l.drained = l.now.Add(d.Drain(longest))
}

// afterDrain calls f when the drain is over: now, if there is nothing to drain.
func (l *Loop) afterDrain(f func()) {
	if !l.draining() {
		f()
		return
	}
	var again *Timer
	again = l.Every(tick, func() {
		if !l.draining() {
			again.Stop()
			f()
		}
	})
}

// draining reports whether there are connections that are left to the application.
func (l *Loop) draining() bool {
	if !l.now.Before(l.drained) {
		return false
	}
	for _, c := range l.conns {
		if c != nil && c.end.drains(c) {
			return true
		}
	}
	return false
}

// drains reports whether the application is given time to end the connection. HTTP ends with an answer.
func (e *ending) drains(c *Conn) bool {
	return c.session.partsAtRest() && c.service.limits.Drain > 0 && c.loop.now.Before(c.loop.drained)
}
