package lineman

import (
	"bytes"
	"net"
	"time"

	"github.com/lineman-go/lineman/internal/poll"
)

// hijack gives the connection away, and with it what has come and was not read.
func (x *exchange) hijack() (net.Conn, []byte, error) {
	x.mu.Lock()
	x.tunnel, x.held = true, true
	x.goOnLocked()
	x.mu.Unlock()
	if _, isTCP := x.LocalAddr().(*net.TCPAddr); !isTCP || x.tls != nil {
		return x, nil, nil
	}
	for {
		if err := x.await(func(u unsent) bool { return u.pending == 0 }); err != nil {
			return nil, nil, err
		}
		c, unread, err := x.detach()
		if err == poll.ErrAgain {
			time.Sleep(time.Millisecond) // over package net, what was written is on its way
			continue
		}
		return c, unread, err
	}
}

// detach takes the connection from its loop.
func (x *exchange) detach() (conn net.Conn, unread []byte, err error) {
	if !x.conn.loop.await(func() { conn, unread, err = x.conn.detach() }) {
		return nil, nil, net.ErrClosed
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	unread = append(x.queue, unread...)
	x.queue = nil
	return conn, unread, err
}

// tunnels reports whether all bytes that come are this exchange's.
func (x *exchange) tunnels() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tunnel
}

// detach gives the socket away, and what was read from it and not handled. For the loop the connection is over, without
// an OnClose.
func (c *Conn) detach() (net.Conn, []byte, error) {
	if c.phase.get() != open {
		return nil, nil, net.ErrClosed
	}
	conn, unread, err := c.loop.poll.Detach(c.handle)
	if err != nil {
		return nil, nil, err
	}
	if c.in != nil {
		unread = append(bytes.Clone(c.in.bytes), unread...)
	}
	c.mu.Lock()
	c.phase.connect(false)
	c.mu.Unlock()
	c.finish(nil)
	return conn, unread, nil
}
