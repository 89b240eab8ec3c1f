package lineman

import (
	"errors"
	"net"

	"github.com/lineman-go/lineman/internal/output"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// Close ends the connection: what was accepted by Send is written, the protocol says goodbye, the peer's end is
// awaited, all within Limits.Close. It returns at once; messages that arrive from now on are dropped. The second Close
// does nothing. One that Loop.Dial is still making ends at once, and what was to be sent over it is dropped.
func (c *Conn) Close() error { return c.CloseWith(websocket.Normal, "") }

// CloseWith is Close with a code and a reason, of at most 123 bytes, for a WebSocket peer. Other protocols have no
// such thing: there it is Close. It returns net.ErrClosed if the connection was closing already.
func (c *Conn) CloseWith(code websocket.Code, reason string) error {
	if c.loop == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.onLoan() {
		return nil
	}
	if c.dial != nil {
		c.dial.stopped = true
	}
	if c.phase.get() != open {
		if c.flags&broken != 0 {
			c.markLocked(aborted) // what had come before it broke is dropped
		}
		return net.ErrClosed
	}
	if c.flags&opening != 0 {
		c.phase.set(closing)
		c.markLocked(aborted)
		return nil
	}
	c.partLocked(code, reason)
	return nil
}

// partLocked puts the protocol's goodbye into the output and begins to close, with lock held.
func (c *Conn) partLocked(code websocket.Code, reason string) {
	c.sayLocked(func(dst []byte) []byte { return c.session.goodbyeLocked(dst, code, reason) })
	c.phase.set(closing)
	c.markLocked(parted)
}

// sayLocked appends to the output whatever its size, with lock held.
func (c *Conn) sayLocked(f func(dst []byte) []byte) {
	o := c.out
	if o == nil {
		o = output.Get()
	}
	own := o.Tail()
	switch b := f(own); {
	case len(b) > len(own):
		o.SetTail(b)
		c.out = o
	case c.out == nil:
		o.Release()
	}
}

// Abort closes at once: what was not written is lost, and a TCP peer sees a reset. OnClose follows with nil.
func (c *Conn) Abort() {
	if c.loop == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.onLoan() {
		return
	}
	if c.dial != nil {
		c.dial.stopped = true
	}
	if c.phase.get() == closed {
		return
	}
	c.phase.set(max(c.phase.get(), closing))
	c.markLocked(aborted)
}

// fail closes for a fault of this side: after a panic.
func (c *Conn) fail(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase.get() == open:
		c.setCauseLocked(cause)
		c.partLocked(websocket.Internal, "")
	case c.flags&broken != 0:
		c.markLocked(aborted)
	}
}

// violated closes because of what the peer sent.
func (c *Conn) violated(err error) {
	if c.opens() {
		c.finish(c.dial.failed(err))
		return
	}
	var reason error = &ProtocolError{Protocol: c.session.protocolName(c.service), Err: err}
	if errors.Is(err, ErrTooLarge) {
		reason = ErrTooLarge
	}
	c.refuseRest(reason, err)
}

// expire closes because the peer took too long.
func (c *Conn) expire(reason error) { c.refuseRest(reason, reason) }

// refuseRest has the protocol say what is wrong, and closes.
func (c *Conn) refuseRest(reason, detail error) {
	if c.transport().shaking() || c.opens() || c.state.arriving || c.state.ending&remains != 0 {
		c.finish(reason)
		return
	}
	if c.session.breaksOff(c, reason) {
		return
	}
	c.mu.Lock()
	if c.phase.get() == closing {
		// The peer's goodbye will not come in a form that can be understood.
		c.mu.Unlock()
		c.finish(c.cause())
		return
	}
	defer c.mu.Unlock()
	c.setCauseLocked(reason)
	c.sayLocked(func(dst []byte) []byte { return c.session.brokenLocked(dst, detail) })
	c.phase.set(closing)
	c.markLocked(parted)
}

// depart closes because the peer is going, with lock not held.
func (c *Conn) depart(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() == open {
		c.setCauseLocked(cause)
		c.partLocked(websocket.Normal, "")
		return
	}
	c.markLocked(parted)
}

// leave closes because the loop stops. What is under way may end the connection instead, unless it is late.
func (c *Conn) leave(late bool) {
	if c.session.leave(c, late) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != open {
		return
	}
	if c.transport().shaking() || c.flags&opening != 0 || c.state.arriving {
		c.phase.set(closing)
		c.markLocked(aborted)
		return
	}
	c.partLocked(c.loop.farewell(), "")
}

// closeOn moves a closing connection on, once its output is empty.
func (c *Conn) closeOn(empty bool) {
	c.timeEnding()
	if !empty || c.awaitsGoodbye() || c.awaitsServer() {
		return
	}
	if c.transport().sayGoodbye() {
		c.attention()
		return
	}
	// A loop that stops does not wait for the end of a peer that has everything, and has begun nothing.
	square := c.loop.stopping && !c.state.ended && !c.someWaits() && !c.state.half && !c.state.paused && !c.session.half()
	if square && c.state.ending&lost == 0 && c.transport().carriesStream() && c.loop.poll.Unsent(c.handle) {
		c.After(sentPause, c.attention)
		return
	}
	if c.state.ended || !c.transport().carriesStream() || square || c.state.ending&lost != 0 ||
		c.session.closingHandshake() == bothClosed {
		c.finish(c.cause())
		return
	}
	c.mu.Lock()
	c.phase.set(lingering)
	c.mu.Unlock()
	c.loop.freeInput(c)
	if err := c.loop.poll.CloseWrite(c.handle); err != nil {
		c.finish(c.cause())
		return
	}
	c.rearm()
}

// awaitsServer reports whether both sides have said goodbye, and ending the stream is up to the other one: the server
// (RFC 6455, 7.1.1).
func (c *Conn) awaitsServer() bool {
	return c.dial != nil && !c.state.ended && c.session.closingHandshake() == bothClosed
}

// timeEnding begins the time that the ending may take.
func (c *Conn) timeEnding() {
	if c.state.ending&timed == 0 {
		c.state.ending |= timed
		c.since = c.loop.ticks(c.loop.now)
		c.watch(c.service.after.close)
	}
}

// tellClosing tells the application, once, that nothing can be sent any more.
func (c *Conn) tellClosing() {
	if c.state.ending&told != 0 || !c.phase.connected() {
		return
	}
	c.state.ending |= told
	if f := c.service.worker.OnClosing; f != nil {
		c.guard(inOnClosing, func() { f(c) })
	}
}

// finish closes the socket and tells the application: the last thing that happens to a connection.
func (c *Conn) finish(err error) {
	l := c.loop
	c.mu.Lock()
	if c.phase.get() == closed {
		c.mu.Unlock()
		return
	}
	abort := c.flags&aborted != 0
	c.phase.set(closed)
	c.dropOutputLocked()
	x := c.extra
	if c.handle != absent {
		l.poll.Close(c.handle, abort)
	}
	if x != nil && x.piped != nil {
		l.givePipe(x.piped)
		x.piped = nil
	}
	c.mu.Unlock()
	c.transport().closed()
	c.session.peerEnded(c, net.ErrClosed)

	if x != nil {
		if x.cause != nil {
			err = x.cause
		}
		x.stopTimers()
	}
	if c.handle != absent {
		l.conns[c.handle] = nil
	}
	delete(l.dials, c)
	l.live--
	if c.dial != nil {
		l.outgoing--
	}
	l.stats.MessagesOut += uint64(c.messagesOut)
	c.service.drop(c)
	l.freeInput(c)
	c.tellClosing()
	if f := c.service.worker.OnClose; f != nil && (c.phase.connected() || c.dial != nil) {
		c.guard(inOnClose, func() { f(c, err) })
	}
	c.cancelContext()
	c.session.over(c, err, abort)
	c.gone()
	if c.dial != nil {
		c.redial()
	}
}

func (c *Conn) cancelContext() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.extra; x != nil && x.life != nil {
		x.life.end()
	}
}

// cause is why the connection ends, as far as it is known.
func (c *Conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra == nil {
		return nil
	}
	return c.extra.cause
}
