package lineman

import (
	"errors"
	"net"

	"github.com/lineman-go/lineman/protocol/websocket"
)

// ending is how far the end of a connection has come, as bits: one byte of each connection. The bits are owned by the
// loop; methods whose names end in Locked run under the connection's lock, on any goroutine, and touch none.
//
// Every connection ends in one of five ways, and then by finish. Only the ways that take the lock of the connection
// alone may be begun elsewhere than on its loop.
//
//	who ends it                    by      on        the peer is told        OnClose's error  and then
//	Close, CloseWith               part    anywhere  the protocol's goodbye  nil              closing
//	the peer's goodbye             part    the loop  the same goodbye        *CloseError      closing
//	the peer's end of stream       part    the loop  the protocol's goodbye  io.EOF           closing
//	Limits.Idle, Limits.KeepAlive  part    the loop  the same: 1001          ErrIdle          closing
//	a panic in a callback          part    the loop  the same: 1011          ErrPanic         closing
//	the loop stops or lets go      leave   the loop  the same: 1001 or 1012  nil              closing
//	the peer breaks the protocol   refuse  the loop  what was wrong          *ProtocolError   closing
//	it sends too large a message   refuse  the loop  the same                ErrTooLarge      closing
//	it takes too long              refuse  the loop  the same                ErrTimeout       closing
//	it breaks TLS                  fail    the loop  an alert                *ProtocolError   closing
//	Abort, an error of OnAccept    abort   anywhere  a reset                 nil              closed
//	a write fails                  sever   the loop  nothing                 the system's     closing or closed
//	a read fails                   finish  the loop  nothing                 the system's     closed
//	Limits.Close, Limits.Shutdown  finish  the loop  nothing                 as before        closed
//
// A closing connection goes on by goOn: its output is written, the peer's goodbye awaited where the protocol has one,
// our end of stream sent, and the peer's awaited. What has no handshake behind it yet, and what broke before, is
// finished at once in place of being refused. The first error counts.
type ending uint8

const (
	timed   ending = 1 << iota // since tells from when
	told                       // OnClosing has run
	remains                    // it broke, and what had come before is still handled
	lost                       // the peer is taken for gone: nothing of it is awaited
	refused                    // the peer was told what is wrong: what it says is not looked at (RFC 6455, 7.1.7)
)

// Close ends the connection. What Send has accepted is written, the protocol says goodbye, and the peer's end is
// awaited, all within Limits.Close. Close returns at once. Messages that arrive from now on are dropped. A second Close
// does nothing, and returns net.ErrClosed. A connection that Loop.Dial is still making ends at once, and what waits to
// be sent on it is dropped.
func (c *Conn) Close() error { return c.CloseWith(websocket.Normal, "") }

// CloseWith is Close with a code and a reason for a WebSocket peer (RFC 6455, 7.4). A reason above 123 bytes is cut,
// and one that is not UTF-8 is left out. With a code that may not be sent, the peer gets neither. Other protocols have
// no codes: there it is Close. It returns net.ErrClosed if the connection was closing already.
func (c *Conn) CloseWith(code websocket.Code, reason string) error {
	if c.loop == nil || c.onLoan() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.link.dialing(); d != nil {
		d.stopped = true
	}
	switch {
	case c.phase.get() == open && c.flags&opening != 0:
		c.end.abortLocked(c)
		return nil
	case c.phase.get() == open:
		c.end.partLocked(c, nil, code, reason)
		return nil
	case c.flags&broken != 0:
		c.markLocked(aborted) // what had come before it broke is dropped
	}
	return net.ErrClosed
}

// Abort closes at once: what was not written is lost, and a TCP peer sees a reset. OnClose follows with nil.
func (c *Conn) Abort() {
	if c.loop == nil || c.onLoan() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.link.dialing(); d != nil {
		d.stopped = true
	}
	if c.phase.get() != closed {
		c.end.abortLocked(c)
	}
}

// part says the protocol's goodbye and begins to close. One that is closing already goes on.
func (e *ending) part(c *Conn, cause error, code websocket.Code, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() == open {
		e.partLocked(c, cause, code, reason)
		return
	}
	c.markLocked(0)
}

func (e *ending) partLocked(c *Conn, cause error, code websocket.Code, reason string) {
	if cause != nil {
		e.setCauseLocked(c, cause)
	}
	c.out.sayLocked(c, func(dst []byte) []byte { return c.session.goodbyeLocked(dst, code, reason) })
	e.closeLocked(c)
}

// depart is part because the peer is going.
func (e *ending) depart(c *Conn, cause error) { e.part(c, cause, websocket.Normal, "") }

// panicked is part for a fault of this side.
func (e *ending) panicked(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase.get() == open:
		e.partLocked(c, ErrPanic, websocket.Internal, "")
	case c.flags&broken != 0:
		c.markLocked(aborted)
	}
}

// closeLocked begins to close, after what is in the output.
func (e *ending) closeLocked(c *Conn) {
	c.phase.set(closing)
	c.markLocked(0)
}

// abortLocked ends the connection in the next tick.
func (e *ending) abortLocked(c *Conn) {
	c.phase.set(max(c.phase.get(), closing))
	c.markLocked(aborted)
}

// leave closes because the loop stops. What is under way may end the connection instead, unless it is late. The goodbye
// is written at once: what comes later crosses it on its way.
func (e *ending) leave(c *Conn, late bool) {
	if !c.session.leave(c, late) {
		e.leaveNow(c)
	}
	c.attend()
}

func (e *ending) leaveNow(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase.get() != open:
	case c.transport().shaking() || c.flags&opening != 0 || c.state&arriving != 0:
		e.abortLocked(c)
	default:
		e.partLocked(c, nil, c.loop.farewell(), "")
	}
}

// refuse has the protocol say what is wrong, and closes: the peer broke the protocol, or took too long.
func (e *ending) refuse(c *Conn, err error) {
	reason := e.reasonFor(c, err)
	if c.transport().shaking() || c.opens() || c.state&arriving != 0 || *e&remains != 0 {
		e.finish(c, reason)
		return
	}
	if c.session.breaksOff(c, reason) {
		return
	}
	c.mu.Lock()
	if c.phase.get() == closing {
		// The peer's goodbye will not come in a form that can be understood.
		c.mu.Unlock()
		e.finish(c, e.cause(c))
		return
	}
	defer c.mu.Unlock()
	*e |= refused
	e.setCauseLocked(c, reason)
	c.out.sayLocked(c, func(dst []byte) []byte { return c.session.brokenLocked(dst, err) })
	e.closeLocked(c)
}

// reasonFor is what the application is told of a peer that is refused.
func (e *ending) reasonFor(c *Conn, err error) error {
	switch {
	case errors.Is(err, ErrTimeout):
		return ErrTimeout
	case c.opens():
		return c.link.dialing().failed(err)
	case errors.Is(err, ErrTooLarge):
		return ErrTooLarge
	}
	return &ProtocolError{Protocol: c.session.protocolName(c.service), Err: err}
}

// goOn moves a closing connection on, once its output is empty.
func (e *ending) goOn(c *Conn, empty bool) {
	e.begin(c)
	if !empty || e.awaitsClose(c) || e.awaitsServer(c) {
		return
	}
	if c.transport().sayGoodbye() {
		c.attention()
		return
	}
	// A loop that stops does not wait for the end of a peer that has everything, and has begun nothing.
	square := c.loop.stopping && c.state&(ended|paused|half) == 0 && !c.in.waits(c) && !c.session.half()
	if square && *e&lost == 0 && c.transport().carriesStream() && c.loop.poll.Unsent(c.handle) {
		c.After(sentPause, c.attention)
		return
	}
	if c.state&ended != 0 || !c.transport().carriesStream() || square || *e&lost != 0 ||
		e.closingHandshake(c) == bothClosed {
		e.finish(c, e.cause(c))
		return
	}
	c.mu.Lock()
	c.phase.set(lingering)
	c.mu.Unlock()
	c.loop.freeInput(c)
	if err := closeWrite(c); err != nil {
		e.finish(c, e.cause(c))
		return
	}
	c.rearm()
}

// closingHandshake is how far the goodbyes of the protocol have come, where it has some.
func (e *ending) closingHandshake(c *Conn) closingHandshake {
	far := c.session.closingHandshake()
	if far != noClosingHandshake && *e&refused != 0 {
		return refusesClose
	}
	return far
}

// awaitsClose reports whether the peer's goodbye is still to come, and is read for.
func (e *ending) awaitsClose(c *Conn) bool {
	return c.phase.get() == closing && c.state&ended == 0 && e.closingHandshake(c) == awaitsClose
}

// isBusy reports whether a request is with the application, or the peer's end is not this side's.
func (e *ending) isBusy(c *Conn) bool {
	return c.session.busy(c) || e.outlasts(c)
}

// awaitsServer reports whether both sides have said goodbye, and ending the stream is up to the other one: the server
// (RFC 6455, 7.1.1).
func (e *ending) awaitsServer(c *Conn) bool {
	return c.link.dialing() != nil && c.state&ended == 0 && e.closingHandshake(c) == bothClosed
}

// begin begins the time that the ending may take.
func (e *ending) begin(c *Conn) {
	if *e&timed == 0 {
		*e |= timed
		c.since = c.loop.present
		c.watch(c.service.after.close)
	}
}

// tell tells the application, once, that nothing can be sent any more.
func (e *ending) tell(c *Conn) {
	if c.state&fresh != 0 {
		c.state &^= fresh
		c.connect()
	}
	if *e&told != 0 || !c.phase.connected() {
		return
	}
	*e |= told
	if f := c.service.worker.OnClosing; f != nil {
		c.guard(inOnClosing, func() { f(c) })
	}
}

// finish closes the socket and tells the application: the last thing that happens to a connection.
func (e *ending) finish(c *Conn, err error) {
	l := c.loop
	c.mu.Lock()
	if c.phase.get() == closed {
		c.mu.Unlock()
		return
	}
	abort := c.flags&aborted != 0
	c.phase.set(closed)
	c.out.dropLocked(c)
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
	l.exit(c)
	delete(l.dials, c)
	l.live--
	if c.link.dialing() != nil {
		l.outgoing--
	}
	l.freeInput(c)
	e.tell(c)
	if f := c.service.worker.OnClose; f != nil && (c.phase.connected() || c.link.dialing() != nil) {
		c.guard(inOnClose, func() { f(c, err) })
	}
	e.cancelContext(c)
	c.session.over(c, err, abort)
	tellGone(c)
	if d := c.link.dialing(); d != nil {
		d.redial(c)
	}
}

func (e *ending) cancelContext(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.extra; x != nil && x.life != nil {
		x.life.end()
	}
}

// cause is why the connection ends, as far as it is known.
func (e *ending) cause(c *Conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra == nil {
		return nil
	}
	return c.extra.cause
}

// awaitAnswers begins the time that answers may take after the end of the peer's stream.
func (e *ending) awaitAnswers(c *Conn) {
	if e.outlasts(c) {
		c.since = c.loop.present
		c.watch(c.service.after.answer)
	}
}

// outlasts reports whether the end of the peer's stream is not the end, as answers are on their way.
func (e *ending) outlasts(c *Conn) bool {
	return c.held > 0 && c.state&ended != 0 && c.phase.get() == open
}
