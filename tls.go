package lineman

import (
	"bytes"
	"crypto/tls"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/lineman-go/lineman/internal/poll"
)

// tlsTransport is TLS below the protocol of one connection. crypto/tls sees a net.Conn, wire, whose bytes come from the
// loop.
//
//	             a goroutine, from the first bytes on, reads what the loop feeds, and writes
//	handshaking ────────────────────────────────────────────────────▶ established
//	                                                     the loop reads, senders write under the
//	                                                     connection's lock: no goroutine
type tlsTransport struct {
	stream
	conn     *tls.Conn
	wire     *wire
	done     bool   // the handshake has succeeded. Guarded by the connection's lock; the loop alone changes it.
	notified bool   // close_notify is in the output. Owned by the loop.
	begun    bool   // the handshake has a goroutine, or has had it. Owned by the loop.
	queued   bool   // for a slot, with the peer's first bytes there. Owned by the loop.
	began    uint32 // tick of the handshake's beginning. Owned by the loop.

	// Buffers of conn, empty but for parts of records and of messages to TLS itself. Owned by the loop after the
	// handshake.
	raw, hand *bytes.Buffer
}

const (
	maxRecord = 16 << 10 // plaintext bytes of a TLS record (RFC 8446, 5.1)
	maxWire   = 64 << 10 // what waits for a handshake to look at it, or of TLS for a peer to read it
	maxPlain  = 48 << 10 // what is encrypted at once: its ciphertext fits what a free output keeps
)

// beginTLS puts TLS below the protocol of c. A client begins the handshake; a server does when its first bytes come.
func beginTLS(c *Conn, client bool, config *tls.Config) {
	s := &tlsTransport{wire: &wire{}}
	s.wire.changed = sync.NewCond(&s.wire.mu)
	s.wire.wrote = func() { s.flight(c) }
	if client {
		s.conn = tls.Client(s.wire, config)
	} else {
		s.conn = tls.Server(s.wire, config)
	}
	s.raw, s.hand = bufferOf(s.conn, "rawInput"), bufferOf(s.conn, "hand")
	c.mu.Lock()
	if c.link == nil {
		c.link = &link{}
	}
	c.link.secure = s
	c.mu.Unlock()
	if client {
		s.shake(c, nil)
	}
}

// shake begins the handshake. It has a slot of t; nil means that it needs none.
func (s *tlsTransport) shake(c *Conn, t *handshakeSlots) {
	s.begun = true
	c.loop.shakers.run(c.loop, handshake{c, s, t})
}

// flight writes at once what the handshake says, on its goroutine: the loop need not wake up for it.
func (s *tlsTransport) flight(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link.tls() != s || c.phase.get() == closed || c.flags&stalled != 0 {
		return
	}
	if c.flags&broken == 0 {
		c.out.writeLocked(c, nil)
	}
	if c.flags&broken != 0 {
		c.markLocked(0)
	}
}

// receive reads once, unless the first bytes have to wait because too many handshakes are under way.
func (s *tlsTransport) receive(c *Conn) {
	if s.awaitsSlot(c) {
		return
	}
	data, err := c.in.read(c)
	switch {
	case err == poll.ErrAgain:
	case err == io.EOF:
		s.ended(c)
	case err != nil && s.mayFinish(c):
		s.wire.end()
		c.end.setBroken(c, err)
		c.end.sever(c)
	case err != nil:
		c.end.finish(c, err)
	default:
		c.in.arrived(c, data)
	}
}

// awaitsSlot reports whether the connection waits for a slot.
func (s *tlsTransport) awaitsSlot(c *Conn) bool {
	if s.begun {
		return false
	}
	if t := &c.service.slots; !s.queued && len(t.running) >= t.most {
		t.acquire(c)
	}
	return s.queued
}

// mayFinish reports whether the handshake of an accepted connection is under way, and may be over with what has come.
func (s *tlsTransport) mayFinish(c *Conn) bool { return c.link.dialing() == nil && !s.done && s.begun }

// severed has the handshake go on: what came with it is looked at after it.
func (s *tlsTransport) severed(c *Conn) bool {
	if !s.mayFinish(c) {
		return false
	}
	c.end.setBroken(c, nil)
	c.state &^= blocked
	c.rearm()
	return true
}

// shaking is asked by the loop, which alone changes that, without the lock, and by others with it.
func (s *tlsTransport) shaking() bool { return !s.done }

// limits of the handshake are shorter while others wait for its slot.
func (s *tlsTransport) limits(c *Conn) (on [3]limit) {
	on[0] = limit{c.since, c.service.after.handshake, timeOut}
	if s.begun && len(c.service.slots.queue) > 0 {
		on[1] = limit{s.began, brief, timeOut}
	}
	return on
}

// shaken goes on after the handshake.
func (s *tlsTransport) shaken(c *Conn, err error) {
	if c.phase.get() != open || c.link.tls() != s {
		return
	}
	broke := c.end.isBroken(c)
	if err != nil {
		c.service.log.Debug("lineman: TLS handshake", "peer", c.remote.addr(c), "error", err)
		if broke {
			c.end.finish(c, &ProtocolError{Protocol: "tls", Err: err})
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.end.setCauseLocked(c, &ProtocolError{Protocol: "tls", Err: err})
		c.out.dropLocked(c) // what this side sent before it was there
		c.state.put(ended, s.wire.over())
		c.end.closeLocked(c) // the alert is written first
		return
	}
	c.mu.Lock()
	s.wire.unblock() // before anybody encrypts, with the lock held
	s.done = true
	c.mu.Unlock()
	c.session.begin(c)
	if broke {
		c.end.sever(c) // and handles what came
		return
	}
	s.decrypt(c)
	c.rearm()
}

// take feeds what came from the kernel to the handshake, or to what was agreed on by it.
func (s *tlsTransport) take(c *Conn, data []byte) {
	if c.phase.get() >= lingering {
		return
	}
	w := s.wire
	w.mu.Lock()
	if !s.done {
		w.in = append(w.in, data...)
		w.changed.Signal()
		w.mu.Unlock()
		if !s.begun && !s.queued {
			c.service.slots.acquire(c)
		}
		c.rearm()
		return
	}
	borrowed := len(w.in) == 0
	if borrowed {
		w.in = data
	} else {
		w.in = append(w.in, data...)
	}
	w.mu.Unlock()
	s.decrypt(c)
	c.rearm()
	w.mu.Lock()
	defer w.mu.Unlock()
	if borrowed && len(w.in) > 0 {
		w.in = append([]byte(nil), w.in...)
	}
}

// ended handles the end of the stream below TLS. What has come is looked at first, by the handshake too.
func (s *tlsTransport) ended(c *Conn) {
	s.wire.end()
	switch {
	case c.phase.get() == lingering:
		c.end.finish(c, nil)
	case !s.begun:
		c.end.finish(c, io.EOF)
	case !s.done:
		c.rearm()
	default:
		s.decrypt(c)
	}
}

func (s *tlsTransport) goOn(c *Conn) {
	if s.done {
		s.decrypt(c)
	}
}

// decrypt handles what TLS can make of the bytes that have come.
func (s *tlsTransport) decrypt(c *Conn) {
	d := c.loop.decryption()
	lent := d.lend(s.raw)
	for c.link.tls() == s && c.state&ended == 0 && c.phase.get() < lingering && !c.in.holds(c) {
		n, err := s.conn.Read(d.plain)
		if n > 0 {
			c.in.decode(c, d.plain[:n])
		}
		switch {
		case err == nil && s.wire.unsent() > maxWire:
			s.fail(c, errUnread)
		case err == nil:
			continue
		case err == io.EOF: // close_notify
			c.in.end(c, io.EOF)
		case err == errCut:
			c.in.end(c, io.ErrUnexpectedEOF)
		case !isNothing(err):
			s.fail(c, err)
		}
		break
	}
	d.takeBack(s.raw, lent)
	d.takeBack(s.hand, false)
	if s.wire.unsent() > 0 {
		c.attention() // an answer of TLS itself, such as to a key update
	}
}

// fail ends a connection whose peer broke TLS. The alert is written first.
func (s *tlsTransport) fail(c *Conn, err error) {
	if c.end&remains != 0 {
		c.end.finish(c, &ProtocolError{Protocol: "tls", Err: err})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() >= lingering {
		return
	}
	c.end.setCauseLocked(c, &ProtocolError{Protocol: "tls", Err: err})
	c.out.dropLocked(c)
	c.state |= ended
	s.notified = true
	c.end.closeLocked(c)
}

func (s *tlsTransport) writeLocked(c *Conn, scratch []byte) { c.out.writeStreamLocked(c, scratch, s) }

// transmitLocked encrypts what is plain and hands it to the kernel. What the kernel has not taken of that stays in the
// wire: ErrAgain tells.
func (s *tlsTransport) transmitLocked(c *Conn, plain []byte, _ [][]byte) (used, written int, err error) {
	if written, err = s.wire.flush(c.loop.poll, c.handle); err != nil || !s.done || len(plain) == 0 {
		return 0, written, err
	}
	plain = plain[:min(len(plain), maxPlain)]
	if _, err := s.conn.Write(plain); err != nil {
		return 0, written, err
	}
	n, err := s.wire.flush(c.loop.poll, c.handle)
	return len(plain), written + n, err
}

// sayGoodbye queues close_notify (RFC 8446, 6.1).
func (s *tlsTransport) sayGoodbye() bool {
	if s.notified || !s.done {
		return false
	}
	s.notified = true
	return s.conn.CloseWrite() == nil
}

func (s *tlsTransport) waits() bool     { return s.raw.Len() > 0 || s.wire.waits() }
func (s *tlsTransport) hasEnough() bool { return s.queued || s.wire.enough() }
func (s *tlsTransport) unsent() int     { return s.wire.unsent() }
func (s *tlsTransport) dropUnsent()     { s.wire.drop() }
func (s *tlsTransport) closed()         { s.wire.end() }

// handshakeSlots are a semaphore: the handshakes of TLS that a loop has in flight for the connections of a worker. Each
// has a goroutine, and costs more than anything else that a peer can ask for by a few bytes: so there are at most so
// many at a time, and the other connections wait, unread. Owned by the loop.
//
//	the first bytes come        a slot is free          the handshake's goroutine has ended
//	─────────────────────▶ queue ───────────────▶ running ─────────────────────────────▶ the slot is free
type handshakeSlots struct {
	most    int
	running []*Conn // whose handshake is in flight
	queue   []*Conn // in the order of their first bytes; some may have closed
}

// brief is how long a slot may be held while others wait for one: a peer that says no more must not keep them out.
const brief = uint32(2 * time.Second / tick)

// acquire gives c a slot, or has it wait for one.
func (t *handshakeSlots) acquire(c *Conn) {
	if len(t.running) < t.most {
		t.start(c)
		return
	}
	c.link.tls().queued = true
	t.queue = append(t.queue, c)
	c.rearm()
	if len(t.queue) == 1 {
		for _, busy := range t.running {
			busy.watch(brief)
		}
	}
}

func (t *handshakeSlots) start(c *Conn) {
	s := c.link.tls()
	s.queued, s.began = false, c.loop.present
	t.running = append(t.running, c)
	if len(t.queue) > 0 {
		c.watch(brief)
	}
	s.shake(c, t)
	c.rearm()
}

// release takes the slot of c back, whose goroutine has ended, and gives it to the next.
func (t *handshakeSlots) release(c *Conn) {
	if i := slices.Index(t.running, c); i >= 0 {
		t.running = slices.Delete(t.running, i, i+1)
	}
	for len(t.queue) > 0 && len(t.running) < t.most {
		next := t.queue[0]
		t.queue = slices.Delete(t.queue, 0, 1)
		if next.phase.get() == open {
			t.start(next)
		}
	}
}
