// Package exchange has net/http serve one request of a connection that an event loop has: it is the net.Conn between
// the two. So a handler finds all that net/http has, and the loop never waits.
//
//	      on the loop                                       on goroutines of net/http
//	peer ────▶ Feed, while Room has some ────▶ queue ────▶ Read ────▶ handler
//	peer ◀──── the connection's send queue ◀──────────── Write ◀──── handler
//
// Each side waits for the other: the loop reads nothing more of a body while the handler is far behind (Room), and
// Write waits while the peer does not read (Wake).
//
// Locks: the exchange's own may be held while the connection's is taken, never the other way round.
package exchange

import (
	"crypto/tls"
	"net/http"
	"sync"
	"sync/atomic"
)

// An Exchange is one request with an http.Handler, as the net.Conn that net/http serves. A Server serves it, by a
// connection that net/http keeps for many. It ends when net/http closes that, or waits for the next request on it:
//
//	             answered              Close
//	under way ─────────────▶ kept ─────────────▶ over: the loop resumes, and Room says Ended
//	    │ Hijack     │
//	    ▼            │ not kept, or the last one
//	  tunnel ────────┴─────────────────────────▶ over: the connection closes
//
// On the loop only: New, Feed, Follow, Room, AwaitsBody, Stalled. From any goroutine: the others.
type Exchange struct {
	// Immutable.
	conn    Conn
	handler http.Handler
	tls     *tls.ConnectionState
	ends    Ends

	// Set before the handler runs.
	context requestContext
	answer  responder

	// Owned by the loop.
	awaits  bool   // the handler waits for the body
	askedAt uint32 // tick in which it was first seen to
	sent    uint64 // bytes that the kernel had taken
	wentAt  uint32 // tick in which it was last seen to take some

	followed atomic.Bool // another request has come behind this one. Set by the loop
	returned atomic.Bool // the handler has. Set by its goroutine

	mu      sync.Mutex // guards the following; the connection's lock may be taken below it
	changed sync.Cond
	queue   []byte      // of the request, not read yet
	head    []byte      // see Head
	whole   bool        // nothing more of the request will come
	gone    bool        // the connection has ended, or the peer's side of it
	tunnel  bool        // all bytes that come are this exchange's
	kept    bool        // net/http waits for the next request
	last    bool        // there will be none
	closed  atomic.Bool // net/http is done; changed under mu, read anywhere
	held    bool        // the loop waits for room, or the end
	reading bool        // the handler waits for the body
	until   [2]deadline
}

// bodyAhead is how much of a body waits for its handler.
const bodyAhead = 64 << 10

// New makes the exchange of a request that has begun to come on c. now is the tick of the loop.
func New(c Conn, ends Ends, h http.Handler, now uint32) *Exchange {
	x := &Exchange{conn: c, ends: ends, handler: h, tls: c.TLS(), sent: c.State().Sent, wentAt: now}
	x.changed.L = &x.mu
	return x
}

// Conn is the connection that the exchange is on.
func (x *Exchange) Conn() Conn { return x.conn }

// Feed gives the exchange a piece of its request, which is copied. ends means that it was the last one.
func (x *Exchange) Feed(piece []byte, ends bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.closed.Load() {
		x.queue = append(x.queue, piece...)
	}
	if x.whole = x.whole || ends; ends && x.head == nil {
		x.head = x.queue[:len(x.queue):len(x.queue)]
	}
	x.changed.Broadcast()
}

// Follow says that another request has come behind this one. So the end of the answer may wait for the next, and both
// go by one write.
func (x *Exchange) Follow() { x.followed.Store(true) }

// Head is the head of a request without a body, as it came.
func (x *Exchange) Head() []byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.head
}

// Room is what the loop may do with the next piece.
type Room uint8

const (
	Full  Room = iota // it waits, until Resume
	Free              // it may come
	Ended             // it is the next request's
)

// Room says whether a piece may come. between means that it would begin another request.
func (x *Exchange) Room(between bool) Room {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.closed.Load() && x.last: // the connection closes
	case x.closed.Load() && between:
		return Ended
	case (!between || x.tunnel) && len(x.queue) < bodyAhead:
		return Free
	}
	x.held = true
	return Full
}

// Hold says that the loop waits for the end of the exchange: Resume is called then.
func (x *Exchange) Hold() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.held = true
}

// Over reports whether net/http is done. It takes no lock, so who asks may hold that of the connection.
func (x *Exchange) Over() bool { return x.closed.Load() }

// Tunnels reports whether all bytes that come are this exchange's: it was hijacked.
func (x *Exchange) Tunnels() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tunnel
}

// Cut says that nothing more will come. It ends what the handler can read, and with it the context of its request.
func (x *Exchange) Cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.gone = true
	x.changed.Broadcast()
}

// Wake has a handler that waits for the connection look again at its State.
func (x *Exchange) Wake() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.changed.Broadcast()
}

// MakeLast has the connection end after this exchange, and reports whether it is under way.
func (x *Exchange) MakeLast() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.last = true
	return !x.closed.Load()
}

// AwaitsBody reports whether the handler can go on only when the peer sends more of the body, and since which tick it
// was seen to. now is the tick of the loop.
func (x *Exchange) AwaitsBody(now uint32) (since uint32, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	awaits := x.reading && !x.whole
	if awaits && !x.awaits {
		x.askedAt = now
	}
	x.awaits = awaits
	return x.askedAt, awaits
}

// Stalled reports whether output waits for the peer to read, and since which tick nothing of it was seen to go. now is
// the tick of the loop.
func (x *Exchange) Stalled(now uint32) (since uint32, ok bool) {
	s := x.conn.State()
	waits := s.Pending > 0 || s.Stalled
	if !waits || s.Sent != x.sent {
		x.wentAt, x.sent = now, s.Sent
	}
	return x.wentAt, waits
}

// keepAlive is told by net/http that the answer has been written and the connection may go on.
func (x *Exchange) keepAlive() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.kept = true
}

// goOnLocked has a loop that waits for room look again, with lock held.
func (x *Exchange) goOnLocked() {
	if !x.held || !x.closed.Load() && len(x.queue) > bodyAhead/2 {
		return
	}
	x.held = false
	x.conn.Resume()
}
