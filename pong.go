package lineman

import "github.com/lineman-go/lineman/protocol/websocket"

// pongs are those of a peer that does not read: one waits to be written, and one is owed, to the last ping (RFC 6455,
// 5.5.3). More of them would be memory that a peer takes by sending alone.
type pongs struct {
	until   uint64 // bytesOut by which the kernel has the one that waits
	owed    bool
	payload []byte // of the one that is owed
}

// owesPongLocked keeps the answer to a ping for later, and reports whether it did.
func (c *Conn) owesPongLocked(payload []byte) bool {
	if c.flags&stalled == 0 {
		return false
	}
	x := c.extrasLocked()
	if x.pongs == nil {
		x.pongs = &pongs{}
	}
	if c.bytesOut >= x.pongs.until && !c.isFullLocked() {
		return false
	}
	x.pongs.owed, x.pongs.payload = true, append(x.pongs.payload[:0], payload...)
	return true
}

// sayPongLocked puts a pong into the output.
func (c *Conn) sayPongLocked(payload []byte) {
	ws, ok := c.session.(*wsSession)
	if !ok {
		return
	}
	c.sayLocked(func(dst []byte) []byte { return ws.AppendControl(dst, websocket.Pong, payload) })
	if x := c.extra; x != nil && x.pongs != nil {
		x.pongs.until = c.bytesOut + uint64(c.pendingLocked())
	}
}

// payPongLocked puts the pong that is owed into the output, once the one before has gone.
func (c *Conn) payPongLocked() {
	x := c.extra
	if x == nil || x.pongs == nil || c.bytesOut < x.pongs.until || c.phase.get() != open {
		return
	}
	if p := x.pongs; p.owed {
		p.owed = false
		c.sayPongLocked(p.payload)
		c.markLocked(0)
		return
	}
	if c.flags&stalled == 0 {
		x.pongs = nil
	}
}
