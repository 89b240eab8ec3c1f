package lineman

import (
	"net"

	"github.com/lineman-go/lineman/internal/output"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/http1"
)

// writer is the send queue of a connection, with back-pressure by Limits.MaxPending. Guarded by the connection's lock:
// methods want it held where their names end in Locked, and take it elsewhere.
type writer struct {
	queue *output.Queue // what is to be written; nil when there is nothing
	bytes uint64        // that the kernel has taken
}

// Send sends a message: a WebSocket text message, a line, a frame, bytes, the answer 200 text/plain to the HTTP request
// that waits, or a piece of the answer that streams. It copies msg and returns at once; the loop writes at the end of
// its tick. Messages of one goroutine arrive in order, each whole. nil means accepted, ErrFull refused whole because
// the peer does not read, net.ErrClosed closed or closing; other errors are the protocol's, about this message. What is
// accepted while Loop.Dial makes the connection, or makes it again, waits until it is there.
func (c *Conn) Send(msg []byte) error {
	if len(msg) >= large {
		return c.out.sendLarge(c, msg, false)
	}
	if c.loop == nil {
		return net.ErrClosed
	}
	c.mu.Lock()
	if !c.service.direct {
		return c.out.sendGuardedLocked(c, msg)
	}
	// What admitLocked and encodeLocked do for a stream, without their calls, which would be much of the work.
	w := &c.out
	if c.phase.get() != open || c.flags&(stalled|opening) != 0 {
		if err := w.admitLocked(c); err != nil {
			c.mu.Unlock()
			return err
		}
	}
	if w.queue == nil {
		w.beginQueueLocked(c)
	}
	dst := w.queue.Tail()
	b, err := c.session.Append(dst, msg)
	if err != nil || len(b) == len(dst) {
		w.releaseLocked(c)
		c.mu.Unlock()
		return err
	}
	w.queue.SetTail(b)
	w.acceptLocked(c)
	c.mu.Unlock()
	return nil
}

// sendGuardedLocked is Send for datagrams and for codecs of the application's. It gives the lock back by defer: a panic
// of theirs must not leave it locked, but defer would be a part of the work of a short message that counts.
func (w *writer) sendGuardedLocked(c *Conn, msg []byte) error {
	defer c.mu.Unlock()
	if err := w.admitLocked(c); err != nil {
		return err
	}
	return w.encodeLocked(c, 0, func(dst []byte) ([]byte, error) { return c.session.Append(dst, msg) })
}

// SendBinary sends a binary message on a WebSocket; elsewhere it is Send.
func (c *Conn) SendBinary(msg []byte) error {
	if len(msg) >= large {
		return c.out.sendLarge(c, msg, true)
	}
	return c.out.send(c, 0, func(dst []byte) ([]byte, error) { return appendBinary(c.session, dst, msg) })
}

// SendTyped sends a message of a type, such as the opcode of a frame, where the codec is a protocol.Typed. Elsewhere
// the error matches errors.ErrUnsupported. In all else it is Send.
func (c *Conn) SendTyped(msg []byte, t protocol.Type) error {
	return c.out.send(c, len(msg), func(dst []byte) ([]byte, error) { return c.session.appendTyped(dst, msg, t) })
}

// Write sends p as it is, without the protocol. It is an io.Writer, and its errors are those of Send.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.out.send(c, len(p), func(dst []byte) ([]byte, error) { return append(dst, p...), nil }); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Respond answers the HTTP request that waits. The response is copied. ErrAnswered means that no request waits: each
// has one answer. net.ErrClosed is as for Send; other errors say what of the response cannot be sent, and another one
// can be given then. If the response has Stream, each Send adds to its body until EndStream.
func (c *Conn) Respond(r *http1.Response) error {
	if len(r.Body) >= large {
		return c.out.lend(c, r.Body,
			func(dst []byte) ([]byte, int, error) { return headLocked(c.session, dst, r) },
			func(dst []byte) ([]byte, error) { return answerLocked(c.session, dst, r) })
	}
	return c.out.send(c, 0, func(dst []byte) ([]byte, error) { return answerLocked(c.session, dst, r) })
}

// EndStream ends the body of an answer with Stream, and the connection goes on to the next request. ErrAnswered means
// that there is none, net.ErrClosed that the connection is closed or closing.
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
	c.out.sayLocked(c, func(dst []byte) []byte {
		dst, _ = h.endStreamLocked(dst) // it streams
		return dst
	})
	c.markLocked(0)
	h.sentLocked(c)
	return nil
}

// send appends what encode gives, of about n bytes, to the output, under the lock, and sees to it that the loop writes
// it.
func (w *writer) send(c *Conn, n int, encode func(dst []byte) ([]byte, error)) error {
	if c.loop == nil {
		return net.ErrClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := w.admitLocked(c); err != nil {
		return err
	}
	return w.encodeLocked(c, n, encode)
}

// admitLocked reports why nothing can be sent, if that is so.
func (w *writer) admitLocked(c *Conn) error {
	if c.phase.get() != open {
		c.session.unsentLocked(c)
		return net.ErrClosed
	}
	if w.isFullLocked(c) {
		return w.refuseLocked(c)
	}
	return nil
}

// encodeLocked queues what encode appends, about n bytes.
func (w *writer) encodeLocked(c *Conn, n int, encode func(dst []byte) ([]byte, error)) error {
	t := c.transport()
	dst := t.bufferLocked(c)
	if n >= large && t.carriesStream() && c.flags&handed == 0 { // what is handed over stays where it is
		dst = w.queue.Room(&c.loop.memory, n+maxAround)
	}
	b, err := encode(dst)
	return w.encodedLocked(c, t, dst, b, err)
}

// encodedLocked queues b, which is dst, grown by what was encoded.
func (w *writer) encodedLocked(c *Conn, t transport, dst, b []byte, err error) error {
	if err != nil || len(b) == len(dst) && t.carriesStream() {
		w.releaseLocked(c)
		return err
	}
	return t.queueLocked(c, b)
}

// releaseLocked gives an output back that has nothing.
func (w *writer) releaseLocked(c *Conn) {
	if w.queue != nil && w.queue.Len() == 0 {
		w.countLocked(c)
		w.queue.Release()
		w.queue = nil
	}
}

// acceptLocked is called when a message was queued.
func (w *writer) acceptLocked(c *Conn) {
	c.accepted++
	w.queue.Messages++
	if c.flags != 0 || !c.in.bytes.servedLocked() || w.queue.Len() > flushAt {
		w.queuedLocked(c)
	} // else it is written when the event was handled
	c.session.sentLocked(c)
}

// flushAt is the output, in bytes, above which it is written at once, without waiting for the end of the tick.
const flushAt = 64 << 10

// sayLocked appends to the output whatever its size, with lock held.
func (w *writer) sayLocked(c *Conn, f func(dst []byte) []byte) {
	o := w.queue
	if o == nil {
		o = output.Get()
	}
	own := o.Tail()
	switch b := f(own); {
	case len(b) > len(own):
		o.SetTail(b)
		w.queue = o
	case w.queue == nil:
		o.Release()
	}
}

// isFullLocked reports whether what the kernel refused has reached the limit, with lock held. Once it has, half must be
// free before more is taken.
func (w *writer) isFullLocked(c *Conn) bool {
	if c.flags&(stalled|opening) == 0 || w.queue == nil {
		return false
	}
	if c.flags&full != 0 {
		return w.queue.Len() >= c.service.limits.MaxPending/2
	}
	return w.queue.Len() >= c.service.limits.MaxPending
}

func (w *writer) refuseLocked(c *Conn) error {
	c.extrasLocked().refused++
	c.loop.refused.Add(1)
	return ErrFull
}

// queuedLocked is called with lock held when the output has grown.
func (w *writer) queuedLocked(c *Conn) {
	if w.queue.Len() > flushAt && c.flags&(stalled|opening|handed) == 0 {
		w.writeLocked(c, nil)
	}
	if w.isFullLocked(c) && c.flags&full == 0 {
		c.flags |= full
		c.markLocked(notifyFull)
		c.loop.someFull.Store(true)
		return
	}
	if c.flags&stalled == 0 && !c.in.bytes.servedLocked() || c.flags&broken != 0 {
		c.markLocked(0)
	}
}

// writeLocked hands the output to the kernel, gathering small segments in scratch if there is one.
func (w *writer) writeLocked(c *Conn, scratch []byte) { c.transport().writeLocked(c, scratch) }

// wroteLocked counts what the kernel took, with lock held.
func (w *writer) wroteLocked(c *Conn, n int) {
	if n > 0 {
		c.out.bytes += uint64(n)
		c.loop.bytesOut.Add(uint64(n))
		w.countLocked(c)
	}
}

// wroteOnLoopLocked is wroteLocked for the loop, whose own counters cost less than those that all share.
func (w *writer) wroteOnLoopLocked(c *Conn, n int) {
	if n > 0 {
		w.bytes += uint64(n)
		c.loop.stats.BytesOut += uint64(n)
		c.loop.stats.MessagesOut += uint64(w.queue.Messages)
		w.queue.Messages = 0
	}
}

// countLocked counts what was queued since the last time: the loop's counter is shared, so it is raised seldom.
func (w *writer) countLocked(c *Conn) {
	if w.queue != nil && w.queue.Messages > 0 {
		c.loop.messagesOut.Add(uint64(w.queue.Messages))
		w.queue.Messages = 0
	}
}

// setCauseLocked notes why the connection ends, with lock held. The first cause counts.
func (e *ending) setCauseLocked(c *Conn, err error) {
	if x := c.extrasLocked(); x.cause == nil {
		x.cause = err
	}
}

// dropLocked forgets what is not written yet. What Send has accepted for a connection that did not come about
// waits for the next attempt.
func (w *writer) dropLocked(c *Conn) {
	if w.queue == nil {
		return
	}
	w.countLocked(c)
	if c.flags&opening != 0 && c.session.keepsUnsent() {
		c.link.dialing().kept = w.queue
	} else {
		w.queue.Release()
	}
	w.queue = nil
}

// flush writes what the kernel takes at once.
func (w *writer) flush(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.writeLocked(c, c.loop.scratch)
}
