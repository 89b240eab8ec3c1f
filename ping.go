package lineman

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/lineman-go/lineman/protocol/websocket"
)

// Ping asks the peer of a WebSocket for a pong, with at most 125 bytes that come back with it (RFC 6455, 5.5.2); nil
// will do. From any goroutine: it copies payload and returns at once. Events.OnPong tells of the answer, and Stats how
// long it took. A peer that does not answer is left alone: ending it is for websocket.Protocol's PingInterval, whose
// pings are apart from these.
//
// ErrFull and net.ErrClosed are as for Send. A connection that is no WebSocket, or not yet, gives an error that matches
// errors.ErrUnsupported.
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
	case c.isFullLocked():
		return c.refuseLocked()
	}
	c.extrasLocked().askLocked(payload, c.loop.clock())
	c.sayLocked(func(dst []byte) []byte { return ws.AppendControl(dst, websocket.Ping, payload) })
	c.queuedLocked()
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

// ponged measures the round trip if this is the answer to the last Ping: a peer may leave out those to earlier ones.
func (c *Conn) ponged(payload []byte) {
	c.mu.Lock()
	if x := c.extra; x != nil && x.ping != nil && !x.ping.at.IsZero() && bytes.Equal(x.ping.payload, payload) {
		x.ping.roundTrip, x.ping.at = c.loop.clock().Sub(x.ping.at), time.Time{}
	}
	c.mu.Unlock()
	if f := c.service.worker.OnPong; f != nil && c.phase.get() == open {
		c.loop.doing.set(inOnPong)
		f(c, payload)
	}
}

// roundTripLocked is how long the last answered Ping took.
func (c *Conn) roundTripLocked() time.Duration {
	if x := c.extra; x != nil && x.ping != nil {
		return x.ping.roundTrip
	}
	return 0
}
