package websocket

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// ErrNotUTF8 is what Append and AppendMessage give for a text that is not UTF-8: the peer would have to close the
// connection.
var ErrNotUTF8 = errors.New("websocket: text message is not UTF-8: send it as binary")

const (
	// Kinds is how many kinds of codecs there are that share their frames.
	Kinds = maxBits + 1

	// Unshared is the Kind of a codec whose frames are for its own connection alone.
	Unshared uint8 = 0xff
)

// Kind says which connections of one Protocol a message can be encoded once for: those of the same kind get the same
// bytes, unless it is Unshared. 0 is without compression; all others are below Kinds.
func (c *Codec) Kind() uint8 {
	switch d := c.deflate(); {
	case c.client: // each frame has a mask of its own
		return Unshared
	case d == nil:
		return 0
	case d.keepsSent:
		return Unshared
	default:
		return d.bits
	}
}

// Append appends msg as a text message, see AppendMessage.
func (c *Codec) Append(dst, msg []byte) ([]byte, error) { return c.AppendMessage(dst, Text, msg) }

// AppendMessage appends a message as one frame, compressed if that was agreed on and makes it smaller. op is Text or
// Binary. The error is ErrNotUTF8, and dst is as it was. It allocates nothing if dst has room for the message.
//
// With Compression.ContextTakeover what is appended must be sent, and in this order: later messages refer to it.
func (c *Codec) AppendMessage(dst []byte, op Opcode, msg []byte) ([]byte, error) {
	// By far the most frequent is a short message of a server that is not compressed.
	if n := len(msg); n < length16 && n+2 <= cap(dst)-len(dst) && !c.client && c.deflate() == nil {
		framed := append(dst, finBit|byte(op), byte(n))
		text := framed[len(framed) : len(framed)+n]
		if copyASCII(text, msg) || op != Text || utf8.Valid(text) {
			return framed[:len(framed)+n], nil
		}
		return framed[:len(framed)-2], ErrNotUTF8
	}
	return c.appendMessage(dst, op, msg)
}

// appendMessage is AppendMessage for any message.
func (c *Codec) appendMessage(dst []byte, op Opcode, msg []byte) ([]byte, error) {
	if op == Text && !valid(msg) {
		return dst, ErrNotUTF8
	}
	if d := c.deflate(); d != nil && len(msg) >= d.threshold {
		framed, smaller := c.appendDeflated(dst, op, msg)
		if smaller {
			d.keep(msg)
			return framed, nil
		}
		dst = framed[:len(dst)]
	}
	return c.appendFrame(dst, op, msg), nil
}

// AppendHeader appends the header of the frame that AppendMessage would make, where its payload is msg as it is. If
// not, because it is compressed or masked, plain is false. The error is ErrNotUTF8. dst is as it was then.
func (c *Codec) AppendHeader(dst []byte, op Opcode, msg []byte) (header []byte, plain bool, err error) {
	switch d := c.deflate(); {
	case c.client || d != nil && len(msg) >= d.threshold:
		return dst, false, nil
	case op == Text && !valid(msg):
		return dst, false, ErrNotUTF8
	}
	header, _ = c.appendHeader(dst, finBit|byte(op), len(msg))
	return header, true, nil
}

// AppendControl appends a control frame. A payload above 125 bytes is cut there. For Close see AppendClose.
func (c *Codec) AppendControl(dst []byte, op Opcode, payload []byte) []byte {
	return c.appendFrame(dst, op, payload[:min(len(payload), MaxControl)])
}

func (c *Codec) appendFrame(dst []byte, op Opcode, payload []byte) []byte {
	dst, mask := c.appendHeader(dst, finBit|byte(op), len(payload))
	start := len(dst)
	dst = append(dst, payload...)
	if mask != 0 {
		unmask(dst[start:], mask, 0)
	}
	return dst
}

// maxHeader is the longest header of a frame: two bytes, a length of eight, a mask.
const maxHeader = 14

// appendDeflated appends msg compressed, and reports whether that is smaller than msg itself; if not, what it has
// appended is of no use. The length stands before what it is the length of, so the payload is made behind room for the
// longest header, and moved.
func (c *Codec) appendDeflated(dst []byte, op Opcode, msg []byte) (framed []byte, smaller bool) {
	start := len(dst) + maxHeader
	out := c.agreed.deflate.compress(append(dst, make([]byte, maxHeader)...), msg)
	payload := out[start:]
	if len(payload) >= len(msg) {
		return out, false
	}
	header, mask := c.appendHeader(out[:len(dst)], finBit|rsv1Bit|byte(op), len(payload))
	framed = append(header, payload...)
	if mask != 0 {
		unmask(framed[len(header):], mask, 0)
	}
	return framed, true
}

// appendHeader appends the header of a frame of n payload bytes, and says what they are to be masked with; 0: nothing.
func (c *Codec) appendHeader(dst []byte, first byte, n int) (header []byte, mask uint32) {
	var maskFlag byte
	if c.client {
		maskFlag = maskBit
	}
	switch {
	case n < length16:
		dst = append(dst, first, maskFlag|byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, first, maskFlag|length16), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, first, maskFlag|length64), uint64(n))
	}
	if !c.client {
		return dst, 0
	}
	mask = random()
	return binary.LittleEndian.AppendUint32(dst, mask), mask
}
