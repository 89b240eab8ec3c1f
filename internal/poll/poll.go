// Package poll says which sockets are ready, and reads and writes them without ever blocking.
//
// The contract is in handles, not descriptors, because package net gives bytes and no readiness: New makes the best
// poller of the system (epoll on Linux), NewPortable one over package net that runs everywhere. DESIGN.md has its
// guarantees and trade-offs.
package poll

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"
)

// A Handle names an open socket of one Poller. Handles are numbers from 0 on, below the most sockets that the poller
// had open at once: fit to index a slice. They are used again after the Wait that follows their Close: no event of one
// Wait ever means a handle that was closed before it.
type Handle int32

// An Event says what a socket is ready for. Fail is set, alone or beside the others, when the connection is broken; it
// is reported even while nothing is armed, then perhaps only once. A stream that both sides have ended is not broken:
// what came before can be read.
type Event struct {
	Handle            Handle
	Read, Write, Fail bool
}

// Ends are where a datagram comes from or goes to, and this side's address. Local is zero where the socket has one
// address, where the system cannot tell it (none but Linux is asked), and for a multicast of IPv6; what is sent then
// has the address that the system takes.
type Ends struct {
	Peer  netip.AddrPort
	Local netip.Addr
}

// ErrAgain means: not now. The socket is not ready; an armed handle gets an event when it is.
var ErrAgain = errors.New("poll: not ready")

// An Output sends files without a copy through the process's memory. It stays usable when the handle is closed: then
// SendFile fails.
type Output interface {
	// SendFile sends at most n bytes of f from its offset on, which moves by them. It may wait for the disk, never for
	// the peer: then it returns ErrAgain. 0 and nil mean the end of the file; errors.ErrUnsupported means that f is not
	// fit for it.
	SendFile(f *os.File, n int) (int, error)

	Close() error
}

// A Pipe moves bytes from one stream to another without a copy through the process's memory. It holds what the second
// stream did not take.
type Pipe interface {
	// Fill takes what has come on a stream. It returns io.EOF at its end, ErrAgain if nothing is there, and
	// errors.ErrUnsupported if the stream cannot be read in this way.
	Fill(from Handle) (int, error)

	// Drain gives to a stream what it takes. ErrAgain means that the rest has to wait.
	Drain(to Handle) (int, error)

	// Len is how many bytes the pipe holds.
	Len() int

	Close() error
}

// Accepted is a connection that was accepted, and that no poller has taken over yet.
type Accepted struct {
	conn net.Conn // of the portable poller; else nil
	fd   int
	kind uint32 // of the descriptor
}

// A Write is bytes for a stream, not empty, and what became of them.
type Write struct {
	Handle Handle
	Bytes  []byte

	// Results, as those of Poller.Write.
	N   int
	Err error
}

// A Batch writes to many streams by one call of the system. It is used on the goroutine that calls Wait.
type Batch interface {
	// Write does for each of writes what Poller.Write does, and sets N and Err. A handle may occur once. When it
	// returns, all is done: nothing uses the bytes any more.
	Write(writes []Write)

	Close() error
}

// A Poller owns the sockets that were handed to it. Everything runs on the goroutine that calls Wait, except
//
//	Wake                which may run anywhere, at any time
//	Write, WriteParts
//	and WriteTo         which may run anywhere, but never twice at once for one handle, nor beside its Close
//	LocalAddr           which may run anywhere, but not beside the handle's Close
type Poller interface {
	// Listen takes ln over (TCP or Unix) and arms it for reading: an event means that Accept will succeed. shared means
	// that other pollers, in other processes, accept from the same open socket: where the system can, a connection
	// wakes only one of them, and they take turns; Accept may then return ErrAgain after an event.
	Listen(ln net.Listener, shared bool) (Handle, error)

	// Packet takes pc over (UDP, connected to a peer or not) and arms it for reading.
	Packet(pc net.PacketConn) (Handle, error)

	// Accept returns the next connection of a listener, for Adopt of this or another poller, and its peer (the zero
	// AddrPort on a Unix socket). ErrAgain means there is none. Any other error is about this one attempt; IsShortage
	// tells whether it is a lack of descriptors or memory, where trying again at once is of no use.
	Accept(ln Handle) (Accepted, netip.AddrPort, error)

	// Adopt takes over a connection that a poller of the same kind has accepted, and arms it for reading. If it fails,
	// the connection is closed.
	Adopt(a Accepted) (Handle, error)

	// Halt has the poller take nothing more from the system for a listener or a datagram socket, whose handle is to be
	// closed next. It reports whether something was taken ahead, which Accept or ReadFrom still gives: the next process
	// that has the socket open will not see it.
	Halt(h Handle) bool

	// Stream takes c over (TCP or Unix) and arms it for reading.
	Stream(c net.Conn) (Handle, error)

	// Detach gives a stream away: a net.Conn like the one that came, and what was read ahead of it. ErrAgain means that
	// what was written is still on its way. Close the handle afterwards: it no longer touches the connection.
	Detach(h Handle) (c net.Conn, unread []byte, err error)

	// Descriptor returns the descriptor of a stream, which stays the poller's: to be given to another process. While
	// that may serve it, there must be no Wait: of a stream that was closed here, the system goes on to tell as long as
	// the other process has it, until Renew. errors.ErrUnsupported means that the poller has no such thing.
	Descriptor(h Handle) (fd int, err error)

	// Lend duplicates the descriptor of a stream, for a process that may serve the connection later: the caller closes
	// the duplicate when it was given. Until Reclaim, Close ends the connection though the other process has it open,
	// as it would end one of this process alone. errors.ErrUnsupported means that the poller has no such thing.
	Lend(h Handle) (fd int, err error)

	// Reclaim tells that nobody has any more what was lent.
	Reclaim()

	// Leave closes the descriptor of a stream, and leaves the connection to the process that has it.
	Leave(h Handle)

	// Renew has the poller watch all that is open, for what is armed, and nothing else. If it fails, what was watched
	// is as before.
	Renew() error

	// Take takes over the descriptor of a stream (TCP or Unix, not blocking) that another process has given. It is
	// armed for reading, and not watched until Watch or Renew. If it fails, the descriptor is closed.
	// errors.ErrUnsupported means that the poller has no such thing.
	Take(fd int) (Handle, error)

	// Pair makes two streams that are joined with each other, as Take makes one. fd is the descriptor of the second
	// one, as that of Descriptor. errors.ErrUnsupported means that the poller has no such thing.
	Pair() (one, other Handle, fd int, err error)

	// Watch has a stream that was taken be watched, for what is armed. Before the first Wait it may run on another
	// goroutine, beside everything else.
	Watch(h Handle) error

	// Unwatch undoes Watch for a stream that is closed next, while another process has it.
	Unwatch(h Handle) error

	// HungUp reports whether both streams of a connection have ended: if this side has not ended its own, the other one
	// has closed the whole. It is for Unix sockets.
	HungUp(h Handle) bool

	// Output lends the sending side of a stream to somebody who sends files: to be used on one goroutine, beside
	// everything else but Write, and to be closed. errors.ErrUnsupported means that the poller has no such thing.
	Output(h Handle) (Output, error)

	// Pipe makes a Pipe. errors.ErrUnsupported means that the poller has no such thing.
	Pipe() (Pipe, error)

	// Arm chooses which readiness is reported from now on, level-triggered: an event comes again until the socket
	// is not ready or disarmed.
	Arm(h Handle, read, write bool) error

	// Read reads at most len(p) bytes. It returns io.EOF at the end of the stream and ErrAgain if nothing is there.
	Read(h Handle, p []byte) (int, error)

	// Write writes what it can: n < len(p) comes with ErrAgain or with the error that broke the connection.
	Write(h Handle, p []byte) (int, error)

	// WriteParts is Write for bytes in several places, none of them empty. It may stop before the end without an error;
	// n tells. The list is used until it returns.
	WriteParts(h Handle, parts [][]byte) (int, error)

	// Batch makes a Batch. errors.ErrUnsupported means that the poller has no such thing, or the system forbids it.
	Batch() (Batch, error)

	// Unsent reports whether something that Write took is not with the peer of a stream yet, as far as the system
	// tells.
	Unsent(h Handle) bool

	// UserTimeout bounds how long the peer of a TCP connection may leave unacknowledged what Write took (RFC 9293,
	// 3.9.1.3): a connection that passes it fails. 0 is as the system has it, which takes minutes. Systems other than
	// Linux know no such thing.
	UserTimeout(h Handle, d time.Duration)

	// ReadFrom reads one datagram, cut to len(p). ErrAgain means there is none. Any other error is about a datagram
	// that was sent and came back; its event is Read or Fail.
	ReadFrom(h Handle, p []byte) (int, Ends, error)

	// WriteTo sends one datagram, whole or not at all: to the peer that the socket is connected to if that is given as
	// the zero AddrPort, and only then.
	WriteTo(h Handle, p []byte, between Ends) error

	// CloseWrite sends the end of the stream after what was written.
	CloseWrite(h Handle) error

	// Close closes the socket. What Write has taken is still sent, unless abort is true: then a TCP peer is reset.
	// A Unix listener's file is left alone: its owner removes it.
	Close(h Handle, abort bool)

	// LocalAddr is the socket's own address; nil after Close, until the handle is used again.
	LocalAddr(h Handle) net.Addr

	// Wait returns what is ready, at most a few hundred events at a time, valid until the next Wait. It blocks for d
	// at the longest; a negative d means for ever, 0 not at all. Wake ends it, with no events if nothing is ready.
	Wait(d time.Duration) ([]Event, error)

	// Wake makes the Wait under way, or else the next one, return at once. It may be called from any goroutine, also
	// after Shut.
	Wake()

	// Shut closes what is still open, as Close does without abort, and ends the poller's goroutines before it returns.
	// The second Shut does nothing.
	Shut()
}
