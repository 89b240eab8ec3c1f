package lineman

import (
	"net"

	"github.com/lineman-go/lineman/internal/output"
	"github.com/lineman-go/lineman/internal/poll"
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
	if c.service.packet {
		return c.sendPacketLocked(encode)
	}
	if c.isFullLocked() {
		return c.refuseLocked()
	}
	o := c.out
	if o == nil {
		o = output.Get()
	}
	packet := c.datagrams()
	var own []byte
	if !packet {
		own = o.Tail()
	}
	b, err := encode(own)
	if err != nil || len(b) == len(own) && !packet {
		if c.out == nil {
			o.Release()
		}
		return err
	}
	if packet {
		o.AddDatagram(b)
	} else {
		o.SetTail(b)
	}
	c.out = o
	c.messagesOut++
	c.queuedLocked()
	c.session.sentLocked(c)
	return nil
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

// writeLocked hands the output to the kernel, with lock held. What the kernel refuses makes the connection stalled: the
// loop arms it for writing. scratch, if there is one, gathers small segments.
func (c *Conn) writeLocked(scratch []byte) {
	if c.datagrams() {
		c.writeDatagramsLocked()
		return
	}
	for c.pendingLocked() > 0 {
		n, err := c.transmitLocked(scratch)
		switch {
		case err == poll.ErrAgain:
			c.flags |= stalled
			c.markLocked(0)
			return
		case err != nil:
			c.flags |= broken
			c.setCauseLocked(err)
			return
		case n == 0:
			return // the handshake comes first
		}
	}
}

// wroteLocked counts what the kernel took, with lock held.
func (c *Conn) wroteLocked(n int) {
	if n > 0 {
		c.bytesOut += uint64(n)
		c.loop.bytesOut.Add(uint64(n))
	}
}

// transmitLocked hands what is next to the kernel and returns how much of the output that was, with lock held.
func (c *Conn) transmitLocked(scratch []byte) (n int, err error) {
	var p []byte
	greets := c.dial != nil && len(c.dial.request) > 0
	switch {
	case greets:
		p = c.dial.request
	case c.out != nil && c.flags&opening == 0:
		p = c.out.Head(scratch)
	}
	if x := c.extra; x != nil && x.piped != nil && x.piped.Len() > 0 {
		n, err = x.piped.Drain(c.handle)
		c.wroteLocked(n)
		return n, err
	}
	written := 0
	switch {
	case c.secure != nil:
		n, written, err = c.secure.transmitLocked(c.loop.poll, c.handle, p)
	case len(p) > 0:
		n, err = c.loop.poll.Write(c.handle, p)
		written = n
	}
	c.wroteLocked(written)
	switch {
	case n == 0:
		return n, err
	case greets:
		c.dial.request = c.dial.request[n:]
		return n, err
	}
	if c.out.Advance(n); c.out.Len() == 0 {
		c.out.Release()
		c.out = nil
	}
	return n, err
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
