package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/lineman-go/lineman/protocol"
)

// A state is fields in the order of their numbers, each as its number, its length and its bytes; the first two are
// varints. One that is absent is empty. Numbers that are not known are a later version's.
const (
	fieldFlags       = 1 + iota // a byte
	fieldSubprotocol            // text
	fieldDeflate                // the bits of the window, a byte of flags, and the threshold as a varint
	fieldSent                   // what messages that are sent may refer to
	fieldReceived               // what messages that come may refer to
	fieldFragments              // the opcode of the message, with the bit of compression, and what has come of it
	fieldFrame                  // payload bytes that are unmasked, as a varint, and the beginning of a character
)

const (
	flagClient = 1 << iota
	flagParted
	flagAll = 1<<iota - 1

	flagKeepsSent     = 1
	flagKeepsReceived = 2
)

var errState = errors.New("websocket: not a state of this protocol, or a later version's")

// AppendState is protocol.Movable's. It appends nothing for a server's connection between two messages whose handshake
// has agreed on nothing.
func (c *Codec) AppendState(dst []byte) []byte {
	if flags := c.flags(); flags != 0 {
		dst = appendField(dst, fieldFlags, []byte{flags})
	}
	if c.agreed != nil {
		dst = appendField(dst, fieldSubprotocol, []byte(c.agreed.subprotocol))
	}
	if d := c.deflate(); d != nil {
		dst = appendField(dst, fieldDeflate, d.state())
		dst = appendField(dst, fieldSent, d.sent)
		dst = appendField(dst, fieldReceived, d.received)
	}
	if p := c.fragments(); p != nil {
		first := byte(p.opcode)
		if p.deflated {
			first |= rsv1Bit
		}
		dst = appendField(dst, fieldFragments, append([]byte{first}, p.payload...))
	}
	if p := c.partial; p != nil && !p.delivered && (p.seen > 0 || !p.tail.whole()) {
		dst = appendField(dst, fieldFrame, append(binary.AppendUvarint(nil, uint64(p.seen)), p.tail.kept[:p.tail.n]...))
	}
	return dst
}

func (c *Codec) flags() (flags byte) {
	if c.client {
		flags |= flagClient
	}
	if c.parted {
		flags |= flagParted
	}
	return flags
}

// state is an agreement as bytes.
func (a *agreement) state() []byte {
	var keeps byte
	if a.keepsSent {
		keeps |= flagKeepsSent
	}
	if a.keepsReceived {
		keeps |= flagKeepsReceived
	}
	return binary.AppendUvarint([]byte{a.bits, keeps}, uint64(a.threshold))
}

func appendField(dst []byte, number uint64, value []byte) []byte {
	if len(value) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, number), uint64(len(value)))
	return append(dst, value...)
}

// RestoreState is protocol.Movable's. It also has the codec be the client's or the server's, as the other one was, and
// agree on what the handshake of that had agreed on. A message of which more has come than the limit of c is refused.
func (c *Codec) RestoreState(state []byte) error {
	restored := &Codec{max: c.max}
	last := uint64(0)
	for len(state) > 0 {
		number, value, rest, ok := cutField(state)
		if !ok || number <= last || !restored.restoreField(number, value) {
			return errState
		}
		last, state = number, rest
	}
	if p := restored.partial; p != nil && len(p.payload) > int(roomFor(c.max, p.deflated)) {
		return fmt.Errorf("websocket: half a message: %w", protocol.ErrTooLarge)
	}
	*c = *restored
	return nil
}

// cutField cuts the first field off, which is not empty.
func cutField(b []byte) (number uint64, value, rest []byte, ok bool) {
	number, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, nil, false
	}
	b = b[n:]
	length, n := binary.Uvarint(b)
	if n <= 0 || length == 0 || length > uint64(len(b)-n) {
		return 0, nil, nil, false
	}
	end := n + int(length)
	return number, b[n:end:end], b[end:], true
}

// restoreField takes one field, behind those with lower numbers, and reports whether it makes sense.
func (c *Codec) restoreField(number uint64, value []byte) bool {
	switch number {
	case fieldFlags:
		c.client, c.parted = value[0]&flagClient != 0, value[0]&flagParted != 0
		return len(value) == 1 && value[0]&^flagAll == 0
	case fieldSubprotocol:
		c.agreed = &agreed{subprotocol: string(value)}
		return isToken(c.agreed.subprotocol)
	case fieldDeflate:
		return c.restoreDeflate(value)
	case fieldFragments:
		return c.restoreFragments(value)
	case fieldFrame:
		return c.restoreFrame(value)
	}
	d := c.deflate()
	switch {
	case d == nil:
	case number == fieldSent && d.keepsSent && len(value) <= min(1<<d.bits, sentHistory):
		d.sent = bytes.Clone(value)
		return true
	case number == fieldReceived && d.keepsReceived && len(value) <= receivedHistory:
		d.received = bytes.Clone(value)
		return true
	}
	return false
}

func (c *Codec) restoreDeflate(value []byte) bool {
	if len(value) < 3 {
		return false
	}
	a := agreement{
		bits: value[0], keepsSent: value[1]&flagKeepsSent != 0, keepsReceived: value[1]&flagKeepsReceived != 0,
	}
	threshold, n := binary.Uvarint(value[2:])
	if n != len(value)-2 || threshold > math.MaxInt || value[1]&^(flagKeepsSent|flagKeepsReceived) != 0 ||
		a.bits < minBits || a.bits > maxBits {
		return false
	}
	a.threshold = int(threshold)
	if c.agreed == nil {
		c.agreed = &agreed{}
	}
	c.agreed.deflate = &deflate{agreement: a}
	return true
}

func (c *Codec) restoreFragments(value []byte) bool {
	op, deflated := Opcode(value[0]&^rsv1Bit), value[0]&rsv1Bit != 0
	c.partial = &partial{fragmented: true, opcode: op, deflated: deflated, payload: append([]byte{}, value[1:]...)}
	return (op == Text || op == Binary) && (!deflated || c.deflate() != nil)
}

func (c *Codec) restoreFrame(value []byte) bool {
	seen, n := binary.Uvarint(value)
	if n <= 0 || seen > math.MaxInt {
		return false
	}
	if c.partial == nil {
		c.partial = &partial{payload: []byte{}}
	}
	p, kept := c.partial, value[n:]
	p.seen, p.tail.n = int(seen), uint8(copy(p.tail.kept[:], kept))
	return int(p.tail.n) == len(kept)
}
