package exchange

import (
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// A serverConn is what net/http takes for one keep-alive connection: the exchanges that it serves one after the other,
// of any connections. So a request finds a goroutine that has grown its stack, and the buffers, of one before it.
//
//	          answered, and may be kept         the next exchange
//	serving ────────────────────────────▶ spare ─────────────────▶ serving
//	    │ not kept, spent, or enough are spare │ not needed any more
//	    └──────────────────────────────────────┴─────────────────▶ net/http closes it, its goroutine ends
//
// Owned by net/http's goroutine for it, but for what says otherwise. That of a read in the background ends before the
// answer does.
type serverConn struct {
	server *Server // immutable

	current  atomic.Pointer[Exchange] // nil while it is spare. Read by stray goroutines of handlers too.
	answered bool                     // net/http waits for the next exchange
	room     int                      // of net/http's buffer while nothing is in it; 0 before the first Read
	aborted  atomic.Bool              // net/http does not want to read any more
	spent    atomic.Bool              // net/http knows that a peer has gone: the context of each request would be over

	next chan *Exchange // room for one; closed when it is not needed any more
}

func newServerConn(s *Server, first *Exchange) *serverConn {
	c := &serverConn{server: s, next: make(chan *Exchange, 1)}
	c.current.Store(first)
	return c
}

// idle is told by net/http that the answer has been written and the connection may go on.
func (c *serverConn) idle() {
	c.current.Load().keepAlive()
	c.answered = true
}

// Read gives the bytes of the exchange at hand, and after its answer those of the next.
func (c *serverConn) Read(p []byte) (int, error) {
	if c.room == 0 {
		c.room = len(p)
	}
	if c.answered && !c.goOn(len(p)) {
		return 0, io.EOF
	}
	n, err := c.current.Load().Read(p)
	if err != nil && !(err == os.ErrDeadlineExceeded && c.aborted.Load()) {
		c.spent.Store(true)
	}
	return n, err
}

// goOn ends the exchange at hand and waits for the next one. It reports whether there is one. room is that of
// net/http's buffer: the requests of two clients must not meet there, so not a byte may be left of the first, whatever
// net/http made of it.
func (c *serverConn) goOn(room int) bool {
	x := c.current.Load()
	if room != c.room || c.spent.Load() {
		return false
	}
	c.current.Store(nil)
	if !c.server.spares.put(c) {
		c.current.Store(x)
		return false
	}
	_ = x.Close() // nobody else does
	next, ok := <-c.next
	if !ok {
		return false
	}
	c.current.Store(next)
	c.answered = false
	return true
}

// Close is called by net/http when it serves nothing more on it.
func (c *serverConn) Close() error {
	if x := c.current.Load(); x != nil {
		return x.Close()
	}
	return nil
}

func (c *serverConn) Write(p []byte) (int, error) {
	if x := c.current.Load(); x != nil {
		return x.Write(p)
	}
	return 0, net.ErrClosed
}

// ReadFrom is how net/http has a file sent.
func (c *serverConn) ReadFrom(src io.Reader) (int64, error) {
	if x := c.current.Load(); x != nil {
		return x.ReadFrom(src)
	}
	return 0, net.ErrClosed
}

// SetReadDeadline is called by net/http alone: handlers have that of the exchange.
func (c *serverConn) SetReadDeadline(t time.Time) error {
	c.aborted.Store(!t.IsZero())
	return c.set(t, (*Exchange).SetReadDeadline)
}

func (c *serverConn) SetWriteDeadline(t time.Time) error {
	return c.set(t, (*Exchange).SetWriteDeadline)
}
func (c *serverConn) SetDeadline(t time.Time) error { return c.set(t, (*Exchange).SetDeadline) }

func (c *serverConn) set(t time.Time, deadline func(*Exchange, time.Time) error) error {
	if x := c.current.Load(); x != nil {
		return deadline(x, t)
	}
	return net.ErrClosed
}

// The addresses are those of each request: it is told them by handle.

func (c *serverConn) LocalAddr() net.Addr  { return nil }
func (c *serverConn) RemoteAddr() net.Addr { return nil }
