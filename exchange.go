package lineman

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// exchange is one request with an http.Handler: the net.Conn that net/http serves. The loop feeds it the bytes of the
// request; what is written to it goes to the connection, and waits while the peer does not read.
type exchange struct {
	conn     *Conn
	handler  http.Handler
	tls      *tls.ConnectionState
	local    net.Addr
	head     []byte   // of a request without a body; immutable after the first feed
	inner    response // net/http's own. Set before the handler runs.
	progress uint32   // tick in which the kernel was last seen to take something. Owned by the loop.
	asked    uint32   // tick in which the handler began to wait for the body. Owned by the loop.
	asks     bool
	taken    uint64 // bytes that it had taken then. Owned by the loop.

	mu      sync.Mutex // guards the following; the connection's lock may be taken below it
	changed sync.Cond
	queue   []byte // of the request, not read yet
	whole   bool   // nothing more of the request will come
	gone    bool   // the connection has ended, or the peer's side of it
	tunnel  bool   // all bytes that come are this exchange's
	kept    bool   // net/http waits for the next request
	last    bool   // there will be none
	closed  bool   // net/http is done
	held    bool   // the loop waits for room, or the end
	reading bool   // the handler waits for the body
	until   [2]deadline
}

const (
	readSide  = 0
	writeSide = 1

	bodyAhead = 64 << 10 // of a body that waits for its handler
)

// deadline is a time by which Read or Write gives up.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func newExchange(c *Conn, h http.Handler) *exchange {
	x := &exchange{conn: c, handler: h, tls: c.TLS(), local: c.LocalAddr(), progress: c.loop.ticks(c.loop.now), taken: c.unsent().sent}
	x.changed.L = &x.mu
	return x
}

// feed gives the exchange a piece of its request. On the loop.
func (x *exchange) feed(piece []byte, ends bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.closed {
		x.queue = append(x.queue, piece...)
	}
	if x.whole = x.whole || ends; ends && x.head == nil {
		x.head = x.queue[:len(x.queue):len(x.queue)]
	}
	x.changed.Broadcast()
}

// room is what the loop may do with the next piece.
type room uint8

const (
	exchangeFull room = iota
	exchangeHasRoom
	exchangeOver
)

// room says whether a piece may come; between means that it would begin another request. On the loop.
func (x *exchange) room(between bool) room {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.closed && x.last: // the connection closes
	case x.closed && between:
		return exchangeOver
	case !between && (x.closed || len(x.queue) < bodyAhead), x.tunnel && len(x.queue) < bodyAhead:
		return exchangeHasRoom
	}
	x.held = true
	return exchangeFull
}

func (x *exchange) over() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.closed
}

// waitsForBody reports whether the handler can go on only when the peer does.
func (x *exchange) waitsForBody() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.reading && !x.whole
}

// stuck reports whether output waits, and notes when some of it went. On the loop.
func (x *exchange) stuck(now uint32) bool {
	u := x.conn.unsent()
	waits := u.pending > 0 || u.stalled
	if !waits || u.sent != x.taken {
		x.progress, x.taken = now, u.sent
	}
	return waits
}

// cut ends what the handler can read, and with it the context of its request.
func (x *exchange) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.gone = true
	x.changed.Broadcast()
}

// leave has the connection end after this exchange, and reports whether it is under way.
func (x *exchange) leave() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.last = true
	return !x.closed
}

// isLast reports whether the connection is to end with this exchange, because its loop lets it go and nothing has come
// behind.
func (x *exchange) isLast() bool {
	l := x.conn.loop
	if !l.parting.Load() {
		return false
	}
	more := false
	l.await(func() { more = x.conn.asksMore() }) // false means that the loop is over, and all ends
	return !more
}

// keepAlive is told by net/http that the answer has been written and the connection may go on.
func (x *exchange) keepAlive() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.kept = true
}

// Read gives the bytes of this request, and then waits: net/http finds out by that whether the client goes away.
func (x *exchange) Read(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.queue) == 0 {
		switch {
		case x.closed:
			return 0, net.ErrClosed
		case x.kept || x.gone:
			return 0, io.EOF
		case x.until[readSide].passed():
			return 0, os.ErrDeadlineExceeded
		}
		if x.reading = true; !x.whole {
			x.conn.attention()
		}
		x.changed.Wait()
		x.reading = false
	}
	n := copy(p, x.queue)
	if x.queue = x.queue[n:]; len(x.queue) == 0 {
		x.queue = nil
	}
	x.goOnLocked()
	return n, nil
}

// goOnLocked has a loop that waits for room look again, with lock held.
func (x *exchange) goOnLocked() {
	if !x.held || !x.closed && len(x.queue) > bodyAhead/2 {
		return
	}
	x.held = false
	x.conn.resume()
}

// attention has the loop look at the connection.
func (c *Conn) attention() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != closed {
		c.markLocked(0)
	}
}

// resume has the loop go on with what waits.
func (c *Conn) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() == open || c.flags&broken != 0 {
		c.markLocked(resume)
	}
}

// Write writes to the connection. It waits while more than a little has not been taken by the kernel.
func (x *exchange) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := x.conn.writeSome(p[done:])
		done += n
		if err != nil {
			return done, err
		}
		if n == 0 {
			if err := x.await(func(u unsent) bool { return u.pending < flushAt/2 }); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// writeSome hands bytes to the kernel, or to the output as far as there is room.
func (c *Conn) writeSome(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != open {
		return 0, net.ErrClosed
	}
	n = min(len(p), flushAt-c.pendingLocked())
	if n <= 0 {
		return 0, nil
	}
	c.sayLocked(func(dst []byte) []byte { return append(dst, p[:n]...) })
	if c.flags&stalled == 0 {
		c.writeLocked(nil)
	}
	if c.flags&broken != 0 {
		c.markLocked(0)
	}
	return n, nil
}

// await waits until what waits for the kernel is as done says.
func (x *exchange) await(done func(unsent) bool) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for !done(x.conn.unsent()) {
		switch {
		case x.closed || x.conn.phase.get() != open:
			return net.ErrClosed
		case x.until[writeSide].passed():
			return os.ErrDeadlineExceeded
		}
		x.changed.Wait()
	}
	return nil
}

// unsent is what waits for the kernel.
type unsent struct {
	pending int
	stalled bool
	sent    uint64 // what it has taken, since the connection began
}

func (c *Conn) unsent() unsent {
	c.mu.Lock()
	defer c.mu.Unlock()
	return unsent{c.pendingLocked(), c.flags&stalled != 0, c.bytesOut}
}

// unanswerable tells a handler that its connection broke. It can read what is still to come of its request; one that
// has all of it has no client any more.
func (x *exchange) unanswerable(whole bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.gone = x.gone || whole
	x.changed.Broadcast()
}

// drained tells a handler that waits that the kernel has taken something. On the loop.
func (x *exchange) drained() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.changed.Broadcast()
}

// Close is called by net/http when it is done. A connection that it would not keep is closed.
func (x *exchange) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return net.ErrClosed
	}
	x.closed = true
	x.queue = nil
	for i := range x.until {
		if t := x.until[i].timer; t != nil {
			t.Stop()
		}
	}
	x.changed.Broadcast()
	switch {
	case x.conn.isBroken():
		x.last = false // further requests may have come before
	case x.last || !x.kept:
		x.last = true
		_ = x.conn.Close() // it may be closing already
		return nil
	}
	x.held = false
	x.conn.resume()
	return nil
}

func (x *exchange) LocalAddr() net.Addr  { return x.local }
func (x *exchange) RemoteAddr() net.Addr { return x.conn.RemoteAddr() }

func (x *exchange) SetDeadline(t time.Time) error {
	return errors.Join(x.setDeadline(readSide, t), x.setDeadline(writeSide, t))
}
func (x *exchange) SetReadDeadline(t time.Time) error  { return x.setDeadline(readSide, t) }
func (x *exchange) SetWriteDeadline(t time.Time) error { return x.setDeadline(writeSide, t) }

func (x *exchange) setDeadline(side int, t time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return net.ErrClosed
	}
	d := &x.until[side]
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, x.drained)
	} else {
		x.changed.Broadcast()
	}
	return nil
}
