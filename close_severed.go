package lineman

import "github.com/lineman-go/lineman/internal/poll"

// A connection breaks when a write fails, or when the system says so while nothing is read from it. Its peer gets
// nothing any more. What had come from it before is still in the kernel, and is handled as the application takes it:
//
//	open ──▶ closing, with a rest ──▶ nothing is left, or nothing was taken for Limits.Close: closed
//	              OnClosing           the rest's messages                          OnClose

// sever goes on with a connection that is broken.
func (e *ending) sever(c *Conn) {
	switch {
	case *e&remains != 0:
		return // it was told before
	case c.transport().severed(c):
		return
	case !e.canHaveRest(c):
		err := e.cause(c)
		if err == nil {
			err = e.whyBroken(c)
		}
		if err != poll.ErrAgain {
			e.finish(c, err)
		}
		return
	}
	wasFull := e.dropUnsent(c)
	c.state &^= blocked
	*e |= remains
	e.begin(c)
	e.tell(c)
	if f := c.service.worker.OnDrain; wasFull && f != nil {
		c.guard(inOnDrain, func() { f(c) }) // who waits for it would not go on
	}
	c.session.severed(c)
	c.in.goOn(c) // nothing waits for an answer that streams, or for room
	if c.in.holds(c) && !c.in.waits(c) {
		c.in.receive(c) // it is over if nothing is there
	}
	c.rearm()
}

// setBroken notes that the connection is broken, and why, if that is known.
func (e *ending) setBroken(c *Conn, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flags = c.flags&^stalled | broken
	if err != nil {
		e.setCauseLocked(c, err)
	}
}

// canHaveRest reports whether something that had come may still be handled.
func (e *ending) canHaveRest(c *Conn) bool {
	t := c.transport()
	return c.phase.get() == open && c.state&(ended|arriving) == 0 &&
		!t.shaking() && t.carriesStream() && !c.opens()
}

// whyBroken is what the system says of a connection that nothing more is taken from.
func (e *ending) whyBroken(c *Conn) (err error) {
	for err == nil {
		_, err = c.loop.poll.Read(c.handle, c.loop.buf)
	}
	return err
}

// dropUnsent forgets what cannot be sent, and begins to close. It reports whether OnDrain was due.
func (e *ending) dropUnsent(c *Conn) (wasFull bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wasFull = c.flags&(full|notifyFull) == full
	c.flags = c.flags&^(stalled|full|notifyFull) | broken
	c.phase.set(closing)
	c.out.dropLocked(c)
	c.transport().dropUnsent()
	if x := c.extra; x != nil && x.piped != nil {
		c.loop.givePipe(x.piped)
		x.piped = nil
	}
	return wasFull
}

// hasRest reports whether the connection broke and what had come before is still handled.
func (e *ending) hasRest(c *Conn) bool {
	if *e&remains == 0 {
		return false
	}
	if e.closingHandshake(c) > awaitsClose {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flags&aborted == 0
}

// isBroken reports whether a write failed, or nothing can be written any more.
func (e *ending) isBroken(c *Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flags&broken != 0
}

// attendRest goes on with the rest. goOn means that the application takes it again.
func (e *ending) attendRest(c *Conn, goOn bool) {
	if !e.hasRest(c) {
		e.finish(c, e.cause(c))
		return
	}
	if goOn {
		c.in.goOn(c)
	}
	c.rearm()
}
