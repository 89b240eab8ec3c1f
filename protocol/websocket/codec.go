package websocket

import (
	"errors"
	"unicode/utf8"

	"github.com/lineman-go/lineman/protocol"
)

// ErrNotUTF8 is what Append gives for a text that is not UTF-8: the peer would have to close the connection.
var ErrNotUTF8 = errors.New("websocket: text message is not UTF-8: send it as binary")

// A Codec is the frames of one connection after the handshake.
//
// A message of one frame is delivered where it lies. Fragments are gathered, and control frames between them delivered
// as they come:
//
//	    frame with FIN                        control frame
//	   ┌──────────────▶ deliver              ┌──────────────▶ deliver
//	start ──────────────────────────▶ fragmented ◀──┐
//	   ▲    frame without FIN            │   │      │ continuation
//	   └─────────────────────────────────┘   └──────┘
//	        continuation with FIN: deliver
type Codec struct {
	max       int
	fragments []byte // payloads so far; nil between messages
	seen      int    // payload bytes of the frame at hand that are unmasked, and checked if they are text
	opcode    Opcode // of what was delivered last
	message   Opcode // of the fragmented message; Continuation when there is none
	tail      utf8Tail
	delivered bool // fragments were delivered and can go
	parted    bool // the peer's Close frame was delivered
}

// Opcode says what Decode returned last: Text, Binary, Close, Ping or Pong.
func (c *Codec) Opcode() Opcode { return c.opcode }

// Idle reports whether no message is half received, as far as the codec keeps any.
func (c *Codec) Idle() bool { return c.message == Continuation }

// Decode finds the next message or control frame; Opcode tells which. The payload is unmasked in place. Text is
// checked to be UTF-8 as its bytes arrive, so an invalid one ends the connection at once. The error is an *Error.
// After a Close frame nothing more is delivered.
func (c *Codec) Decode(data []byte) (advance int, msg []byte, err error) {
	if c.delivered {
		c.fragments, c.delivered = nil, false
	}
	if c.parted {
		return len(data), nil, nil // RFC 6455, 5.5.1
	}
	h, err := parseHeader(data)
	if err != nil || h.size == 0 {
		return 0, nil, err
	}
	if err := c.checkOrder(h); err != nil {
		return 0, nil, err
	}
	body := data[h.size:]
	if uint64(len(body)) > h.payload {
		body = body[:h.payload:h.payload]
	}
	if err := c.uncover(h, body); err != nil || uint64(len(body)) < h.payload {
		return 0, nil, err
	}
	c.seen = 0
	advance = h.size + len(body)
	msg, err = c.complete(h, body)
	if err != nil {
		return 0, nil, err
	}
	return advance, msg, nil
}

// uncover unmasks what is new of a payload and checks it if it is text.
func (c *Codec) uncover(h header, body []byte) error {
	fresh := body[c.seen:]
	unmask(fresh, h.mask, c.seen)
	first := c.seen == 0
	c.seen = len(body)
	if h.opcode != Text && !(h.opcode == Continuation && c.message == Text) {
		return nil
	}
	if first && h.opcode == Text {
		c.tail = utf8Tail{}
		if h.fin && uint64(len(body)) == h.payload && utf8.Valid(body) {
			return nil // the whole message at once: by far the most frequent
		}
	}
	ok := c.tail.feed(fresh)
	if ok && h.fin && uint64(len(body)) == h.payload {
		ok = c.tail.whole()
	}
	if !ok {
		return &Error{InvalidPayload, errors.New("text is not UTF-8")} // RFC 6455, 8.1
	}
	return nil
}

// checkOrder refuses frames that are out of order or too long, before any of the payload is waited for.
func (c *Codec) checkOrder(h header) error {
	switch {
	case h.opcode.control():
		return nil
	case h.opcode == Continuation && c.message == Continuation:
		return violation("continuation without a beginning") // RFC 6455, 5.4
	case h.opcode != Continuation && c.message != Continuation:
		return violation("new message inside a fragmented one") // RFC 6455, 5.4
	case h.payload > uint64(c.max-len(c.fragments)):
		return &Error{TooBig, protocol.ErrTooLarge}
	}
	return nil
}

// complete handles a frame that is all there.
func (c *Codec) complete(h header, body []byte) ([]byte, error) {
	switch {
	case h.opcode.control():
		c.opcode, c.parted = h.opcode, h.opcode == Close
		return body, nil
	case h.fin && h.opcode != Continuation:
		c.opcode = h.opcode
		return body, nil
	}
	if h.opcode != Continuation {
		c.message = h.opcode
	}
	c.fragments = append(c.fragments, body...)
	if !h.fin {
		return nil, nil
	}
	c.opcode, c.message, c.delivered = c.message, Continuation, true
	if c.fragments == nil {
		return []byte{}, nil
	}
	return c.fragments, nil
}

// Append appends msg as one text frame.
func (c *Codec) Append(dst, msg []byte) ([]byte, error) {
	if !utf8.Valid(msg) {
		return dst, ErrNotUTF8
	}
	return AppendFrame(dst, Text, msg), nil
}
