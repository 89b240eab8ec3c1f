package exchange

import (
	"crypto/tls"
	"net"
	"os"
)

// A Conn is what an exchange needs of the connection that it is on. Its methods are called from any goroutine but where
// they say so, and those that do not wait also with the exchange's lock held: they take the connection's below it, and
// call nothing of the exchange.
type Conn interface {
	// WriteSome takes as much of p as leaves at most ahead bytes that wait for the kernel, which may be nothing, and
	// returns how much that was. It does not wait. net.ErrClosed means that the connection takes nothing any more.
	// gather means that Resume or Close follows at once, and that the kernel need not have p before.
	WriteSome(p []byte, ahead int, gather bool) (n int, err error)

	// State is how the connection does just now. Wake or Cut follows when something else than Sent changes.
	State() State

	// Output lends the sending side of the socket. net.ErrClosed means that the connection takes nothing any more.
	Output() (Output, error)

	// Attend has the loop look at the exchange soon: its handler may have begun to wait for the peer.
	Attend()

	// Resume has the loop ask Room again.
	Resume()

	// Close ends the connection when everything is written. It does not wait.
	Close() error

	// IsLast reports whether the connection is to end with this exchange, because its loop lets it go and nothing has
	// come behind the request. It may wait for the loop.
	IsLast() bool

	// Detach takes the socket from the loop, and what was read from it and not fed to the exchange. Nothing is pending
	// when it is called. It waits for the loop.
	Detach() (conn net.Conn, unread []byte, err error)

	// TLS is nil without TLS. On the loop.
	TLS() *tls.ConnectionState

	RemoteAddr() net.Addr
}

// Ends are the addresses of a connection.
type Ends struct {
	Local net.Addr
	Peer  string // as net/http writes it
}

// State is how a connection does at one time.
type State struct {
	Open    bool   // it has not begun to close
	Broken  bool   // nothing can be written any more; what had come may still be handled
	Stalled bool   // the kernel takes nothing for now
	Pending int    // bytes that wait for the kernel
	Sent    uint64 // bytes that it has taken since the connection began
}

// An Output sends files from the kernel.
type Output interface {
	// SendFile sends at most n bytes of f from its offset on, which moves by them, and returns how many those were. It
	// may wait for the disk, never for the peer: then full is true, and State has Stalled until more can be sent. 0 and
	// nil mean the end of the file; errors.ErrUnsupported means that f is not fit for it, and net.ErrClosed that the
	// connection takes nothing any more.
	SendFile(f *os.File, n int) (sent int, full bool, err error)

	Close() error
}
