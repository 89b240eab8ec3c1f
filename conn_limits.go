package lineman

import "github.com/lineman-go/lineman/protocol/websocket"

// watch has the wheel look at the connection after so many ticks, if it would not earlier; 0 is no limit.
func (c *Conn) watch(after uint32) {
	if after == 0 || c.handle == absent {
		return
	}
	at := c.loop.present + after + 1 // a tick has begun when it is read
	if s := c.loop.scheduled.At(int(c.handle)); *s == 0 || int32(at-*s) < 0 {
		*s = at
		c.loop.wheel.Schedule(int32(c.handle), at)
	}
}

// look is called by the wheel. Limits that moved on since it was told are looked at again later: that is why a
// message costs the wheel nothing.
func (l *Loop) look(c *Conn) {
	now, before := c.loop.present, c.phase.get()
	next := uint32(0)
	for _, lim := range limitsOf(c) {
		if lim.after == 0 {
			continue // none
		}
		left := int32(lim.from + lim.after + 1 - now)
		if left <= 0 {
			lim.act(c)
			if c.phase.get() != before {
				return // the limits were of what it was
			}
		} else if next == 0 || uint32(left) < next {
			next = uint32(left)
		}
	}
	c.watch(next)
}

// limit is a timeout of a connection: a time that must not pass without what it waits for.
type limit struct {
	from, after uint32
	act         func(c *Conn)
}

// limitsOf are those that hold in the connection's present state: of the closing, of a handshake, or of its session.
func limitsOf(c *Conn) (on [3]limit) {
	after := &c.service.after
	switch {
	case c.phase.get() != open && c.end&timed == 0:
		return on // goOn starts its limit
	case c.phase.get() != open:
		from := c.since
		if c.end&remains != 0 {
			from = latest(from, c.in.touched) // some of it was taken
		}
		on[0] = limit{from, after.close, endOverdue}
		return on
	case c.end.outlasts(c):
		on[0] = limit{c.since, after.answer, timeOut}
		return on
	}
	switch {
	case c.opens():
		on[0] = limit{c.link.dialing().began, after.handshake, timeOut}
		return on
	case c.state&arriving != 0:
		on[0] = limit{c.since, after.handshake, timeOut}
		return on
	case c.transport().shaking():
		return c.transport().limits(c)
	}
	return c.session.limits(c)
}

// latest is the later one of two ticks, which wrap round.
func latest(a, b uint32) uint32 {
	if int32(a-b) > 0 {
		return a
	}
	return b
}

func timeOut(c *Conn) { c.end.refuse(c, ErrTimeout) }

// endSilent ends a connection whose peer answers no ping. What it could be told it will hardly read, so its end is not
// awaited.
func endSilent(c *Conn) {
	if c.state&blocked != 0 {
		c.end.finish(c, ErrTimeout)
		return
	}
	c.end.refuse(c, ErrTimeout)
	c.end |= lost
}

func endIdle(c *Conn) { c.end.part(c, ErrIdle, websocket.GoingAway, "idle") }

// endUnasked ends a connection that has sent no request for too long. It is owed nothing, unless it has not read an
// answer.
func endUnasked(c *Conn) {
	endIdle(c)
	if c.Pending() == 0 {
		dismiss(c)
	}
}

// expel ends a connection that ran out of time before it was anybody: it is told so if the kernel takes that at once,
// and is gone.
func expel(c *Conn) {
	c.end.refuse(c, ErrTimeout)
	dismiss(c)
}

// dismiss ends a closing connection without waiting for its peer, whose end may never come. What it has sent is read
// before, for bytes that nobody has read would turn the end into a reset, and what it was told would be lost.
func dismiss(c *Conn) {
	if c.phase.get() != closing || c.handle == absent {
		return
	}
	c.out.flush(c)
	if c.transport().sayGoodbye() {
		c.out.flush(c)
	}
	err := c.loop.poll.CloseWrite(c.handle)
	for read := 0; err == nil && read < maxUnread; {
		var n int
		n, err = c.loop.poll.Read(c.handle, c.loop.buf)
		read += n
	}
	c.end.finish(c, c.end.cause(c))
}

// maxUnread is how much is read of a connection that is dismissed.
const maxUnread = 1 << 20

// endOverdue ends a connection whose closing takes too long. Unread output makes it a time-out.
func endOverdue(c *Conn) {
	if c.end&remains != 0 {
		c.end.finish(c, c.end.whyBroken(c))
		return
	}
	if c.Pending() > 0 {
		c.end.finish(c, ErrTimeout)
		return
	}
	c.end.finish(c, c.end.cause(c))
}
