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
	rsvBits    = 0x70
	opcodeBits = 0x0f
	maskBit    = 0x80
	lengthBits = 0x7f

	length16   = 126 // the length is in the next two bytes
	length64   = 127 // the length is in the next eight
	maxControl = 125 // the longest payload of a control frame (RFC 6455, 5.5)
)

// AppendFrame appends one whole unmasked frame, as a server sends it. The payload of a control frame must not be above
// 125 bytes: it is cut there.
func AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	if op.control() && len(payload) > maxControl {
		payload = payload[:maxControl]
	}
	dst = append(dst, finBit|byte(op))
	switch n := len(payload); {
	case n < length16:
		dst = append(dst, byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, length16), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, length64), uint64(n))
	}
	return append(dst, payload...)
}

// header is the beginning of a frame.
type header struct {
	fin     bool
	opcode  Opcode
	size    int    // of the header itself, the mask included
	payload uint64 // length
	mask    uint32 // little-endian, as the bytes lie
}

// parseHeader reads a client's frame header. A size of 0 means that it is not whole yet. It gives an error as soon as a
// field is wrong.
func parseHeader(data []byte) (h header, err error) {
	if len(data) < 1 {
		return header{}, nil
	}
	h.fin, h.opcode = data[0]&finBit != 0, Opcode(data[0]&opcodeBits)
	if err := h.checkFirst(data[0]); err != nil || len(data) < 2 {
		return header{}, err
	}
	if data[1]&maskBit == 0 {
		return header{}, violation("frame without a mask") // RFC 6455, 5.1
	}
	h.payload, h.size = uint64(data[1]&lengthBits), 2
	if h.opcode.control() && h.payload > maxControl {
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
	h.size += 4
	if len(data) < h.size {
		return header{}, nil
	}
	h.mask = binary.LittleEndian.Uint32(data[h.size-4:])
	return h, nil
}

func (h header) checkFirst(b byte) error {
	if b&rsvBits != 0 {
		return violation("reserved bit without an extension") // RFC 6455, 5.2
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
