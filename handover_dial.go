package lineman

import "github.com/lineman-go/lineman/internal/handover"

// A connection that was dialed crosses as others do. One that is absent crosses without a descriptor: what was begun
// ends without a word, and the successor dials.

// isAbsentLocked reports whether this side is still dialing, or about to.
func isAbsentLocked(c *Conn) bool { return c.link.dialing() != nil && c.flags&opening != 0 }

// recordDialLocked tells in r how a connection was dialed, and how far that has come.
func recordDialLocked(c *Conn, r *handover.Record) {
	d, l := c.link.dialing(), c.loop
	r.Dialer, r.Absent, r.Waited = d.own.name, isAbsentLocked(c), d.wait
	if c.service == d.own {
		r.Worker = ""
	}
	if !d.since.IsZero() {
		r.Lasted = max(l.now.Sub(d.since), 0)
	}
	if d.again != nil {
		r.Due = max(d.again.due.Sub(l.clock()), 0)
	}
}

// newAbsent makes the connection of a record that is not there. It goes without the lock, as newCrossed does.
func newAbsent(s *service, d *dialing, r *handover.Record) (*Conn, error) {
	c := newDialed(s, d, r.ID)
	c.held, c.accepted, c.out.bytes = r.Held, r.Accepted, r.BytesOut
	c.in.bytes.set(r.BytesIn)
	c.in.messages = r.MessagesIn
	if r.Refused > 0 {
		c.extrasLocked().refused = r.Refused
	}
	if err := checkKind(c, c.session, r.Kind); err != nil {
		return nil, err
	}
	if len(r.Session) > 0 {
		if err := c.session.restoreState(c, r.Session); err != nil {
			return nil, err
		}
	}
	if len(r.Unsent) > 0 {
		c.out.sayLocked(c, func(dst []byte) []byte { return append(dst, r.Unsent...) })
	}
	if r.Full {
		c.flags |= full
	}
	return c, nil
}

// withdraw dials no more: another process does. It reports whether the connection was waiting for its next attempt.
func (d *dialing) withdraw(c *Conn) (waited bool) {
	l := c.loop
	if waited = d.again != nil; waited {
		d.again.Stop()
	} else {
		l.outgoing--
	}
	if l.dials[c] && !waited {
		d.cancel()
	}
	delete(l.dials, c)
	c.mu.Lock()
	defer c.mu.Unlock()
	d.stopped = true
	d.giveUpLocked(c)
	return waited
}
