package lineman

import (
	"io"
	"net"

	"github.com/lineman-go/lineman/internal/poll"
)

// transport is what carries the bytes of a connection: a stream, TLS over one, the datagrams of a peer that was dialed,
// or those that a worker gets from anybody. It is that of the service, or TLS, which each connection has for itself.
//
// Methods whose names end in Locked run under the connection's lock, on any goroutine; the others on the loop.
type transport interface {
	// carriesStream reports whether bytes follow each other without borders, and come to an end.
	carriesStream() bool

	// socket gives the poller the socket of a connection that was dialed.
	socket(p poll.Poller, conn net.Conn) (poll.Handle, error)

	// receive reads once, and handles what has come.
	receive(c *Conn)

	// take handles bytes that were read before the transport began: behind a PROXY header.
	take(c *Conn, data []byte)

	// goOn handles what has come and waits in the transport.
	goOn(c *Conn)

	// waits reports whether something has come that the session has not seen.
	waits() bool

	// shaking reports whether a handshake below the protocol is under way. It may be called under the lock too.
	shaking() bool

	// hasEnough reports whether nothing more should be read for the handshake that is under way.
	hasEnough() bool

	// limits are those of the handshake that is under way.
	limits(c *Conn) [3]limit

	// bufferLocked is what the next message is appended to. It is followed by queueLocked or releaseLocked.
	bufferLocked(c *Conn) []byte

	// queueLocked queues a message: b is what bufferLocked gave, grown by it.
	queueLocked(c *Conn, b []byte) error

	// writeLocked hands the output to the kernel. What the kernel refuses makes the connection stalled: the loop arms
	// it for writing. scratch, if there is one, gathers small segments.
	writeLocked(c *Conn, scratch []byte)

	// unsent is how many bytes of the transport's own wait for the kernel. Under the lock or without.
	unsent() int

	// dropUnsent forgets them.
	dropUnsent()

	// sayGoodbye queues the transport's goodbye, once, and reports whether it did.
	sayGoodbye() bool

	// severed is told that the connection broke, and reports whether what has come is for the transport alone.
	severed(c *Conn) bool

	// closed is told that the socket has closed.
	closed()

	// localAddrLocked is this side's address, which the socket says is own.
	localAddrLocked(c *Conn, own net.Addr) net.Addr
}

// link is what lies below the session of a connection that was dialed, or has TLS, or both. Most connections have none:
// its methods are for nil, too.
type link struct {
	secure *tlsTransport // nil without TLS. Changed by the loop
	dial   *dialing      // nil for an accepted connection. Immutable
}

// tls is the connection's TLS, or nil. On the loop, or under the lock.
func (k *link) tls() *tlsTransport {
	if k == nil {
		return nil
	}
	return k.secure
}

// dialing is how the connection was dialed, or nil. On the loop, or under the lock.
func (k *link) dialing() *dialing {
	if k == nil {
		return nil
	}
	return k.dial
}

// stream is the transport of TCP and of Unix sockets.
type stream struct{}

func (*stream) carriesStream() bool { return true }

func (*stream) socket(p poll.Poller, conn net.Conn) (poll.Handle, error) { return p.Stream(conn) }

// receive reads again at once if a read has brought as much as it could of a large message: it needs no event to know
// of more.
func (s *stream) receive(c *Conn) {
	if !s.read(c, c.in.room(c)) || !c.in.goesOn(c) {
		return
	}
	if room := c.in.room(c); room != nil {
		s.read(c, room)
	}
}

// read reads once, to room if there is any, and reports whether that has filled the memory.
func (*stream) read(c *Conn, room []byte) (full bool) {
	buf := room
	if room == nil {
		buf = c.loop.buf
	}
	n, err := c.loop.poll.Read(c.handle, buf)
	if err != nil {
		c.in.empty(c)
	}
	switch {
	case err == poll.ErrAgain:
	case err == io.EOF:
		c.in.ended(c)
	case err != nil:
		c.end.finish(c, err)
	case room != nil:
		c.in.filled(c, n)
	default:
		c.in.arrived(c, buf[:n])
	}
	return n == len(buf)
}

func (*stream) take(c *Conn, data []byte) { c.in.decode(c, data) }
func (*stream) goOn(*Conn)                {}
func (*stream) waits() bool               { return false }
func (*stream) shaking() bool             { return false }
func (*stream) hasEnough() bool           { return false }
func (*stream) limits(*Conn) [3]limit     { return [3]limit{} }

func (*stream) bufferLocked(c *Conn) []byte {
	if c.out.queue == nil {
		c.out.beginQueueLocked(c)
	}
	return c.out.queue.Tail()
}

func (*stream) queueLocked(c *Conn, b []byte) error {
	c.out.queue.SetTail(b)
	c.out.acceptLocked(c)
	return nil
}

func (s *stream) writeLocked(c *Conn, scratch []byte) { c.out.writeStreamLocked(c, scratch, s) }

func (*stream) transmitLocked(c *Conn, p []byte, parts [][]byte) (used, written int, err error) {
	switch {
	case len(parts) > 0:
		used, err = c.loop.poll.WriteParts(c.handle, parts)
	case len(p) > 0:
		used, err = c.loop.poll.Write(c.handle, p)
	}
	return used, used, err
}

func (*stream) unsent() int                                    { return 0 }
func (*stream) dropUnsent()                                    {}
func (*stream) sayGoodbye() bool                               { return false }
func (*stream) severed(*Conn) bool                             { return false }
func (*stream) closed()                                        {}
func (*stream) localAddrLocked(_ *Conn, own net.Addr) net.Addr { return own }

// transmitter hands the next bytes of a stream to the kernel: p, or parts, of which p is the first, where there are
// some. It returns how many of them were used, and how many bytes the kernel has taken.
type transmitter interface {
	transmitLocked(c *Conn, p []byte, parts [][]byte) (used, written int, err error)
}

// writeStreamLocked hands the output to the kernel by t, until it is empty or refused.
func (w *writer) writeStreamLocked(c *Conn, scratch []byte, t transmitter) {
	for w.pendingLocked(c) > 0 {
		n, err := w.transmitLocked(c, scratch, t)
		switch {
		case err != nil:
			w.stoppedLocked(c, err)
			return
		case n == 0:
			return // the handshake comes first
		}
	}
}

// stoppedLocked notes why the kernel took no more.
func (w *writer) stoppedLocked(c *Conn, err error) {
	if err == poll.ErrAgain {
		c.flags |= stalled
		c.markLocked(0)
		return
	}
	c.flags |= broken
	c.end.setCauseLocked(c, err)
}

// transmitLocked hands what is next to the kernel and returns how much of the output that was: the request of a
// handshake, bytes that are in a pipe of the kernel's, or messages.
func (w *writer) transmitLocked(c *Conn, scratch []byte, t transmitter) (n int, err error) {
	if x := c.extra; x != nil && x.piped != nil && x.piped.Len() > 0 {
		n, err = x.piped.Drain(c.handle)
		w.wroteLocked(c, n)
		return n, err
	}
	var p []byte
	var parts [][]byte
	d := c.link.dialing()
	greets := d != nil && len(d.request) > 0
	switch {
	case greets:
		p = d.request
	case w.queue != nil && c.flags&opening == 0:
		p = w.queue.Head(scratch)
		parts = w.queue.Parts(p)
	}
	n, written, err := t.transmitLocked(c, p, parts)
	w.wroteLocked(c, written)
	switch {
	case n == 0:
		return n, err
	case greets:
		d.request = d.request[n:]
		return n, err
	}
	w.queue.Advance(n)
	w.releaseLocked(c)
	return n, err
}
