package lineman

import "github.com/lineman-go/lineman/protocol/websocket"

// watch has the wheel look at the connection after so many ticks, if it would not earlier; 0 is no limit.
func (c *Conn) watch(after uint32) {
	if after == 0 || c.handle == absent {
		return
	}
	at := c.loop.ticks(c.loop.now) + after + 1 // a tick has begun when it is read
	if s := &c.loop.scheduled[c.handle]; *s == 0 || int32(at-*s) < 0 {
		*s = at
		c.loop.wheel.Schedule(int32(c.handle), at)
	}
}

// look is called by the wheel. Limits that moved on since it was told are looked at again later: that is why a
// message costs the wheel nothing.
func (c *Conn) look() {
	now, before := c.loop.ticks(c.loop.now), c.phase.get()
	next := uint32(0)
	for _, lim := range c.limits() {
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

// limit is a time that a connection must not pass.
type limit struct {
	from, after uint32
	act         func(c *Conn)
}

// limits are those that hold in the connection's present state: of the closing, of what the peer owes, of the pinging.
func (c *Conn) limits() (on [3]limit) {
	after := &c.service.after
	switch {
	case c.phase.get() != open && c.state.ending&timed == 0:
		return on // closeOn starts its limit
	case c.phase.get() != open:
		from := c.since
		if c.state.ending&remains != 0 {
			from = max(from, c.touched) // some of it was taken
		}
		on[0] = limit{from, after.close, (*Conn).overdue}
		return on
	case c.outlasts():
		on[0] = limit{c.since, after.answer, (*Conn).late}
		return on
	}
	switch {
	case c.opens():
		on[0] = limit{c.dial.began, after.handshake, (*Conn).late}
		return on
	case c.state.arriving:
		on[0] = limit{c.since, after.handshake, (*Conn).late}
		return on
	case c.transport().shaking():
		return c.transport().limits(c)
	}
	return c.session.limits(c)
}

func (c *Conn) late() { c.expire(ErrTimeout) }

// silent ends a connection whose peer answers no ping. What it could be told it will hardly read, so its end is not
// awaited.
func (c *Conn) silent() {
	if c.state.stalled {
		c.finish(ErrTimeout)
		return
	}
	c.expire(ErrTimeout)
	c.state.ending |= lost
}

func (c *Conn) idle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() == open {
		c.setCauseLocked(ErrIdle)
		c.partLocked(websocket.GoingAway, "idle")
	}
}

// unasked ends a connection that has sent no request for too long. It is owed nothing, unless it has not read an
// answer.
func (c *Conn) unasked() {
	c.idle()
	if c.Pending() == 0 {
		c.dismiss()
	}
}

// expel ends a connection that ran out of time before it was anybody: it is told so if the kernel takes that at once,
// and is gone.
func (c *Conn) expel() {
	c.expire(ErrTimeout)
	c.dismiss()
}

// dismiss ends a closing connection without waiting for its peer, whose end may never come. What it has sent is read
// before, for bytes that nobody has read would turn the end into a reset, and what it was told would be lost.
func (c *Conn) dismiss() {
	if c.phase.get() != closing || c.handle == absent {
		return
	}
	c.flush()
	if c.transport().sayGoodbye() {
		c.flush()
	}
	err := c.loop.poll.CloseWrite(c.handle)
	for read := 0; err == nil && read < maxUnread; {
		var n int
		n, err = c.loop.poll.Read(c.handle, c.loop.buf)
		read += n
	}
	c.finish(c.cause())
}

// maxUnread is how much is read of a connection that is dismissed.
const maxUnread = 1 << 20

// flush writes what the kernel takes at once.
func (c *Conn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeLocked(c.loop.scratch)
}

// overdue ends a connection whose closing takes too long. Unread output makes it a time-out.
func (c *Conn) overdue() {
	if c.state.ending&remains != 0 {
		c.finish(c.whyBroken())
		return
	}
	if c.Pending() > 0 {
		c.finish(ErrTimeout)
		return
	}
	c.finish(c.cause())
}
