package lineman

// admit asks whether an accepted connection may be there, and reports whether it is: refused, it is reset.
//
//	accepted ──▶ the PROXY header, if one is due ──▶ OnAccept ──▶ TLS, the protocol … ──▶ closed: OnClose, OnGone
//	                                                     └── an error: reset
func (s *service) admit(c *Conn) bool {
	if c.link.dialing() != nil {
		return true
	}
	if f := s.worker.OnAccept; f != nil && !s.accepts(c, f) {
		s.reject(c)
		return false
	}
	c.state &^= arriving
	return true
}

// accepts asks OnAccept. A panic in it refuses.
func (s *service) accepts(c *Conn, f func(*Conn) error) (in bool) {
	c.guard(inOnAccept, func() {
		err := f(c)
		if in = err == nil; !in {
			c.loop.stats.Rejected++
			s.log.Debug("lineman: a connection was refused", "peer", c.remote.addr(c), "error", err)
		}
	})
	return in
}

// reject resets a connection that has not arrived.
func (s *service) reject(c *Conn) {
	c.mu.Lock()
	c.flags |= aborted
	c.mu.Unlock()
	c.end.finish(c, nil)
}

// noteOrigin is called before the connection goes to another service: OnGone stays that of the one that has accepted
// it.
func noteOrigin(c *Conn, to *service) {
	if c.link.dialing() != nil || c.service.worker.OnGone == nil && to.worker.OnGone == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.extrasLocked(); x.origin == nil {
		x.origin = c.service
	}
}

// tellGone tells that a connection which had arrived is there no more.
func tellGone(c *Conn) {
	if c.link.dialing() != nil || c.state&arriving != 0 {
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
