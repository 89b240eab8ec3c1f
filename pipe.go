package lineman

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// Pipe joins two connections of bytes (tcp, unix, with or without TLS) of one loop: what comes on either goes to the
// other from now on, and OnMessage is no longer called. Nothing is read from a peer whose other side does not take it;
// on plain sockets of Linux the bytes do not pass through this process at all. Each end of stream is passed on by
// itself; when both have ended, so do the connections, with io.EOF. One that breaks, or is aborted, aborts the other;
// one that is closed closes it, after what it had sent; and so does what a connection had sent before it broke, within
// Limits.Close. A connection that Dial is still making may be piped at once. On the loop only.
//
// The error says that one of them does not carry bytes or belongs to another loop, or it is net.ErrClosed. Nothing has
// changed then.
func Pipe(a, b *Conn) error {
	for _, c := range []*Conn{a, b} {
		switch _, bytes := c.session.(raw); {
		case c.loop != a.loop || a == b:
			return errors.New("lineman: pipe: want two connections of one loop")
		case c.phase.get() != open:
			return fmt.Errorf("lineman: pipe: %w", net.ErrClosed)
		case !bytes || !c.transport().carriesStream():
			return fmt.Errorf("lineman: pipe: worker %q does not carry bytes", c.service.name)
		}
	}
	one, other := &piped{to: b}, &piped{to: a}
	one.back, other.back = other, one
	one.join(a)
	other.join(b)
	return nil
}

// piped is a connection whose bytes go to another one.
//
//	the peer's stream ends ──▶ to.due ──▶ to's output is empty: its stream is ended
//	both streams of a connection have ended: it is finished
type piped struct {
	raw
	to    *Conn
	back  *piped // the session of to, as long as that is joined
	held  bool   // nothing is read until to has written. Owned by the loop, like the rest.
	due   bool   // our end of stream follows what is in the output
	ended bool   // and was sent
	torn  bool   // the other one broke: this one is aborted when its peer has what came before
}

// pipeAhead is how much may wait for a peer before nothing more is read for it.
const pipeAhead = 64 << 10

func (p *piped) join(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = p
	c.markLocked(resume) // what came before
}

// joined reports whether the other connection is still the one that was joined with this one. One that is dialed again
// is not.
func (p *piped) joined() bool { return p.to.session == session(p.back) }

func (p *piped) busy(*Conn) bool   { return true }
func (p *piped) keepsUnsent() bool { return false }

func (p *piped) change(_ *Conn, s *service) (stays bool, _ error) {
	return false, fmt.Errorf("lineman: a connection that is joined with another one cannot go to worker %q", s.name)
}

func (p *piped) takes(*Conn) bool {
	p.to.mu.Lock()
	defer p.to.mu.Unlock()
	p.held = p.to.flags&stalled != 0 || p.to.out.pendingLocked(p.to) >= pipeAhead
	return !p.held
}

func (p *piped) deliver(_ *Conn, data []byte) {
	to := p.to
	to.in.touched = to.loop.present
	to.mu.Lock()
	defer to.mu.Unlock()
	if to.phase.get() != open {
		return
	}
	to.out.sayLocked(to, func(dst []byte) []byte { return append(dst, data...) })
	to.markLocked(0)
}

// peerEnded has the other connection's stream end behind its output.
func (p *piped) peerEnded(c *Conn, cause error) bool {
	switch cause {
	case io.EOF:
	case net.ErrClosed:
		return false
	default: // cut, without the goodbye of TLS
		c.end.finish(c, cause)
		return true
	}
	if p.joined() {
		p.back.due = true
		p.to.attention()
	}
	return true
}

// written goes on with what waited for c, the connection of this session, to write.
func (p *piped) written(c *Conn, empty bool) (goOn bool) {
	if c.phase.get() == open {
		p.goOnWriting(c, empty)
	}
	return false
}

func (p *piped) goOnWriting(c *Conn, empty bool) {
	c.out.freePipe(c)
	if p.joined() && p.back.held && p.back.takes(nil) {
		p.to.resume()
	}
	if p.torn && empty && !c.opens() {
		p.abortSent(c)
		return
	}
	if !p.due || !empty || c.opens() {
		return
	}
	if c.transport().sayGoodbye() {
		c.attention()
		return
	}
	if !p.ended {
		p.ended = true
		if err := closeWrite(c); err != nil {
			c.end.finish(c, err)
			return
		}
	}
	if c.state&ended != 0 {
		c.end.finish(c, io.EOF)
		p.to.attention()
	}
}

// over ends the other connection as this one ended: what this one had sent before it broke still goes to it.
func (p *piped) over(_ *Conn, err error, abort bool) {
	to := p.to
	switch {
	case abort:
		to.Abort()
	case p.ended && err == io.EOF:
	case err == nil || err == io.EOF:
		_ = to.CloseWith(websocket.Normal, "") // it may have ended already
	case !p.joined() || to.service.limits.Close < 0:
		to.Abort()
	default:
		p.back.torn = true
		to.After(to.service.limits.Close, to.Abort)
		to.attention()
	}
}

// sentPause is how long a connection waits before it looks again whether its peer has everything.
const sentPause = 10 * time.Millisecond

// abortSent aborts a connection whose peer has everything that was written.
func (p *piped) abortSent(c *Conn) {
	if c.loop.poll.Unsent(c.handle) {
		c.After(sentPause, c.attention)
		return
	}
	c.Abort()
}

// splice moves bytes through the kernel, and reports whether that was possible.
func (p *piped) splice(c *Conn) bool {
	if c.in.rest != nil || c.link.tls() != nil || !p.to.out.takesPipe(p.to) {
		return false
	}
	switch n, err := p.to.out.fillPipe(p.to, c.handle); {
	case n > 0:
		c.in.came(c, n)
		p.to.in.touched = c.in.touched
		if !p.takes(nil) {
			c.state |= holding
			c.rearm()
		}
	case err == io.EOF:
		c.in.ended(c)
	case errors.Is(err, errors.ErrUnsupported):
		return false
	case err != poll.ErrAgain:
		c.end.finish(c, err)
	}
	return true
}

// takesPipe gives the connection a pipe of the kernel, if it can be used in place of the output.
func (w *writer) takesPipe(c *Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link.tls() != nil || c.phase.get() != open || c.flags&(opening|stalled|broken) != 0 || w.pendingLocked(c) > 0 {
		return false
	}
	x := c.extrasLocked()
	if x.piped == nil {
		x.piped = c.loop.takePipe()
	}
	return x.piped != nil
}

// fillPipe takes what has come on another connection, and writes it.
func (w *writer) fillPipe(c *Conn, from poll.Handle) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.extra.piped.Fill(from)
	w.writeLocked(c, nil)
	c.markLocked(0)
	return n, err
}

// freePipe gives an empty pipe back.
func (w *writer) freePipe(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.extra; x != nil && x.piped != nil && x.piped.Len() == 0 {
		c.loop.givePipe(x.piped)
		x.piped = nil
	}
}

// keepPipes is how many free pipes a loop keeps.
const keepPipes = 16

// takePipe is nil where the kernel has no way to move bytes.
func (l *Loop) takePipe() poll.Pipe {
	if n := len(l.pipes); n > 0 {
		p := l.pipes[n-1]
		l.pipes = l.pipes[:n-1]
		return p
	}
	p, _ := l.poll.Pipe() // then by copying
	return p
}

func (l *Loop) givePipe(p poll.Pipe) {
	if p.Len() > 0 || len(l.pipes) == keepPipes {
		p.Close()
		return
	}
	l.pipes = append(l.pipes, p)
}
