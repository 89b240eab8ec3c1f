package lineman

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/lineman-go/lineman/protocol/websocket"
)

// Ping asks the peer of a WebSocket for a pong. The pong returns the payload, of at most 125 bytes (RFC 6455, 5.5.2),
// which may be nil. From any goroutine: Ping copies payload and returns at once. Events.OnPong gets the answer, and
// Stats tells how long it took. If the peer does not answer, nothing happens. To end such connections, set PingInterval
// of websocket.Protocol: its pings are independent of these.
//
// ErrFull and net.ErrClosed are as for Send. A longer payload is an error, and nothing is sent. A connection that is no
// WebSocket, or not yet, gives an error that matches errors.ErrUnsupported.
func (c *Conn) Ping(payload []byte) error {
	if len(payload) > websocket.MaxControl {
		return fmt.Errorf("lineman: ping: %d bytes: want %d at the most", len(payload), websocket.MaxControl)
	}
	if c.loop == nil {
		return net.ErrClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ws, ok := c.session.(*wsSession)
	switch {
	case c.phase.get() != open:
		return net.ErrClosed
	case !ok:
		return fmt.Errorf("lineman: ping: the connection is no WebSocket, or not yet: %w", errors.ErrUnsupported)
	case c.out.isFullLocked(c):
		return c.out.refuseLocked(c)
	}
	c.extrasLocked().askLocked(payload, c.loop.clock())
	c.out.sayLocked(c, func(dst []byte) []byte { return ws.AppendControl(dst, websocket.Ping, payload) })
	c.out.queuedLocked(c)
	return nil
}

// pinging is the last Ping of a connection.
type pinging struct {
	payload   []byte
	at        time.Time // zero once it was answered
	roundTrip time.Duration
}

func (x *extra) askLocked(payload []byte, now time.Time) {
	if x.ping == nil {
		x.ping = &pinging{}
	}
	x.ping.payload, x.ping.at = append(x.ping.payload[:0], payload...), now
}

// limits adds the keep-alive of a WebSocket: one is sent when nothing has come for PingInterval, and a peer from which
// nothing comes for PongTimeout then is ended.
//
//	bytes come ──▶ quiet ── PingInterval ──▶ ping ── PongTimeout ──▶ silent: closed
//	    ▲                                     │ bytes come
//	    └─────────────────────────────────────┘
func (s *wsSession) limits(c *Conn) [3]limit {
	on, after := s.plain.limits(c), &c.service.after
	switch {
	case c.state&paused != 0 || after.ping == 0:
	case c.state&pinged != 0 && after.pong != 0:
		on[2] = limit{c.in.touched, after.ping + after.pong, endSilent}
	default:
		on[2] = limit{c.in.touched, after.ping, s.ping}
	}
	return on
}

// ping asks a peer from which nothing has come.
func (s *wsSession) ping(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != open {
		return
	}
	c.state |= pinged
	c.out.sayLocked(c, func(dst []byte) []byte { return s.AppendControl(dst, websocket.Ping, nil) })
	c.markLocked(0)
	c.watch(cmp.Or(c.service.after.pong, c.service.after.ping))
}

// ponged measures the round trip if this is the answer to the last Ping: a peer may leave out those to earlier ones.
func (s *wsSession) ponged(c *Conn, payload []byte) {
	c.mu.Lock()
	if x := c.extra; x != nil && x.ping != nil && !x.ping.at.IsZero() && bytes.Equal(x.ping.payload, payload) {
		x.ping.roundTrip, x.ping.at = c.loop.clock().Sub(x.ping.at), time.Time{}
	}
	c.mu.Unlock()
	if f := c.service.worker.OnPong; f != nil && c.phase.get() == open {
		c.loop.enters(inOnPong)
		f(c, payload)
	}
}

// roundTripLocked is how long the last answered Ping took.
func (x *extra) roundTripLocked() time.Duration {
	if x != nil && x.ping != nil {
		return x.ping.roundTrip
	}
	return 0
}

// pongs are those of a peer that does not read: one waits to be written, and one is owed, to the last ping (RFC 6455,
// 5.5.3). More of them would be memory that a peer takes by sending alone.
type pongs struct {
	until   uint64 // bytesOut by which the kernel has the one that waits
	owed    bool
	payload []byte // of the one that is owed
}

// pinged answers a ping, or owes the answer to a peer that has not read the one before.
func (s *wsSession) pinged(c *Conn, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != open || s.owesLocked(c, payload) {
		return
	}
	s.pongLocked(c, payload)
	c.markLocked(0)
}

// owesLocked keeps the answer to a ping for later, and reports whether it did.
func (s *wsSession) owesLocked(c *Conn, payload []byte) bool {
	if c.flags&stalled == 0 {
		return false
	}
	x := c.extrasLocked()
	if x.pongs == nil {
		x.pongs = &pongs{}
	}
	if c.out.bytes >= x.pongs.until && !c.out.isFullLocked(c) {
		return false
	}
	x.pongs.owed, x.pongs.payload = true, append(x.pongs.payload[:0], payload...)
	return true
}

// pongLocked puts a pong into the output.
func (s *wsSession) pongLocked(c *Conn, payload []byte) {
	c.out.sayLocked(c, func(dst []byte) []byte { return s.AppendControl(dst, websocket.Pong, payload) })
	if x := c.extra; x != nil && x.pongs != nil {
		x.pongs.until = c.out.bytes + uint64(c.out.pendingLocked(c))
	}
}

// writtenLocked puts the pong that is owed into the output, once the one before has gone.
func (s *wsSession) writtenLocked(c *Conn) {
	x := c.extra
	if x == nil || x.pongs == nil || c.out.bytes < x.pongs.until || c.phase.get() != open {
		return
	}
	if p := x.pongs; p.owed {
		p.owed = false
		s.pongLocked(c, p.payload)
		c.markLocked(0)
		return
	}
	if c.flags&stalled == 0 {
		x.pongs = nil
	}
}
