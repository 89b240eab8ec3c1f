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
	fragments *fragments // of a message that has not ended; nil between messages: an idle connection carries none
	seen      int        // payload bytes of the frame at hand that are unmasked, and checked if they are text
	opcode    Opcode     // of what was delivered last
	tail      utf8Tail
	parted    bool // the peer's Close frame was delivered
}

// fragments are the beginning of a message.
type fragments struct {
	opcode  Opcode
	payload []byte
}

// Opcode says what Decode returned last: Text, Binary, Close, Ping or Pong.
func (c *Codec) Opcode() Opcode { return c.opcode }

// Idle reports whether no message is half received, as far as the codec keeps any.
func (c *Codec) Idle() bool { return c.fragments == nil }

// Decode finds the next message or control frame; Opcode tells which. The payload is unmasked in place. Text is
// checked to be UTF-8 as its bytes arrive, so an invalid one ends the connection at once. The error is an *Error.
// After a Close frame nothing more is delivered.
func (c *Codec) Decode(data []byte) (advance int, msg []byte, err error) {
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
	if uint64(len(body)) >= h.payload {
		body = body[:h.payload:h.payload]
	}
	if err := c.uncover(h, body); err != nil || uint64(len(body)) < h.payload {
		return 0, nil, err
	}
	c.seen = 0
	return h.size + len(body), c.complete(h, body), nil
}

// uncover unmasks what is new of a payload and checks it if it is text.
func (c *Codec) uncover(h header, body []byte) error {
	fresh := body[c.seen:]
	unmask(fresh, h.mask, c.seen)
	first := c.seen == 0
	c.seen = len(body)
	if h.opcode != Text && !(h.opcode == Continuation && c.fragments.opcode == Text) {
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
	room := c.max
	switch {
	case h.opcode.control():
		return nil
	case h.opcode == Continuation && c.fragments == nil:
		return violation("continuation without a beginning") // RFC 6455, 5.4
	case h.opcode == Continuation:
		room -= len(c.fragments.payload)
	case c.fragments != nil:
		return violation("new message inside a fragmented one") // RFC 6455, 5.4
	}
	if h.payload > uint64(room) {
		return &Error{TooBig, protocol.ErrTooLarge}
	}
	return nil
}

// complete handles a frame that is all there.
func (c *Codec) complete(h header, body []byte) (msg []byte) {
	switch {
	case h.fin && h.opcode != Continuation:
		c.opcode, c.parted = h.opcode, h.opcode == Close
		return body
	case h.opcode != Continuation:
		c.fragments = &fragments{opcode: h.opcode, payload: []byte{}}
	}
	f := c.fragments
	f.payload = append(f.payload, body...)
	if !h.fin {
		return nil
	}
	c.opcode, c.fragments = f.opcode, nil
	return f.payload
}

// Append appends msg as one text frame.
func (c *Codec) Append(dst, msg []byte) ([]byte, error) {
	if !utf8.Valid(msg) {
		return dst, ErrNotUTF8
	}
	return AppendFrame(dst, Text, msg), nil
}
