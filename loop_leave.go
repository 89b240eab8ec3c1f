package lineman

import (
	"time"

	"github.com/lineman-go/lineman/internal/grace"
	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// beginLeaving drains the connections, because another process listens in this one's place, or nobody will. What was
// begun is finished: requests, half-received messages, queued output; a connection that has just come may still send
// its first message. HTTP answers that no request has come behind say that the connection closes, others are told
// goodbye once they are at rest, a read finds nothing of theirs in the kernel, and their drain is over. A patient loop
// waits until its clients go by themselves. The loop stops when all that it accepted have gone, or in time to be gone
// within d.
//
//	         at rest, if not patient; when answered, if HTTP
//	serving ────────────────────────────────────────────────▶ goodbye ──▶ none left: beginStop
//	   └──────────────── d is nearly over ───────────────────────────────▶ beginStop
func (l *Loop) beginLeaving(code websocket.Code, d grace.Period, patient bool) {
	if l.stopping {
		return
	}
	l.leaving, l.goodbye = true, code
	l.parting.Store(true)
	for _, s := range l.sockets {
		s.ready(poll.Event{Read: true}) // a poller may have accepted ahead
	}
	l.takeAhead()
	l.closeListeners()
	for c := range l.all() {
		c.session.lastAnswer(c)
	}
	l.beginDrain(d)
	if d >= 0 {
		l.After(d.Begun(), func() { l.beginStop(d.Goodbyes()) })
	}
	idle := &walk{loop: l, visit: partAtRest}
	l.Every(tick, func() {
		if !patient {
			idle.begin()
		}
		if l.reaches(vacated, l.live-l.staying() == l.outgoing) {
			l.beginStop(d.Last())
		}
	})
}

// farewell is the code for WebSocket peers whose connection this side ends.
func (l *Loop) farewell() websocket.Code {
	if l.goodbye != 0 {
		return l.goodbye
	}
	return websocket.GoingAway
}

// partAtRest says goodbye to a connection that has nothing under way, and of which a read finds nothing in the kernel.
func partAtRest(c *Conn) {
	if !c.end.drains(c) && c.end.isAtRest(c) && c.in.foundNothing(c) {
		c.end.leave(c, false)
	}
}

// partRounds is how often a connection that goes on sending is read before it is told goodbye.
const partRounds = 64

// partStopping says goodbye to a connection of a loop that stops, once what the kernel has of it was handled. One that
// the application has paused, or holds for an answer, or that has requests to be answered by a Handler, is told later,
// unless there is no more time.
func (e *ending) partStopping(c *Conn, late bool) {
	if c.phase.get() != open || isRelay(c) {
		return
	}
	if e.canHaveRest(c) {
		for n := 0; n < partRounds && !c.in.holds(c) && !c.in.foundNothing(c); n++ {
			if c.phase.get() != open {
				return
			}
		}
	}
	if late || c.state&paused == 0 && c.held == 0 {
		e.leave(c, late)
	}
}

// young is how long a connection may take to send its first message.
const young = uint32(time.Second / tick)

// isAtRest reports whether an accepted connection can be told goodbye without breaking off what it does.
func (e *ending) isAtRest(c *Conn) bool {
	if c.link.dialing() != nil || c.phase.get() != open || c.state&arriving != 0 || isRelay(c) {
		return false
	}
	if !c.session.partsAtRest() || c.transport().shaking() {
		return false
	}
	if c.in.waits(c) || c.state&(half|holding|paused) != 0 || c.held > 0 || c.session.half() {
		return false
	}
	quiet := c.loop.present - c.in.touched
	return quiet >= young || quiet > 1 && c.in.messages > 0
}

// beginDrain gives the application time to end connections one by one: the longest Limits.Drain that d has room for.
func (l *Loop) beginDrain(d grace.Period) {
	longest := time.Duration(0)
	for _, s := range l.services {
		longest = max(longest, s.limits.Drain)
	}
	l.drained = l.now.Add(d.Drain(longest))
}

// afterDrain calls f when the drain is over, on all loops of the process: now, if there is nothing to drain.
func (l *Loop) afterDrain(f func()) {
	if l.reaches(drained, !l.draining()) {
		f()
		return
	}
	var again *Timer
	again = l.Every(tick, func() {
		if l.reaches(drained, !l.draining()) {
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
	for c := range l.all() {
		if c.end.drains(c) {
			return true
		}
	}
	return false
}

// drains reports whether the application is given time to end the connection. HTTP ends with an answer.
func (e *ending) drains(c *Conn) bool {
	return c.session.partsAtRest() && c.service.limits.Drain > 0 && c.loop.now.Before(c.loop.drained)
}
