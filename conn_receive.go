package lineman

import (
	"io"
	"net/netip"
	"sync/atomic"

	"github.com/lineman-go/lineman/internal/poll"
)

// reader is what comes on a connection: bytes, and the messages in them. Owned by the loop.
type reader struct {
	rest     *input // bytes that wait for the others of their message; nil when there are none
	bytes    arrivals
	messages uint32 // that callbacks have got. Stored atomically: Stats reads it anywhere
	touched  uint32 // tick of the last byte
}

// arrivals counts the bytes that have come. Its lowest bit tells that an event is handled which has brought some: one
// word has both, as a store that others may read costs as much as the rest of the count. The loop stores it, and clears
// the bit with the connection's lock held. Others read it with the lock held.
type arrivals uint64

const served arrivals = 1

// count is how many bytes have come.
func (a *arrivals) count() uint64 { return atomic.LoadUint64((*uint64)(a)) >> 1 }

// set has n be what has come.
func (a *arrivals) set(n uint64) { atomic.StoreUint64((*uint64)(a), n<<1) }

// add counts n bytes that have come, and begins to serve them if wanted.
func (a *arrivals) add(n int, serve bool) {
	v := *a + arrivals(n)<<1
	if serve {
		v |= served
	}
	atomic.StoreUint64((*uint64)(a), uint64(v))
}

// servedLocked reports whether an event is handled that has brought some.
func (a *arrivals) servedLocked() bool { return atomic.LoadUint64((*uint64)(a))&uint64(served) != 0 }

// newConn makes a connection of an accepted socket, without the lock, as nobody knows it yet, and reports whether it
// may be there.
func newConn(s *service, h poll.Handle, remote netip.AddrPort) bool {
	l := s.loop
	c := &Conn{
		loop: l, id: lastID.Add(1), handle: h,
		service: s, session: s.newSession(), state: armedRead | arriving,
	}
	c.remote.setLocked(c, remote)
	now := l.present
	c.in.touched, c.since = now, now
	l.enter(c)
	l.live++
	s.bound(c, 0)
	if s.expectsHeader(remote) {
		c.watch(s.after.handshake)
		return true
	}
	return c.start()
}

// start is called when the first byte of the connection's own may come. It reports whether the connection may be there.
func (c *Conn) start() bool {
	switch s := c.service; {
	case !s.admit(c):
		return false
	case c.phase.get() != open:
	case s.secured != nil:
		c.watch(s.after.handshake)
		beginTLS(c, false, s.secured)
	default:
		c.session.begin(c)
	}
	return true
}

// connect tells the application that the connection is ready for messages.
func (c *Conn) connect() {
	c.mu.Lock()
	c.phase.connect(true)
	c.mu.Unlock()
	if f := c.service.worker.OnConnect; f != nil {
		c.guard(inOnConnect, func() { f(c) })
	}
}

// guard runs a callback of the connection; a panic in it closes the connection.
func (c *Conn) guard(what callback, f func()) {
	defer c.survive()
	c.loop.enters(what)
	f()
}

// survive is deferred around callbacks.
func (c *Conn) survive() {
	if v := recover(); v != nil {
		c.loop.binary = nil
		c.loop.panicked(c.loop.doing.get().String()+" of "+c.service.name, v)
		c.end.panicked(c)
	}
}

// ready handles what the poller saw.
func (c *Conn) ready(ev poll.Event) {
	if ev.Write {
		c.mu.Lock()
		c.flags &^= stalled
		c.mu.Unlock()
		c.attend()
	}
	if c.phase.get() == closed || c.handle == absent || !(ev.Read || ev.Fail) {
		return
	}
	if ev.Fail && c.state&armedRead == 0 && c.transport().carriesStream() {
		c.end.sever(c)
		return
	}
	if c.link == nil {
		c.loop.serves = c
	}
	c.in.receive(c)
	c.loop.serves = nil
	c.out.endAnswer(c)
}

// receive reads once and handles every whole message that there is.
func (r *reader) receive(c *Conn) {
	if !c.session.splice(c) {
		c.transport().receive(c)
	}
}

// read reads into the loop's memory.
func (r *reader) read(c *Conn) ([]byte, error) {
	n, err := c.loop.poll.Read(c.handle, c.loop.buf)
	return c.loop.buf[:max(n, 0)], err
}

// arrived handles bytes that were read.
func (r *reader) arrived(c *Conn, data []byte) {
	r.came(c, len(data))
	if c.state&arriving != 0 {
		r.readHeader(c, data)
	} else {
		c.transport().take(c, data)
	}
}

// came counts what came.
func (r *reader) came(c *Conn, n int) {
	l := c.loop
	r.bytes.add(n, l.serves == c)
	l.stats.BytesIn += uint64(n)
	r.touched = l.present
	if c.state&pinged != 0 {
		c.state &^= pinged
		c.watch(c.service.after.ping) // which may be due before the pong was
	}
}

// decode handles the messages in what waits and in data, which follows it, and keeps the rest.
func (r *reader) decode(c *Conn, data []byte) {
	if r.rest != nil {
		r.rest.add(c.loop, data)
		r.decodeRest(c)
		return
	}
	delivered := r.messages
	if rest := r.deliver(c, data); len(rest) > 0 && c.phase.get() < lingering {
		r.rest = c.loop.newInput()
		r.rest.add(c.loop, rest)
	}
	r.decoded(c, delivered)
}

// decodeRest handles the messages in what waits.
func (r *reader) decodeRest(c *Conn) {
	delivered, size := r.messages, len(r.rest.bytes)
	rest := r.deliver(c, r.rest.bytes)
	if len(rest) == 0 || c.phase.get() >= lingering {
		r.noteSize(c, size)
		c.loop.freeInput(c)
	} else if len(rest) < len(r.rest.bytes) {
		r.rest.bytes = r.rest.bytes[:copy(r.rest.bytes, rest)]
	}
	r.decoded(c, delivered)
}

// decoded follows deliver: before it, so many messages had been delivered.
func (r *reader) decoded(c *Conn, delivered uint32) {
	r.noteHalf(c, r.messages != delivered)
	if r.rest != nil {
		c.rearm() // what nobody takes yet waits in the kernel
	}
}

// noteHalf notes whether a message is half received, and since when.
func (r *reader) noteHalf(c *Conn, afresh bool) {
	awaits := (r.rest != nil || c.session.half()) && c.phase.get() == open && c.state&(paused|holding) == 0
	if awaits && (afresh || c.state&half == 0) {
		c.session.halfReceived(c)
	}
	c.state.put(half, awaits)
}

// deliver delivers every whole message in data and returns what is left.
func (r *reader) deliver(c *Conn, data []byte) (rest []byte) {
	rest = data
	c.state &^= holding
	defer c.survive()
	for len(rest) > 0 && r.takes(c) {
		n, msg, err := c.session.Decode(rest)
		switch {
		case n == 0 && err != nil:
			c.end.refuse(c, err)
			return nil
		case n == 0:
			c.session.more(c)
			return rest
		}
		rest = rest[n:]
		if err != nil {
			r.invalid(c, err)
		} else if msg != nil {
			c.loop.behind = len(rest)
			c.session.deliver(c, msg)
		}
	}
	if c.handle == absent || c.phase.get() != open && !c.end.awaitsClose(c) && !c.end.hasRest(c) {
		return nil
	}
	c.state.put(holding, len(rest) > 0)
	return rest
}

// takes reports whether the next message may be looked at. A connection that is closing still reads for the
// peer's goodbye; one that has ended, and will be dialed again, has nothing to say.
func (r *reader) takes(c *Conn) bool {
	if c.handle == absent {
		return false
	}
	if c.phase.get() != open && !c.end.hasRest(c) {
		return c.end.awaitsClose(c)
	}
	return c.state&(paused|fresh) == 0 && c.session.takes(c)
}

// message gives a whole message to the application.
func (r *reader) message(c *Conn, msg []byte) {
	if c.phase.get() != open && !c.end.hasRest(c) {
		return
	}
	r.count(c)
	if f := c.service.worker.OnMessage; f != nil {
		c.loop.enters(inOnMessage)
		f(c, msg)
	}
}

func (r *reader) count(c *Conn) {
	atomic.StoreUint32(&r.messages, r.messages+1)
	c.loop.stats.MessagesIn++
}

// invalid handles a message that the protocol refused, its stream still in step.
func (r *reader) invalid(c *Conn, err error) {
	c.loop.stats.Invalid++
	if f := c.service.worker.OnInvalid; f != nil && (c.phase.get() == open || c.end.hasRest(c)) {
		c.loop.enters(inOnInvalid)
		f(c, err)
		return
	}
	c.end.refuse(c, err)
}

// end handles the end of the peer's stream: what was complete has been handled, what was not never will be.
func (r *reader) end(c *Conn, cause error) {
	holds := r.holds(c)
	if c.end&remains != 0 && !(holds && r.waits(c)) {
		c.end.finish(c, cause)
		return
	}
	if holds {
		c.rearm() // the end is read again after them
		return
	}
	if c.opens() {
		c.end.finish(c, c.link.dialing().failed(io.ErrUnexpectedEOF))
		return
	}
	c.state |= ended
	if c.phase.get() == lingering {
		c.end.finish(c, nil)
		return
	}
	c.loop.freeInput(c)
	c.state &^= half
	c.rearm()
	if c.session.peerEnded(c, cause) {
		return
	}
	if c.end.isBusy(c) {
		c.end.awaitAnswers(c)
		return // the answer ends the connection
	}
	c.end.depart(c, cause)
}

// holds reports whether nothing more may be read for now.
func (r *reader) holds(c *Conn) bool {
	if t := c.transport(); t.shaking() {
		return t.hasEnough()
	}
	return c.state&(paused|holding) != 0 && (c.phase.get() == open || c.end.hasRest(c))
}

// foundNothing reads once, and reports whether there was nothing: what a peer has sent is handled before it is told
// goodbye.
func (r *reader) foundNothing(c *Conn) bool {
	before := r.bytes.count()
	r.receive(c)
	return r.bytes.count() == before && c.phase.get() == open && !r.waits(c)
}

// asksMore reports whether something has come behind the request that a handler answers, read or not. What has come of
// a body counts, because requests may be behind it.
func (r *reader) asksMore(c *Conn) bool {
	if c.phase.get() != open || c.state&ended != 0 {
		return false
	}
	if !r.waits(c) && !r.holds(c) {
		r.receive(c)
	}
	return c.phase.get() == open && (r.waits(c) || c.session.half())
}

// hasMore reports whether something was read behind the request at hand.
func (r *reader) hasMore(c *Conn) bool {
	if c.loop.requestOf == c {
		return c.loop.behind > 0 || c.transport().waits()
	}
	return r.waits(c)
}

// waits reports whether something was read and not handled yet.
func (r *reader) waits(c *Conn) bool { return r.rest != nil || c.transport().waits() }
