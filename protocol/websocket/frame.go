package websocket

import (
	"encoding/binary"
	"fmt"
)

// Opcode says what a frame is (RFC 6455, 5.2).
type Opcode byte

// The opcodes. Those from Close on are of control frames.
const (
	Continuation Opcode = 0
	Text         Opcode = 1
	Binary       Opcode = 2
	Close        Opcode = 8
	Ping         Opcode = 9
	Pong         Opcode = 10
)

func (o Opcode) String() string {
	switch o {
	case Continuation:
		return "continuation"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	}
	return fmt.Sprintf("opcode %d", byte(o))
}

func (o Opcode) control() bool { return o >= Close }

const (
	finBit     = 0x80
	rsv1Bit    = 0x40 // the message is compressed (RFC 7692, 6)
	rsvBits    = 0x70
	opcodeBits = 0x0f
	maskBit    = 0x80
	lengthBits = 0x7f

	length16 = 126 // the length is in the next two bytes
	length64 = 127 // the length is in the next eight

	shortHeader = 6 // of a masked frame whose length is in its second byte
)

// MaxControl is the longest payload of a control frame, in bytes (RFC 6455, 5.5).
const MaxControl = 125

// header is the beginning of a frame.
type header struct {
	fin      bool
	deflated bool
	opcode   Opcode
	size     int    // of the header itself, the mask included
	payload  uint64 // length
	mask     uint32 // little-endian, as the bytes lie; 0 for none
}

// parseHeader reads the header of the peer's frame. A size of 0 means that it is not whole yet. It gives an error as
// soon as a field is wrong.
func (c *Codec) parseHeader(data []byte) (h header, err error) {
	if len(data) < 1 {
		return header{}, nil
	}
	h.fin, h.deflated, h.opcode = data[0]&finBit != 0, data[0]&rsv1Bit != 0, Opcode(data[0]&opcodeBits)
	if err := c.checkFirst(h, data[0]); err != nil || len(data) < 2 {
		return header{}, err
	}
	if masked := data[1]&maskBit != 0; masked == c.client {
		return header{}, c.wrongMask()
	}
	h.payload, h.size = uint64(data[1]&lengthBits), 2
	if h.opcode.control() && h.payload > MaxControl {
		return header{}, violation("control frame above 125 bytes") // RFC 6455, 5.5
	}
	switch h.payload {
	case length16:
		if h.size = 4; len(data) < h.size {
			return header{}, nil
		}
		h.payload = uint64(binary.BigEndian.Uint16(data[2:]))
		if h.payload < length16 {
			return header{}, violation("length not in its shortest form") // RFC 6455, 5.2
		}
	case length64:
		if h.size = 10; len(data) < h.size {
			return header{}, nil
		}
		h.payload = binary.BigEndian.Uint64(data[2:])
		if h.payload <= 0xffff || h.payload>>63 != 0 {
			return header{}, violation("length not in its shortest form, or negative") // RFC 6455, 5.2
		}
	}
	if c.client {
		return h, nil
	}
	h.size += 4
	if len(data) < h.size {
		return header{}, nil
	}
	h.mask = binary.LittleEndian.Uint32(data[h.size-4:])
	return h, nil
}

// wrongMask is RFC 6455, 5.1.
func (c *Codec) wrongMask() error {
	if c.client {
		return violation("server's frame with a mask")
	}
	return violation("frame without a mask")
}

// checkFirst looks at the first byte of a header.
func (c *Codec) checkFirst(h header, b byte) error {
	switch {
	case b&rsvBits == 0:
	case b&rsvBits != rsv1Bit || c.deflate() == nil:
		return violation("reserved bit without an extension") // RFC 6455, 5.2
	case h.opcode != Text && h.opcode != Binary:
		return violation("reserved bit 1 inside a message or on a control frame") // RFC 7692, 6.1
	}
	switch h.opcode {
	case Continuation, Text, Binary:
		return nil
	case Close, Ping, Pong:
		if !h.fin {
			return violation("fragmented control frame") // RFC 6455, 5.4
		}
		return nil
	}
	return violation("unknown " + h.opcode.String()) // RFC 6455, 5.2
}
