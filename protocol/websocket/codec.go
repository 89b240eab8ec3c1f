package websocket

import (
	"errors"
	"unicode/utf8"

	"github.com/lineman-go/lineman/protocol"
)

// A Codec is the frames of one connection after the handshake, as the server or the client of it sees them.
//
// A message of one frame is delivered where it lies; a compressed one from memory on loan, see Release. Fragments are
// gathered, and control frames between them delivered as they come:
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
	deflate   *deflate   // nil if permessage-deflate was not agreed on
	seen      int        // payload bytes of the frame at hand that are unmasked, and checked if they are text
	opcode    Opcode     // of what was delivered last
	tail      utf8Tail
	parted    bool // the peer's Close frame was delivered
	client    bool // this side is the client: it masks, and its peer does not
}

// fragments are the beginning of a message.
type fragments struct {
	opcode   Opcode
	deflated bool
	payload  []byte // as it came, but without its masks
}

// NewServerCodec makes the codec of a server's connection whose handshake Protocol.Check accepted. max is the largest
// message in bytes that is received, above zero; of a compressed one it counts what it is inflated.
func NewServerCodec(max int, a Accepted) *Codec { return newCodec(max, a, false) }

// NewClientCodec is NewServerCodec for a client, with what Handshake.Decode accepted.
func NewClientCodec(max int, a Accepted) *Codec { return newCodec(max, a, true) }

// Limit changes the size of the largest message, of one that is half received too.
func (c *Codec) Limit(max int) { c.max = max }

func newCodec(max int, a Accepted, client bool) *Codec {
	c := &Codec{max: max, client: client}
	if a.deflate.bits != 0 {
		c.deflate = &deflate{agreement: a.deflate}
	}
	return c
}

// Opcode says what Decode returned last: Text, Binary, Close, Ping or Pong.
func (c *Codec) Opcode() Opcode { return c.opcode }

// Idle reports whether no message is half received, as far as the codec keeps any.
func (c *Codec) Idle() bool { return c.fragments == nil }

// Release gives the memory of the message that Decode returned last back, which must not be used after it. Only that of
// compressed messages is on loan. The next Decode does it too: calling Release before has an idle connection keep none.
func (c *Codec) Release() {
	if c.deflate != nil {
		c.deflate.release()
	}
}

// Decode finds the next message or control frame; Opcode tells which. The payload is unmasked in place. Text is
// checked to be UTF-8 as its bytes arrive, so an invalid one ends the connection at once; a compressed message is
// inflated and checked when it is all there. The error is an *Error. After a Close frame nothing more is delivered.
func (c *Codec) Decode(data []byte) (advance int, msg []byte, err error) {
	c.Release()
	if c.parted {
		return len(data), nil, nil // RFC 6455, 5.5.1
	}
	h, err := c.parseHeader(data)
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
	if msg, err = c.complete(h, body); err != nil {
		return 0, nil, err
	}
	c.seen = 0
	return h.size + len(body), msg, nil
}

// Size is how many bytes the frame has that data begins with, its header included; 0 if that has not come.
func (c *Codec) Size(data []byte) int {
	h, err := c.parseHeader(data)
	if err != nil || h.size == 0 {
		return 0
	}
	return h.size + int(h.payload) // Decode has found it to be within the limit
}

// uncover unmasks what is new of a payload and checks it if it is text.
func (c *Codec) uncover(h header, body []byte) error {
	fresh := body[c.seen:]
	if h.mask != 0 {
		unmask(fresh, h.mask, c.seen)
	}
	first := c.seen == 0
	c.seen = len(body)
	if !c.plainText(h) {
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
		return errInvalidText()
	}
	return nil
}

// plainText reports whether the payload of a frame is text as it lies.
func (c *Codec) plainText(h header) bool {
	if h.opcode == Continuation {
		return c.fragments.opcode == Text && !c.fragments.deflated
	}
	return h.opcode == Text && !h.deflated
}

// checkOrder refuses frames that are out of order or too long, before any of the payload is waited for.
func (c *Codec) checkOrder(h header) error {
	room, deflated := uint64(c.max), h.deflated
	switch {
	case h.opcode.control():
		return nil
	case h.opcode == Continuation && c.fragments == nil:
		return violation("continuation without a beginning") // RFC 6455, 5.4
	case h.opcode == Continuation:
		deflated = c.fragments.deflated
	case c.fragments != nil:
		return violation("new message inside a fragmented one") // RFC 6455, 5.4
	}
	if deflated {
		room += room/8 + 64 // what cannot be compressed grows, by less than this
	}
	if h.opcode == Continuation {
		room -= uint64(len(c.fragments.payload))
	}
	if h.payload > room {
		return &Error{TooBig, protocol.ErrTooLarge}
	}
	return nil
}

// complete handles a frame that is all there.
func (c *Codec) complete(h header, body []byte) (msg []byte, err error) {
	switch {
	case h.fin && h.opcode != Continuation:
		return c.deliver(h.opcode, h.deflated, body)
	case h.opcode != Continuation:
		c.fragments = &fragments{opcode: h.opcode, deflated: h.deflated, payload: []byte{}}
	}
	f := c.fragments
	f.payload = append(f.payload, body...)
	if !h.fin {
		return nil, nil
	}
	c.fragments = nil
	return c.deliver(f.opcode, f.deflated, f.payload)
}

// deliver gives a whole message, or a control frame.
func (c *Codec) deliver(op Opcode, deflated bool, payload []byte) (msg []byte, err error) {
	if deflated {
		if payload, err = c.deflate.inflate(payload, c.max); err != nil {
			return nil, err
		}
		if op == Text && !utf8.Valid(payload) {
			return nil, errInvalidText()
		}
	}
	c.opcode, c.parted = op, op == Close
	return payload, nil
}

func errInvalidText() error {
	return &Error{InvalidPayload, errors.New("text is not UTF-8")} // RFC 6455, 8.1
}
