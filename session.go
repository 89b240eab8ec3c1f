package lineman

import (
	"errors"
	"fmt"

	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// session is what one connection speaks: the codec of its protocol, and the protocol's rules about limits, answers and
// endings. A new kind of session embeds plain, which has the rules of most, and defines those that differ: so it costs
// a file for its codec and one for its rules, and no other part asks which kind it has.
//
// Append, appendTyped and the methods whose names end in Locked run under the connection's lock, on any goroutine. All
// others run on the loop.
type session interface {
	protocol.Codec

	// Kind says which connections of a worker get the same bytes from Append: those of the same kind, which is below
	// websocket.Kinds, unless it is websocket.Unshared.
	Kind() uint8

	// protocolName is the name of the protocol in errors and listings.
	protocolName(s *service) string

	messageRules
	outputRules
	timeRules
	endingRules
	handoverRules
}

// messageRules say what is done with what comes.
type messageRules interface {
	// begin is called when the first byte of the protocol may come, and has OnConnect called, now or later.
	begin(c *Conn)

	// splice moves what has come by a way of the session's own, and reports whether that was possible.
	splice(c *Conn) bool

	// deliver handles a message that Decode found.
	deliver(c *Conn, msg []byte)

	// messageType is that of the message which Decode found last, of a protocol whose messages have types.
	messageType() protocol.Type

	// takes reports whether the next message may be looked at; if not, the connection is marked to resume when it may.
	takes(c *Conn) bool

	// size is how many bytes the message takes that data begins with, which Decode has found not to be whole; 0 if
	// that is not known.
	size(data []byte) int

	// more is told that Decode waits for more bytes.
	more(c *Conn)

	// half reports whether the codec keeps a part of a message, beyond the bytes that it has not used up.
	half() bool

	// goOn is told that messages that waited, for Resume or for an answer, are looked at next.
	goOn(c *Conn)

	// change is told that the connection goes to service s, and reports whether this session stays with it. An error
	// means that it cannot go.
	change(c *Conn, s *service) (stays bool, err error)
}

// outputRules say what follows what goes.
type outputRules interface {
	// appendTyped is Append for a message of a type. Under the lock, as Append.
	appendTyped(dst, msg []byte, t protocol.Type) ([]byte, error)

	// aroundLocked appends to dst what goes over the wire before msg, and then what goes after it. before is how many
	// bytes the former is; it is negative if msg does not go as it is, and Append has to do it.
	aroundLocked(dst, msg []byte, binary bool) (around []byte, before int, err error)

	// sentLocked is told that a message was queued.
	sentLocked(c *Conn)

	// unsentLocked is told that a message could not be sent, as the connection is ending.
	unsentLocked(c *Conn)

	// writtenLocked is told that the kernel was given what it takes.
	writtenLocked(c *Conn)

	// written follows writtenLocked without the lock; empty means that the kernel has all. It reports whether messages
	// that wait may be looked at now.
	written(c *Conn, empty bool) (goOn bool)

	// keepsUnsent reports whether what was accepted before a dialed connection was there waits for the next attempt.
	keepsUnsent() bool
}

// timeRules say how long the peer may take.
type timeRules interface {
	// halfReceived begins the limits of a message whose first bytes wait for the others.
	halfReceived(c *Conn)

	// limits are those of an open connection whose handshakes below the protocol are over.
	limits(c *Conn) [3]limit
}

// endingRules say how a connection ends: see Conn for who ends one, and what the peer is told.
type endingRules interface {
	// goodbyeLocked says what the protocol says before this side closes.
	goodbyeLocked(dst []byte, code websocket.Code, reason string) []byte

	// brokenLocked says what the protocol says to a peer that broke it, or ran out of time, before the connection ends.
	brokenLocked(dst []byte, cause error) []byte

	// breaksOff is told first that the peer broke the protocol, or ran out of time, and reports whether the session
	// ends the connection in a way of its own.
	breaksOff(c *Conn, reason error) bool

	// closingHandshake is how far the protocol's goodbyes have come.
	closingHandshake() closingHandshake

	// busy reports whether a request is with the application, or the end of the peer's stream is not that of the
	// connection for another reason: an answer ends it then.
	busy(c *Conn) bool

	// peerEnded is told that nothing more comes from the peer: with io.EOF because its stream has ended. It reports
	// whether the connection goes on.
	peerEnded(c *Conn, cause error) bool

	// severed is told that nothing more can be sent, but what has come is still handled.
	severed(c *Conn)

	// over is told that the connection has closed, last of all.
	over(c *Conn, err error, aborted bool)

	// partsAtRest reports whether a connection with nothing under way may be told goodbye. If not, an answer ends it.
	partsAtRest() bool

	// lastAnswer is told that the loop lets its connections go: the answer to the last request that has come says so.
	lastAnswer(c *Conn)

	// leave is told that the loop stops, and reports whether what is under way ends the connection: late means that
	// there is no time for requests that have not been looked at.
	leave(c *Conn, late bool) bool
}

// handoverRules say what of a session goes to another process with its connection: see handover_session.go.
type handoverRules interface {
	// recordKind says which session a record is of.
	recordKind(c *Conn) string

	// appendStateLocked appends to dst what the session knows beside the input that waits. An error is why the
	// connection stays. It is asked again when the connection goes: what was sent since, by other goroutines, may have
	// changed it.
	appendStateLocked(c *Conn, dst []byte) ([]byte, error)

	// restoreState gives a new session of a new connection that state. The error says why it cannot be.
	restoreState(c *Conn, state []byte) error
}

// closingHandshake is how far the goodbyes of a protocol have come, once this side has said its own (RFC 6455, 7.1.2
// to 7.1.4).
type closingHandshake uint8

const (
	noClosingHandshake closingHandshake = iota // the end of the stream is the goodbye
	awaitsClose                                // the peer's goodbye has not come
	refusesClose                               // it is not looked at: see refused
	bothClosed                                 // both have said goodbye
)

// plain is the rules of a protocol of messages that follow each other, without a goodbye.
type plain struct{}

func (plain) Kind() uint8 { return 0 }

func (plain) protocolName(s *service) string {
	if s.protocol == nil {
		return s.address.network
	}
	return s.protocol.Name()
}

func (plain) begin(c *Conn) {
	if d := c.link.dialing(); d != nil {
		d.opened(c)
	}
	c.connect()
	c.watch(c.service.after.idle)
}

func (plain) messageType() protocol.Type { return protocol.Type{} }

func (plain) appendTyped(dst, _ []byte, _ protocol.Type) ([]byte, error) { return dst, errNoTypes }

func (plain) splice(*Conn) bool                            { return false }
func (plain) deliver(c *Conn, msg []byte)                  { c.in.message(c, msg) }
func (plain) takes(*Conn) bool                             { return true }
func (plain) size([]byte) int                              { return 0 }
func (plain) more(*Conn)                                   {}
func (plain) half() bool                                   { return false }
func (plain) goOn(*Conn)                                   {}
func (plain) change(*Conn, *service) (stays bool, _ error) { return false, nil }

func (plain) aroundLocked(dst, _ []byte, _ bool) ([]byte, int, error) { return dst, -1, nil }

func (plain) sentLocked(*Conn)                {}
func (plain) unsentLocked(*Conn)              {}
func (plain) writtenLocked(*Conn)             {}
func (plain) written(*Conn, bool) (goOn bool) { return false }
func (plain) keepsUnsent() bool               { return true }

func (plain) halfReceived(c *Conn) {
	c.since = c.loop.present
	c.watch(c.service.after.message)
}

// limits do not run while the connection is paused: the peer cannot do what it owes.
func (plain) limits(c *Conn) (on [3]limit) {
	if c.state&paused != 0 {
		return on
	}
	if c.state&half != 0 {
		on[0] = limit{c.since, c.service.after.message, timeOut}
	}
	on[1] = limit{c.in.touched, c.service.after.idle, endIdle}
	return on
}

func (plain) goodbyeLocked(dst []byte, _ websocket.Code, _ string) []byte { return dst }
func (plain) brokenLocked(dst []byte, _ error) []byte                     { return dst }
func (plain) breaksOff(*Conn, error) bool                                 { return false }
func (plain) closingHandshake() closingHandshake                          { return noClosingHandshake }
func (plain) busy(*Conn) bool                                             { return false }
func (plain) peerEnded(*Conn, error) bool                                 { return false }
func (plain) severed(*Conn)                                               {}
func (plain) over(*Conn, error, bool)                                     {}
func (plain) partsAtRest() bool                                           { return true }
func (plain) lastAnswer(*Conn)                                            {}
func (plain) leave(*Conn, bool) bool                                      { return false }

var errNoTypes = fmt.Errorf("lineman: the messages of this protocol have no types: %w", errors.ErrUnsupported)

// framing is the session of a protocol whose codec has the two methods that are enough for most.
type framing struct {
	plain
	codec protocol.Codec
	max   int // more than this is never kept for Decode to wait for, whatever it says
}

// slack is what a codec may need beside the message itself: lengths, padding, a trailer.
const slack = 64 << 10

func (f *framing) Decode(data []byte) (int, []byte, error) {
	n, msg, err := f.codec.Decode(data)
	switch {
	case n < 0 || n > len(data):
		return 0, nil, fmt.Errorf("codec used up %d of %d bytes", n, len(data))
	case n == 0 && err == nil && msg != nil:
		return 0, nil, fmt.Errorf("codec gave a message without using up a byte")
	case n == 0 && err == nil && len(data) > f.max:
		return 0, nil, ErrTooLarge
	}
	return n, msg, err
}

func (f *framing) size(data []byte) int {
	if c, ok := f.codec.(protocol.Sized); ok {
		return c.Size(data)
	}
	return 0
}

func (f *framing) Append(dst, msg []byte) ([]byte, error) { return f.codec.Append(dst, msg) }

func (f *framing) aroundLocked(dst, msg []byte, _ bool) (around []byte, before int, err error) {
	if c, ok := f.codec.(protocol.Framer); ok {
		return c.AppendFrame(dst, msg)
	}
	return dst, -1, nil
}

func (f *framing) messageType() protocol.Type {
	if t, ok := f.codec.(protocol.Typed); ok {
		return t.Type()
	}
	return protocol.Type{}
}

func (f *framing) appendTyped(dst, msg []byte, t protocol.Type) ([]byte, error) {
	if c, ok := f.codec.(protocol.Typed); ok {
		return c.AppendTyped(dst, msg, t)
	}
	return dst, errNoTypes
}

// raw is the session of a worker without a protocol: whatever was read is a message.
type raw struct{ plain }

func (raw) Decode(data []byte) (int, []byte, error) { return len(data), data, nil }
func (raw) Append(dst, msg []byte) ([]byte, error)  { return append(dst, msg...), nil }

func (raw) aroundLocked(dst, _ []byte, _ bool) ([]byte, int, error) { return dst, 0, nil }
