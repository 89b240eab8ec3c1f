package websocket

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"sync"
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
	partial *partial // a message or a frame that is half received; nil between them: an idle connection carries none
	agreed  *agreed  // nil if the handshake agreed on nothing
	max     uint32
	opcode  Opcode // of what was delivered last
	parted  bool   // the peer's Close frame was delivered
	client  bool   // this side is the client: it masks, and its peer does not
}

// partial is what has come of a message that has not ended.
type partial struct {
	seen       int // payload bytes of the frame at hand that are unmasked, and checked if they are text
	tail       utf8Tail
	fragmented bool   // frames of a message have come whole, and it goes on
	opcode     Opcode // of that message
	deflated   bool   // likewise
	payload    []byte // of those frames, as it came, but without its masks; never nil
	delivered  bool   // all of it, on loan until Release
}

// agreed is what a handshake has agreed on, and what that needs.
type agreed struct {
	subprotocol string
	deflate     *deflate // nil without permessage-deflate
}

// NewServerCodec makes the codec of a server's connection whose handshake Protocol.Check accepted. max is the largest
// message in bytes that is received, above zero and at most 2 GiB, which anything above it means too; of a compressed
// one it counts what it is inflated.
func NewServerCodec(max int, a Accepted) *Codec { return newCodec(max, a, false) }

// NewClientCodec is NewServerCodec for a client, with what Handshake.Decode accepted.
func NewClientCodec(max int, a Accepted) *Codec { return newCodec(max, a, true) }

// Limit changes the size of the largest message, of one that is half received too.
func (c *Codec) Limit(max int) { c.max = uint32(min(max, math.MaxInt32)) }

func newCodec(max int, a Accepted, client bool) *Codec {
	c := &Codec{client: client}
	c.Limit(max)
	if a.Subprotocol != "" || a.deflate.bits != 0 {
		c.agreed = newAgreed(a)
	}
	return c
}

func newAgreed(a Accepted) *agreed {
	g := &agreed{subprotocol: a.Subprotocol}
	if a.deflate.bits != 0 {
		g.deflate = &deflate{agreement: a.deflate}
	}
	return g
}

// Subprotocol is the one that the handshake agreed on, or "".
func (c *Codec) Subprotocol() string {
	if c.agreed == nil {
		return ""
	}
	return c.agreed.subprotocol
}

// deflate is what compression needs; nil without it.
func (c *Codec) deflate() *deflate {
	if c.agreed == nil {
		return nil
	}
	return c.agreed.deflate
}

// fragments are the beginning of a message whose other frames are to come; nil if there is none.
func (c *Codec) fragments() *partial {
	if c.partial == nil || !c.partial.fragmented {
		return nil
	}
	return c.partial
}

// Opcode says what Decode returned last: Text, Binary, Close, Ping or Pong.
func (c *Codec) Opcode() Opcode { return c.opcode }

// Parted reports whether Decode has returned the peer's Close frame, after which nothing more comes.
func (c *Codec) Parted() bool { return c.parted }

// Idle reports whether no message is half received, as far as the codec keeps any.
func (c *Codec) Idle() bool { return c.fragments() == nil }

// Release gives the memory of the message that Decode returned last back, which must not be used after it. Only that of
// messages that were compressed, or came in fragments, is on loan. The next Decode does it too: calling Release before
// has an idle connection keep none.
func (c *Codec) Release() {
	if c.partial != nil || c.agreed != nil { // else nothing is on loan: that is nearly always so, and is inlined
		c.release()
	}
}

func (c *Codec) release() {
	if p := c.partial; p != nil && p.delivered {
		c.forget()
	}
	if d := c.deflate(); d != nil {
		d.release()
	}
}

// Decode finds the next message or control frame; Opcode tells which. The payload is unmasked in place. Text is
// checked to be UTF-8 as its bytes arrive, so an invalid one ends the connection at once; a compressed message is
// inflated and checked when it is all there. The error is an *Error. After a Close frame nothing more is delivered.
func (c *Codec) Decode(data []byte) (advance int, msg []byte, err error) {
	c.Release()
	// By far the most frequent is a message to a server in one short frame that is whole and not compressed.
	if len(data) >= shortHeader && c.partial == nil && !c.client && !c.parted {
		op, size := Opcode(data[0]-finBit), int(data[1])-maskBit // another one, and negative, without these bits
		end := shortHeader + size
		if (op == Text || op == Binary) && uint(size) < length16 && size <= int(c.max) && end <= len(data) {
			msg = data[shortHeader:end:end]
			if !unmask(msg, binary.LittleEndian.Uint32(data[2:]), 0) && op == Text && !utf8.Valid(msg) {
				return 0, nil, errInvalidText()
			}
			c.opcode = op
			return end, msg, nil
		}
	}
	return c.decode(data)
}

// decode is Decode for any frame. Nothing is on loan.
func (c *Codec) decode(data []byte) (advance int, msg []byte, err error) {
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
	whole := uint64(len(body)) == h.payload
	if whole && h.fin && c.partial == nil {
		msg, err = c.single(h, body)
	} else {
		msg, err = c.take(h, body, whole)
	}
	if err != nil || !whole {
		return 0, nil, err
	}
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

// single handles a message of one frame that is there at once: by far the most frequent.
func (c *Codec) single(h header, body []byte) (msg []byte, err error) {
	ascii := h.mask != 0 && unmask(body, h.mask, 0)
	if h.opcode == Text && !h.deflated && !ascii && !valid(body) {
		return nil, errInvalidText()
	}
	return c.deliver(h.opcode, h.deflated, body)
}

// take handles what is new of the payload of a frame, and the frame when it is whole.
func (c *Codec) take(h header, body []byte, whole bool) (msg []byte, err error) {
	if c.partial == nil {
		c.partial = partials.Get().(*partial)
	}
	p := c.partial
	if p.seen > len(body) {
		return nil, errState // of RestoreState: what the codec had seen is not there
	}
	fresh := body[p.seen:]
	ascii := h.mask != 0 && unmask(fresh, h.mask, p.seen) && p.tail.whole()
	p.seen = len(body)
	switch {
	case c.plainText(h) && (!ascii && !p.tail.feed(fresh) || whole && h.fin && !p.tail.whole()):
		return nil, errInvalidText()
	case !whole:
		return nil, nil
	}
	return c.complete(h, body)
}

// plainText reports whether the payload of a frame is text as it lies.
func (c *Codec) plainText(h header) bool {
	if h.opcode == Continuation {
		return c.partial.opcode == Text && !c.partial.deflated
	}
	return h.opcode == Text && !h.deflated
}

// checkOrder refuses frames that are out of order or too long, before any of the payload is waited for.
func (c *Codec) checkOrder(h header) error {
	if h.opcode.control() {
		return nil
	}
	size, deflated := h.payload, h.deflated
	switch f := c.fragments(); {
	case h.opcode == Continuation && f == nil:
		return violation("continuation without a beginning") // RFC 6455, 5.4
	case h.opcode == Continuation:
		size, deflated = size+uint64(len(f.payload)), f.deflated
	case f != nil:
		return violation("new message inside a fragmented one") // RFC 6455, 5.4
	}
	if size > roomFor(c.max, deflated) {
		return &Error{TooBig, protocol.ErrTooLarge}
	}
	return nil
}

// roomFor is how many bytes of payload a message of max bytes may have.
func roomFor(max uint32, deflated bool) uint64 {
	room := uint64(max)
	if deflated {
		room += room/8 + 64 // what cannot be compressed grows, by less than this
	}
	return room
}

// complete handles a frame that is all there, of a message that was not there at once.
func (c *Codec) complete(h header, body []byte) (msg []byte, err error) {
	p := c.partial
	p.seen = 0
	switch {
	case h.fin && h.opcode != Continuation: // between fragments it is a control frame
		if !p.fragmented {
			c.forget()
		}
		return c.deliver(h.opcode, h.deflated, body)
	case h.opcode != Continuation:
		p.fragmented, p.opcode, p.deflated = true, h.opcode, h.deflated
	}
	p.add(body)
	if !h.fin {
		return nil, nil
	}
	p.fragmented, p.delivered = false, true
	return c.deliver(p.opcode, p.deflated, p.payload[:len(p.payload):len(p.payload)])
}

// partials are free, with memory for fragments.
var partials = sync.Pool{New: func() any { return &partial{payload: []byte{}} }}

// keepFragments is the largest memory for fragments that is kept for another message.
const keepFragments = 1 << 20

// forget gives the partial back.
func (c *Codec) forget() {
	p := c.partial
	c.partial = nil
	if cap(p.payload) > keepFragments {
		p.payload = []byte{}
	}
	*p = partial{payload: p.payload[:0]}
	partials.Put(p)
}

// add adds a fragment. Memory doubles: append would copy a large message more often.
func (p *partial) add(fragment []byte) {
	if len(p.payload)+len(fragment) > cap(p.payload) {
		p.payload = slices.Grow(p.payload, max(len(fragment), cap(p.payload)))
	}
	p.payload = append(p.payload, fragment...)
}

// deliver gives a whole message, or a control frame.
func (c *Codec) deliver(op Opcode, deflated bool, payload []byte) (msg []byte, err error) {
	if deflated {
		if payload, err = c.agreed.deflate.inflate(payload, int(c.max)); err != nil {
			return nil, err
		}
		if op == Text && !valid(payload) {
			return nil, errInvalidText()
		}
	}
	c.opcode, c.parted = op, op == Close
	return payload, nil
}

func errInvalidText() error {
	return &Error{InvalidPayload, errors.New("text is not UTF-8")} // RFC 6455, 8.1
}
