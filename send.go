package lineman

import (
	"net"

	"github.com/lineman-go/lineman/protocol/http1"
)

// Send sends a message: a WebSocket text message, a line, a frame, bytes, the answer 200 text/plain to the HTTP request
// that waits, or a piece of the answer that streams. It copies msg and returns at once; the loop writes at the end of
// its tick. Messages of one goroutine arrive in order, each whole. nil means accepted, ErrFull refused whole because
// the peer does not read, net.ErrClosed closed or closing; other errors are the protocol's, about this message. What is
// accepted while Loop.Dial makes the connection, or makes it again, waits until it is there.
func (c *Conn) Send(msg []byte) error {
	return c.send(func(dst []byte) ([]byte, error) { return c.session.Append(dst, msg) })
}

// SendBinary sends a binary message on a WebSocket; elsewhere it is Send.
func (c *Conn) SendBinary(msg []byte) error {
	return c.send(func(dst []byte) ([]byte, error) { return appendBinary(c.session, dst, msg) })
}

// Write sends p as it is, past the protocol, in the manner of io.Writer. Its errors are those of Send.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.send(func(dst []byte) ([]byte, error) { return append(dst, p...), nil }); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Respond answers the HTTP request that waits. The response is copied. ErrAnswered means that no request waits: each
// takes one answer. If it has Stream, each Send adds to its body until EndStream.
func (c *Conn) Respond(r *http1.Response) error {
	return c.send(func(dst []byte) ([]byte, error) {
		h, ok := c.session.(*httpSession)
		if !ok {
			return dst, ErrAnswered
		}
		return h.respondLocked(dst, r)
	})
}

// EndStream ends the body of an answer with Stream, and the connection goes on to the next request. ErrAnswered means
// that there is none.
func (c *Conn) EndStream() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, ok := c.session.(*httpSession)
	if !ok || !h.streaming {
		return ErrAnswered
	}
	if c.phase.get() != open {
		return net.ErrClosed
	}
	c.sayLocked(func(dst []byte) []byte {
		dst, _ = h.endStreamLocked(dst) // it streams
		return dst
	})
	c.markLocked(0)
	h.sentLocked(c)
	return nil
}

// send appends what encode gives to the output, under the lock, and sees to it that the loop writes it.
func (c *Conn) send(encode func(dst []byte) ([]byte, error)) error {
	if c.loop == nil {
		return net.ErrClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != open {
		c.session.unsentLocked(c)
		return net.ErrClosed
	}
	if c.isFullLocked() {
		return c.refuseLocked()
	}
	t := c.transport()
	dst := t.bufferLocked(c)
	b, err := encode(dst)
	if err != nil || len(b) == len(dst) && t.carriesStream() {
		c.releaseLocked()
		return err
	}
	return t.queueLocked(c, b)
}

// releaseLocked gives an output back that has nothing.
func (c *Conn) releaseLocked() {
	if c.out != nil && c.out.Len() == 0 {
		c.out.Release()
		c.out = nil
	}
}

// acceptLocked is called when a message was queued.
func (c *Conn) acceptLocked() {
	c.messagesOut++
	c.queuedLocked()
	c.session.sentLocked(c)
}

// flushAt is the output, in bytes, above which it is written at once, without waiting for the end of the tick.
const flushAt = 64 << 10

// isFullLocked reports whether what the kernel refused has reached the limit, with lock held. Once it has, half must be
// free before more is taken.
func (c *Conn) isFullLocked() bool {
	if c.flags&(stalled|opening) == 0 || c.out == nil {
		return false
	}
	if c.flags&full != 0 {
		return c.out.Len() >= c.service.limits.MaxPending/2
	}
	return c.out.Len() >= c.service.limits.MaxPending
}

func (c *Conn) refuseLocked() error {
	c.refused++
	c.loop.refused.Add(1)
	return ErrFull
}

// queuedLocked is called with lock held when the output has grown.
func (c *Conn) queuedLocked() {
	if c.out.Len() > flushAt && c.flags&(stalled|opening) == 0 {
		c.writeLocked(nil)
	}
	if c.isFullLocked() && c.flags&full == 0 {
		c.flags |= full
		c.markLocked(notifyFull)
		c.loop.someFull.Store(true)
		return
	}
	if c.flags&stalled == 0 || c.flags&broken != 0 {
		c.markLocked(0)
	}
}

// writeLocked hands the output to the kernel, gathering small segments in scratch if there is one.
func (c *Conn) writeLocked(scratch []byte) { c.transport().writeLocked(c, scratch) }

// wroteLocked counts what the kernel took, with lock held.
func (c *Conn) wroteLocked(n int) {
	if n > 0 {
		c.bytesOut += uint64(n)
		c.loop.bytesOut.Add(uint64(n))
	}
}

// setCauseLocked notes why the connection ends, with lock held. The first cause counts.
func (c *Conn) setCauseLocked(err error) {
	if x := c.extrasLocked(); x.cause == nil {
		x.cause = err
	}
}

// markLocked links the connection into the loop's dirty list, with lock held, and wakes the loop if it sleeps.
func (c *Conn) markLocked(f flags) {
	c.flags |= f
	if c.flags&dirty == 0 {
		c.flags |= dirty
		c.loop.push(c)
	}
}
