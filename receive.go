package lineman

import (
	"io"
	"net/netip"
	"sync/atomic"

	"github.com/lineman-go/lineman/internal/poll"
)

// newConn makes a connection of an accepted socket, and reports whether it may be there.
func newConn(s *service, h poll.Handle, remote netip.AddrPort) bool {
	l := s.loop
	c := &Conn{
		loop: l, id: lastID.Add(1), remote: remote, handle: h,
		service: s, session: s.newSession(),
	}
	now := l.ticks(l.now)
	c.touched, c.since = now, now
	c.state.armedRead = true
	l.enter(c)
	l.live++
	s.adopt(c)
	c.state.arriving = true
	if s.expectsHeader(remote) {
		c.watch(s.after.handshake)
		return true
	}
	return c.start()
}

// start is called when the first byte of the connection's own may come. It reports whether the connection may be there.
func (c *Conn) start() bool {
	switch s := c.service; {
	case !c.arrive():
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
	c.loop.doing.set(what)
	f()
}

// survive is deferred around callbacks.
func (c *Conn) survive() {
	if v := recover(); v != nil {
		c.loop.panicked(c.loop.doing.get().String()+" of "+c.service.name, v)
		c.fail(ErrPanic)
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
	if ev.Fail && !c.state.armedRead && c.transport().carriesStream() {
		c.broke()
		return
	}
	c.receive()
}

// receive reads once and handles every whole message that there is.
func (c *Conn) receive() {
	if !c.session.splice(c) {
		c.transport().receive(c)
	}
}

// read reads into the loop's memory.
func (c *Conn) read() ([]byte, error) {
	n, err := c.loop.poll.Read(c.handle, c.loop.buf)
	return c.loop.buf[:max(n, 0)], err
}

// arrived handles bytes that were read.
func (c *Conn) arrived(data []byte) {
	c.came(len(data))
	if c.state.arriving {
		c.readHeader(data)
	} else {
		c.transport().take(c, data)
	}
}

// came counts what came.
func (c *Conn) came(n int) {
	l := c.loop
	atomic.StoreUint64(&c.bytesIn, c.bytesIn+uint64(n))
	l.stats.BytesIn += uint64(n)
	c.touched = l.ticks(l.now)
	c.state.pinged = false
}

// decode handles the messages in what waits and in data, which follows it, and keeps the rest.
func (c *Conn) decode(data []byte) {
	delivered := c.messagesIn
	if c.in != nil {
		c.in.bytes = append(c.in.bytes, data...)
		rest := c.messages(c.in.bytes)
		if len(rest) == 0 || c.phase.get() >= lingering {
			c.loop.freeInput(c)
		} else if len(rest) < len(c.in.bytes) {
			c.in.bytes = c.in.bytes[:copy(c.in.bytes, rest)]
		}
	} else if rest := c.messages(data); len(rest) > 0 && c.phase.get() < lingering {
		c.in = c.loop.newInput()
		c.in.bytes = append(c.in.bytes, rest...)
	}
	c.waits(c.messagesIn != delivered)
	if c.in != nil {
		c.rearm() // what nobody takes yet waits in the kernel
	}
}

// waits notes whether a message is half received, and since when.
func (c *Conn) waits(afresh bool) {
	half := (c.in != nil || c.session.half()) && c.phase.get() == open && !c.state.paused && !c.state.holding
	if half && (afresh || !c.state.half) {
		c.session.halfReceived(c)
	}
	c.state.half = half
}

// messages delivers every whole message in data and returns what is left.
func (c *Conn) messages(data []byte) (rest []byte) {
	rest = data
	c.state.holding = false
	defer c.survive()
	for len(rest) > 0 && c.takesMessages() {
		n, msg, err := c.session.Decode(rest)
		switch {
		case n == 0 && err != nil:
			c.violated(err)
			return nil
		case n == 0:
			c.session.more(c)
			return rest
		}
		rest = rest[n:]
		if err != nil {
			c.invalid(err)
		} else if msg != nil {
			c.loop.behind = len(rest)
			c.session.deliver(c, msg)
		}
	}
	if c.handle == absent || c.phase.get() != open && !c.awaitsGoodbye() && !c.hasRest() {
		return nil
	}
	c.state.holding = len(rest) > 0
	return rest
}

// takesMessages reports whether the next message may be looked at. A connection that is closing still reads for the
// peer's goodbye; one that has ended, and will be dialed again, has nothing to say.
func (c *Conn) takesMessages() bool {
	if c.handle == absent {
		return false
	}
	if c.phase.get() != open && !c.hasRest() {
		return c.awaitsGoodbye()
	}
	return !c.state.paused && c.session.takes(c)
}

func (c *Conn) awaitsGoodbye() bool {
	return c.phase.get() == closing && !c.state.ended && c.session.closingHandshake() == awaitsClose
}

// busy reports whether a request is with the application, or the peer's end is not this side's.
func (c *Conn) busy() bool {
	return c.session.busy(c) || c.outlasts()
}

// message gives a whole message to the application.
func (c *Conn) message(msg []byte) {
	if c.phase.get() != open && !c.hasRest() {
		return
	}
	c.count()
	if f := c.service.worker.OnMessage; f != nil {
		c.loop.doing.set(inOnMessage)
		f(c, msg)
	}
}

func (c *Conn) count() {
	atomic.StoreUint32(&c.messagesIn, c.messagesIn+1)
	c.loop.stats.MessagesIn++
}

// invalid handles a message that the protocol refused, its stream still in step.
func (c *Conn) invalid(err error) {
	c.loop.stats.Invalid++
	if f := c.service.worker.OnInvalid; f != nil && (c.phase.get() == open || c.hasRest()) {
		c.loop.doing.set(inOnInvalid)
		f(c, err)
		return
	}
	c.violated(err)
}

// end handles the end of the peer's stream: what was complete has been handled, what was not never will be.
func (c *Conn) end(cause error) {
	holds := c.holds()
	if c.state.ending&remains != 0 && !(holds && c.someWaits()) {
		c.finish(cause)
		return
	}
	if holds {
		c.rearm() // the end is read again after them
		return
	}
	if c.opens() {
		c.finish(c.dial.failed(io.ErrUnexpectedEOF))
		return
	}
	c.state.ended = true
	if c.phase.get() == lingering {
		c.finish(nil)
		return
	}
	c.loop.freeInput(c)
	c.state.half = false
	c.rearm()
	if c.session.peerEnded(c, cause) {
		return
	}
	if c.busy() {
		c.awaitAnswers()
		return // the answer ends the connection
	}
	c.depart(cause)
}

// holds reports whether nothing more may be read for now.
func (c *Conn) holds() bool {
	if t := c.transport(); t.shaking() {
		return t.hasEnough()
	}
	return (c.state.paused || c.state.holding) && (c.phase.get() == open || c.hasRest())
}

// input is what waits for the rest of its message.
type input struct{ bytes []byte }

const (
	keepInput  = 64 << 10 // the largest free input that is kept
	keepInputs = 64       // and how many
)

func (l *Loop) newInput() *input {
	if n := len(l.inputs); n > 0 {
		in := l.inputs[n-1]
		l.inputs = l.inputs[:n-1]
		return in
	}
	return &input{}
}

func (l *Loop) freeInput(c *Conn) {
	if c.in == nil {
		return
	}
	if cap(c.in.bytes) <= keepInput && len(l.inputs) < keepInputs {
		c.in.bytes = c.in.bytes[:0]
		l.inputs = append(l.inputs, c.in)
	}
	c.in = nil
}
