package lineman

// arrive asks whether an accepted connection may be there, and reports whether it is: refused, it is reset.
//
//	accepted ──▶ the PROXY header, if one is due ──▶ OnAccept ──▶ TLS, the protocol … ──▶ closed: OnClose, OnGone
//	                                                     └── an error: reset
func (c *Conn) arrive() bool {
	if c.dial != nil {
		return true
	}
	if f := c.service.worker.OnAccept; f != nil && !c.admitted(f) {
		c.reject()
		return false
	}
	c.state.arriving = false
	return true
}

// admitted asks OnAccept. A panic in it refuses.
func (c *Conn) admitted(f func(*Conn) error) (in bool) {
	c.guard(inOnAccept, func() {
		err := f(c)
		if in = err == nil; !in {
			c.loop.stats.Rejected++
			c.service.log.Debug("lineman: a connection was refused", "peer", c.remote, "error", err)
		}
	})
	return in
}

// reject resets a connection that has not arrived.
func (c *Conn) reject() {
	c.mu.Lock()
	c.flags |= aborted
	c.mu.Unlock()
	c.finish(nil)
}

// noteOrigin is called before the connection goes to another service: OnGone stays that of the one that has accepted
// it.
func (c *Conn) noteOrigin(to *service) {
	if c.dial != nil || c.service.worker.OnGone == nil && to.worker.OnGone == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.extrasLocked(); x.origin == nil {
		x.origin = c.service
	}
}

// gone tells that a connection which had arrived is there no more.
func (c *Conn) gone() {
	if c.dial != nil || c.state.arriving {
		return
	}
	c.mu.Lock()
	s := c.service
	if x := c.extra; x != nil && x.origin != nil {
		s = x.origin
	}
	c.mu.Unlock()
	if f := s.worker.OnGone; f != nil {
		c.guard(inOnGone, func() { f(c) })
	}
}
