package lineman

import (
	"bytes"
	"crypto/tls"
	"io"
	"sync"

	"github.com/lineman-go/lineman/internal/poll"
)

// secure is TLS below the protocol of one connection. crypto/tls sees a net.Conn, wire, whose bytes come from the loop
// and go to it.
//
//	             the handshake's goroutine, from the first bytes on, reads what the loop feeds
//	handshaking ────────────────────────────────────────────────────▶ established
//	                                                     the loop reads, senders write under the
//	                                                     connection's lock: no goroutine
type secure struct {
	conn     *tls.Conn
	wire     *wire
	shaken   bool   // the handshake has succeeded. Guarded by the connection's lock.
	notified bool   // close_notify is in the output. Owned by the loop.
	begun    bool   // the handshake has a goroutine, or has had it. Owned by the loop.
	waits    bool   // for a turn, with the peer's first bytes there. Owned by the loop.
	began    uint32 // tick of the turn's beginning. Owned by the loop.

	// Buffers of conn, empty but for parts of records and of messages to TLS itself. Owned by the loop after the
	// handshake.
	raw, hand *bytes.Buffer
}

const (
	maxRecord = 16 << 10 // plaintext bytes of a TLS record (RFC 8446, 5.1)
	maxWire   = 64 << 10 // what waits for a handshake to look at it, or of TLS for a peer to read it
	maxPlain  = 48 << 10 // what is encrypted at once: its ciphertext fits what a free output keeps
)

// secureConn puts TLS below c. A client begins the handshake; a server does when its first bytes come.
func (c *Conn) secureConn(client bool, config *tls.Config) {
	s := &secure{wire: &wire{}}
	s.wire.changed = sync.NewCond(&s.wire.mu)
	s.wire.wrote = func() { c.wantsWriting() }
	if client {
		s.conn = tls.Client(s.wire, config)
	} else {
		s.conn = tls.Server(s.wire, config)
	}
	s.raw, s.hand = bufferOf(s.conn, "rawInput"), bufferOf(s.conn, "hand")
	c.mu.Lock()
	c.secure = s
	c.mu.Unlock()
	if client {
		c.shake(nil)
	}
}

// shake begins the handshake. It is a turn of t; nil means that it is none.
func (c *Conn) shake(t *turns) {
	s := c.secure
	s.begun = true
	c.loop.helpers.Add(1)
	go func() {
		defer c.loop.helpers.Done()
		err := s.conn.Handshake()
		c.loop.Do(func() {
			if t != nil {
				t.leave(c)
			}
			c.shaken(s, err)
		})
	}()
}

// awaitsTurn has a connection whose first bytes have come wait, unread, if too many handshakes are under way, and
// reports whether it does.
func (c *Conn) awaitsTurn() bool {
	s := c.secure
	if s == nil || s.begun {
		return false
	}
	if t := &c.service.turns; !s.waits && len(t.shakes) >= t.most {
		t.take(c)
	}
	return s.waits
}

// wantsWriting has the loop write what TLS has to say.
func (c *Conn) wantsWriting() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != closed {
		c.markLocked(0)
	}
}

// shaking reports whether the handshake of TLS is under way. The loop, which alone changes that, asks without the lock,
// and others with it.
func (c *Conn) shaking() bool { return c.secure != nil && !c.secure.shaken }

// shaken goes on after the handshake.
func (c *Conn) shaken(s *secure, err error) {
	if c.phase.get() != open || c.secure != s {
		return
	}
	broke := c.isBroken()
	if err != nil {
		c.service.log.Debug("lineman: TLS handshake", "peer", c.remote, "error", err)
		if broke {
			c.finish(&ProtocolError{Protocol: "tls", Err: err})
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.setCauseLocked(&ProtocolError{Protocol: "tls", Err: err})
		c.dropOutputLocked() // what this side sent before it was there
		c.state.ended = s.wire.over()
		c.phase.set(closing) // the alert is written first
		c.markLocked(parted)
		return
	}
	c.mu.Lock()
	c.secure.shaken = true
	c.mu.Unlock()
	c.secure.wire.unblock()
	c.session.begin(c)
	if broke {
		c.broke() // and handles what came
		return
	}
	c.decrypt()
	c.rearm()
}

// feed takes what came from the kernel.
func (c *Conn) feed(data []byte) {
	if c.phase.get() >= lingering {
		return
	}
	w := c.secure.wire
	w.mu.Lock()
	if c.shaking() {
		w.in = append(w.in, data...)
		w.changed.Signal()
		w.mu.Unlock()
		if s := c.secure; !s.begun && !s.waits {
			c.service.turns.take(c)
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
	c.decrypt()
	c.rearm()
	w.mu.Lock()
	defer w.mu.Unlock()
	if borrowed && len(w.in) > 0 {
		w.in = append([]byte(nil), w.in...)
	}
}

// endWire handles the end of the stream below TLS. What has come is looked at first, by the handshake too.
func (c *Conn) endWire() {
	c.secure.wire.end()
	switch {
	case c.phase.get() == lingering:
		c.finish(nil)
	case !c.secure.begun:
		c.finish(io.EOF)
	case c.shaking():
		c.rearm()
	default:
		c.decrypt()
	}
}

// decrypt handles what TLS can make of the bytes that have come.
func (c *Conn) decrypt() {
	s, d := c.secure, c.loop.decryption()
	lent := d.lend(s.raw)
	for c.secure == s && !c.state.ended && c.phase.get() < lingering && !c.holds() {
		n, err := s.conn.Read(d.plain)
		if n > 0 {
			c.decode(d.plain[:n])
		}
		switch {
		case err == nil && s.wire.unsent() > maxWire:
			c.brokeTLS(errUnread)
		case err == nil:
			continue
		case err == io.EOF: // close_notify
			c.end(io.EOF)
		case err == errCut:
			c.end(io.ErrUnexpectedEOF)
		case !isNothing(err):
			c.brokeTLS(err)
		}
		break
	}
	d.takeBack(s.raw, lent)
	d.takeBack(s.hand, false)
	if s.wire.unsent() > 0 {
		c.wantsWriting() // an answer of TLS itself, such as to a key update
	}
}

// brokeTLS ends a connection whose peer broke TLS. The alert is written first.
func (c *Conn) brokeTLS(err error) {
	if c.state.ending&remains != 0 {
		c.finish(&ProtocolError{Protocol: "tls", Err: err})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() >= lingering {
		return
	}
	c.setCauseLocked(&ProtocolError{Protocol: "tls", Err: err})
	c.dropOutputLocked()
	c.state.ended = true
	c.secure.notified = true
	c.phase.set(closing)
	c.markLocked(parted)
}

// transmitLocked encrypts what is plain and hands it to the kernel, with the connection's lock held. It returns how
// much of it was used, and how many bytes the kernel has taken. What it has not taken stays in the wire: ErrAgain
// tells.
func (s *secure) transmitLocked(p poll.Poller, h poll.Handle, plain []byte) (used, written int, err error) {
	if written, err = s.wire.flush(p, h); err != nil || !s.shaken || len(plain) == 0 {
		return 0, written, err
	}
	plain = plain[:min(len(plain), maxPlain)]
	if _, err := s.conn.Write(plain); err != nil {
		return 0, written, err
	}
	n, err := s.wire.flush(p, h)
	return len(plain), written + n, err
}

// notify puts close_notify into the output, once, and reports whether it did.
func (s *secure) notify() bool {
	if s.notified || !s.shaken {
		return false
	}
	s.notified = true
	return s.conn.CloseWrite() == nil
}
