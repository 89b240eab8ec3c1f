package lineman

import (
	"fmt"

	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// session is the full contract between a connection and what it speaks: a codec, and what to do with the messages it
// finds. Decode, deliver, more and broken run on the loop. Append and goodbye run under the connection's lock, on any
// goroutine.
type session interface {
	protocol.Codec

	// deliver handles a message that Decode found.
	deliver(c *Conn, msg []byte)

	// takes reports whether the next message may be looked at; if not, the connection is marked to resume when it may.
	takes(c *Conn) bool

	// more is told that Decode waits for more bytes.
	more(c *Conn)

	// half reports whether the codec keeps a part of a message, beyond the bytes that it has not used up.
	half() bool

	// broken says what the protocol says to a peer that broke it, or ran out of time, before the connection ends.
	broken(dst []byte, cause error) []byte

	// goodbye says what the protocol says before this side closes.
	goodbye(dst []byte, code websocket.Code, reason string) []byte

	// Kind says which connections of a worker get the same bytes from Append: those of the same kind, which is below
	// websocket.Kinds, unless it is websocket.Unshared.
	Kind() uint8
}

// framing makes a session of the two methods that are enough for most protocols.
type framing struct {
	protocol.Codec
	max int // more than this is never kept for Decode to wait for, whatever it says
}

// slack is what a codec may need beside the message itself: lengths, padding, a trailer.
const slack = 64 << 10

func (f *framing) Decode(data []byte) (int, []byte, error) {
	n, msg, err := f.Codec.Decode(data)
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

func (f *framing) deliver(c *Conn, msg []byte) { c.message(msg) }

func (f *framing) takes(*Conn) bool                                      { return true }
func (f *framing) more(*Conn)                                            {}
func (f *framing) half() bool                                            { return false }
func (f *framing) broken(dst []byte, _ error) []byte                     { return dst }
func (f *framing) goodbye(dst []byte, _ websocket.Code, _ string) []byte { return dst }
func (f *framing) Kind() uint8                                           { return 0 }

// raw is the session of a worker without a protocol: whatever was read is a message.
type raw struct{}

func (raw) Decode(data []byte) (int, []byte, error)               { return len(data), data, nil }
func (raw) Append(dst, msg []byte) ([]byte, error)                { return append(dst, msg...), nil }
func (raw) deliver(c *Conn, msg []byte)                           { c.message(msg) }
func (raw) takes(*Conn) bool                                      { return true }
func (raw) more(*Conn)                                            {}
func (raw) half() bool                                            { return false }
func (raw) broken(dst []byte, _ error) []byte                     { return dst }
func (raw) goodbye(dst []byte, _ websocket.Code, _ string) []byte { return dst }
func (raw) Kind() uint8                                           { return 0 }
