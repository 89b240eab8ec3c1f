package lineman

import "net"

const (
	// large is how long a message is, in bytes, that is written at once, from where it lies: only what the kernel does
	// not take is copied.
	large = flushAt

	maxAround = 512 // what a protocol puts around a message, as a rule
)

// sendLarge is send for a message that is large.
func (w *writer) sendLarge(c *Conn, msg []byte, binary bool) error {
	return w.lend(c, msg, func(dst []byte) (around []byte, before int, err error) {
		return c.session.aroundLocked(dst, msg, binary)
	}, func(dst []byte) ([]byte, error) {
		if binary {
			return appendBinary(c.session, dst, msg)
		}
		return c.session.Append(dst, msg)
	})
}

// lend is send for large bytes that go over the wire as they are. It runs around, which gives what a session's
// aroundLocked does, under the lock; and encode, if the bytes do not go as they are.
func (w *writer) lend(c *Conn, msg []byte, around func(dst []byte) (around []byte, before int, err error),
	encode func(dst []byte) ([]byte, error)) error {
	if c.loop == nil {
		return net.ErrClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := w.admitLocked(c); err != nil {
		return err
	}
	if t := c.transport(); t.carriesStream() {
		tail := t.bufferLocked(c)
		framed, before, err := around(tail)
		if err != nil {
			w.releaseLocked(c)
			return err
		}
		if before >= 0 {
			before += len(tail)
			w.lendLocked(c, framed[:before], msg, framed[before:])
			return nil
		}
	}
	return w.encodeLocked(c, len(msg), encode)
}

// lendLocked queues a message between what goes before and after it; tail is the queue's, and ends with the former. It
// is written at once, and what the kernel does not take is copied.
func (w *writer) lendLocked(c *Conn, tail, msg, after []byte) {
	w.queue.SetTail(tail)
	w.queue.Lend(msg)
	if len(after) > 0 {
		w.queue.SetTail(append(w.queue.Tail(), after...))
	}
	w.acceptLocked(c)
	if w.queue != nil {
		w.queue.Keep(&c.loop.memory)
	}
}
