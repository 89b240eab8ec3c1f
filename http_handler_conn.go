package lineman

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/lineman-go/lineman/internal/exchange"
	"github.com/lineman-go/lineman/internal/poll"
)

// handlerConn is a connection as an exchange with an http.Handler uses it, from any goroutine.
type handlerConn struct{ *Conn }

// newExchange begins the exchange of a request with an http.Handler. On the loop.
func newExchange(c *Conn, ends exchange.Ends, h http.Handler) *exchange.Exchange {
	return exchange.New(handlerConn{c}, ends, h, c.loop.ticks(c.loop.now))
}

// endsOf are the addresses of a connection. The kernel is asked for one of them.
func endsOf(c *Conn) exchange.Ends {
	return exchange.Ends{Local: c.LocalAddr(), Peer: c.RemoteAddr().String()}
}

// connOf is the connection that an exchange is on.
func connOf(x *exchange.Exchange) *Conn { return x.Conn().(handlerConn).Conn }

// WriteSome hands bytes to the kernel, or to the output as far as there is room. What is gathered is left to the loop.
func (c handlerConn) WriteSome(p []byte, ahead int, gather bool) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != open {
		return 0, net.ErrClosed
	}
	n = min(len(p), ahead-c.out.pendingLocked(c.Conn))
	if n <= 0 {
		return 0, nil
	}
	c.out.sayLocked(c.Conn, func(dst []byte) []byte { return append(dst, p[:n]...) })
	switch {
	case gather && c.out.pendingLocked(c.Conn) < writeSize:
		c.flags |= gathered
	case c.flags&(stalled|handed) == 0:
		c.flags &^= gathered
		c.out.writeLocked(c.Conn, nil)
	}
	if c.flags&broken != 0 {
		c.markLocked(0)
	}
	return n, nil
}

func (c handlerConn) State() exchange.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return exchange.State{
		Open:    c.phase.get() == open,
		Broken:  c.flags&broken != 0,
		Stalled: c.flags&stalled != 0,
		Pending: c.out.pendingLocked(c.Conn),
		Sent:    c.out.bytes,
	}
}

func (c handlerConn) Attend() { c.attention() }
func (c handlerConn) Resume() { c.resume() }

func (c handlerConn) IsLast() bool {
	if !c.loop.parting.Load() {
		return false
	}
	more, err := Ask(context.Background(), c.loop, func() bool { return c.in.asksMore(c.Conn) })
	return err != nil || !more // with an error all ends
}

// Output lends the sending side of the connection's socket.
func (c handlerConn) Output() (exchange.Output, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != open {
		return nil, net.ErrClosed
	}
	out, err := c.loop.poll.Output(c.handle)
	if err != nil {
		return nil, err
	}
	return fileOutput{c.Conn, out}, nil
}

// fileOutput counts what is sent of files.
type fileOutput struct {
	conn *Conn
	poll.Output
}

func (o fileOutput) SendFile(f *os.File, n int) (sent int, full bool, err error) {
	sent, err = o.Output.SendFile(f, n)
	full = err == poll.ErrAgain
	switch open := o.conn.out.sent(o.conn, sent, full); {
	case !open:
		return sent, false, net.ErrClosed
	case full:
		return sent, true, nil
	}
	return sent, false, err
}

// sent notes what went without Write, and has the loop tell when the kernel takes more. It reports whether the
// connection is still there.
func (w *writer) sent(c *Conn, n int, again bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.wroteLocked(c, n)
	if c.phase.get() != open {
		return false
	}
	if again {
		c.flags |= stalled
		c.markLocked(0)
	}
	return true
}

func (c handlerConn) Detach() (conn net.Conn, unread []byte, err error) {
	for {
		if _, ended := Ask(context.Background(), c.loop, func() struct{} {
			conn, unread, err = c.detach()
			return struct{}{}
		}); ended != nil {
			return nil, nil, net.ErrClosed
		}
		if err != poll.ErrAgain {
			return conn, unread, err
		}
		time.Sleep(time.Millisecond) // over package net, what was written is on its way
	}
}

// detach gives the socket away, and what was read from it and not handled. For the loop the connection is over, without
// an OnClose.
func (c handlerConn) detach() (net.Conn, []byte, error) {
	if c.phase.get() != open {
		return nil, nil, net.ErrClosed
	}
	conn, unread, err := c.loop.poll.Detach(c.handle)
	if err != nil {
		return nil, nil, err
	}
	if c.in.rest != nil {
		unread = append(bytes.Clone(c.in.rest.bytes), unread...)
	}
	c.mu.Lock()
	c.phase.connect(false)
	c.mu.Unlock()
	c.end.finish(c.Conn, nil)
	return conn, unread, nil
}
