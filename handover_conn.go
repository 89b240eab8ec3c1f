package lineman

import (
	"fmt"
	"net/netip"

	"github.com/lineman-go/lineman/internal/handover"
	"github.com/lineman-go/lineman/internal/poll"
)

// What follows is a connection as a record, and back. Its session says by itself what it knows: handover_session.go.

const (
	staysDialed stays = "its Dialer has no Save"
	staysWorker stays = "its worker has no Save"
)

// recordLocked tells in r, whose memory it uses again, all of a connection but its value. Its loop stands still. From
// then on nothing is written: what is accepted for sending gathers in the output.
func recordLocked(c *Conn, r *handover.Record) error {
	if err := staysLocked(c); err != nil {
		return err
	}
	kind := c.session.recordKind(c)
	isAbsent := isAbsentLocked(c)
	if !isAbsent && c.phase.connected() != connects(c.service, kind) {
		return staysHandshake
	}
	state, err := stateLocked(c, r.Session[:0])
	if err != nil {
		return err
	}
	l := c.loop
	*r = handover.Record{
		ID: c.id, Loop: l.index, Worker: c.service.name, Kind: kind,
		Paused: c.state&paused != 0, Full: c.flags&(full|notifyFull) == full, Pinged: c.state&pinged != 0,
		Held: c.held, Since: l.present - c.since, Touched: l.present - c.in.touched,
		BytesIn: c.in.bytes.count(), BytesOut: c.out.bytes, MessagesIn: c.in.messages, Accepted: c.accepted,
		Session: state, Unsent: r.Unsent[:0],
	}
	if c.out.queue != nil {
		r.Unsent = c.out.queue.AppendTo(r.Unsent, 0)
	}
	if c.link.dialing() != nil {
		recordDialLocked(c, r)
	}
	if isAbsent {
		return nil
	}
	if c.remote.known {
		r.Peer = netip.AddrPortFrom(netip.AddrFrom16(c.remote.ip).Unmap(), c.remote.port)
	}
	if x := c.extra; x != nil {
		r.Zone, r.Client, r.Refused = x.zone, x.client, x.refused
		if x.origin != nil {
			r.Origin = x.origin.name
		}
	}
	if c.in.rest != nil {
		r.Unread = c.in.rest.bytes
	}
	if err := recordTLSLocked(c, r); err != nil {
		return err
	}
	c.flags |= stalled
	return nil
}

// connects reports whether OnConnect has run for a connection with that kind of session: a WebSocket has it after its
// handshake.
func connects(s *service, kind string) bool {
	return kind == kindWebSocket || s.kind != speaksWebSocket
}

// newCrossed makes the connection of a record, which does not run yet: the poller does not watch it, and nothing is
// written. It goes without the lock, as nobody knows the connection yet.
func newCrossed(s *service, d *dialing, h poll.Handle, r *handover.Record) (*Conn, error) {
	if r.Absent {
		return newAbsent(s, d, r)
	}
	l := s.loop
	c := &Conn{loop: l, id: r.ID, handle: h, service: s, held: r.Held, accepted: r.Accepted}
	if d != nil {
		c.link = &link{dial: d}
	}
	c.out.bytes = r.BytesOut
	c.in.bytes.set(r.BytesIn)
	c.in.messages = r.MessagesIn
	c.in.touched, c.since = l.present-r.Touched, l.present-r.Since
	c.remote.setLocked(c, netip.AddrPortFrom(r.Peer.Addr().WithZone(r.Zone), r.Peer.Port()))
	if r.Client.IsValid() || r.Refused > 0 {
		x := c.extrasLocked()
		x.client, x.refused = r.Client, r.Refused
	}
	if r.Origin != "" {
		if c.extrasLocked().origin = l.named(r.Origin); c.extra.origin == nil {
			return nil, unknownWorker(r.Origin)
		}
	}
	err := restoreTLS(c, r)
	if err != nil {
		return nil, err
	}
	if c.session, err = restoreSession(c, r.Kind, r.Session); err != nil {
		return nil, err
	}
	c.phase.connect(connects(s, r.Kind))
	c.state |= armedRead
	c.state.put(paused, r.Paused)
	c.state.put(pinged, r.Pinged)
	if r.Full {
		c.flags |= full
	}
	if len(r.Unread) > 0 {
		c.in.rest = l.newInput()
		c.in.rest.add(l, r.Unread)
	}
	if len(r.Unsent) > 0 {
		c.out.sayLocked(c, func(dst []byte) []byte { return append(dst, r.Unsent...) })
		c.flags |= stalled // in the predecessor too
	}
	c.state.put(holding, c.in.rest != nil && !c.in.takes(c))
	c.state.put(half, (c.in.rest != nil || c.session.half()) && c.state&(paused|holding) == 0)
	c.flags |= stalled
	return c, nil
}

// named is the service of a worker; nil if the loop does not know it.
func (l *Loop) named(worker string) *service {
	for _, s := range l.services {
		if s.name == worker {
			return s
		}
	}
	return nil
}

func unknownWorker(name string) error {
	return fmt.Errorf("the new program does not know worker %q", name)
}

// forget takes a connection that another process has off its loop, without a word to the application or to the peer.
func forget(c *Conn) {
	c.mu.Lock()
	c.phase.set(closed)
	if c.handle != absent {
		c.loop.poll.Leave(c.handle)
	}
	c.mu.Unlock()
	c.transport().closed()
	forgetBut(c)
}

// forgetBut is forget for a connection whose socket stays.
func forgetBut(c *Conn) {
	l := c.loop
	c.mu.Lock()
	c.phase.set(closed)
	c.out.dropLocked(c)
	x := c.extra
	c.mu.Unlock()
	if x != nil {
		x.stopTimers()
	}
	l.exit(c)
	if d := c.link.dialing(); d == nil || !d.withdraw(c) {
		l.live--
	}
	l.freeInput(c)
	c.end |= told
	c.end.cancelContext(c)
}

// raiseLastID has connections be numbered from above n on.
func raiseLastID(n uint64) {
	for {
		last := lastID.Load()
		if last >= n || lastID.CompareAndSwap(last, n) {
			return
		}
	}
}
