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
		around, before, err := c.session.aroundLocked(tail, msg, binary)
		if err != nil {
			w.releaseLocked(c)
			return err
		}
		if before >= 0 {
			before += len(tail)
			w.lendLocked(c, around[:before], msg, around[before:])
			return nil
		}
	}
	return w.encodeLocked(c, len(msg), func(dst []byte) ([]byte, error) {
		if binary {
			return appendBinary(c.session, dst, msg)
		}
		return c.session.Append(dst, msg)
	})
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
