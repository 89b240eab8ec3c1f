// Package frame is the protocol of length-prefixed messages: four bytes, big-endian, tell the length of the whole
// frame, themselves included; then comes the message.
package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/lineman-go/lineman/protocol"
)

// Protocol is frames. The zero value is ready.
type Protocol struct{}

// Name is "frame".
func (Protocol) Name() string { return "frame" }

// NewCodec makes the codec of one connection. maxMessage counts a message without its header.
func (Protocol) NewCodec(maxMessage int) protocol.Codec { return Codec{max: maxMessage} }

const header = 4

// ErrLength ends a connection that announced a frame shorter than its own header: from there on it is out of step.
var ErrLength = errors.New("frame: length below 4: it counts its own four bytes")

// A Codec is the frames of one connection. It has no state: the header says all.
type Codec struct{ max int }

// Decode finds the next frame. A length above the limit ends the connection before anything of the frame is kept.
func (c Codec) Decode(data []byte) (advance int, msg []byte, err error) {
	if len(data) < header {
		return 0, nil, nil
	}
	length := uint64(binary.BigEndian.Uint32(data))
	switch {
	case length < header:
		return 0, nil, ErrLength
	case length > uint64(c.max)+header:
		return 0, nil, fmt.Errorf("frame: message of %d bytes, limit %d: %w", length-header, c.max,
			protocol.ErrTooLarge)
	case uint64(len(data)) < length:
		return 0, nil, nil
	}
	return int(length), data[header:length:length], nil
}

// Size is the length that the header tells.
func (c Codec) Size(data []byte) int {
	if len(data) < header {
		return 0
	}
	return int(binary.BigEndian.Uint32(data))
}

// Append appends the header and msg.
func (c Codec) Append(dst, msg []byte) ([]byte, error) {
	dst, _, err := c.AppendFrame(dst, msg)
	if err != nil {
		return dst, err
	}
	return append(dst, msg...), nil
}

// AppendFrame appends the header.
func (c Codec) AppendFrame(dst, msg []byte) (framed []byte, before int, err error) {
	length := uint64(len(msg)) + header
	if length > math.MaxUint32 {
		return dst, 0, fmt.Errorf("frame: a message of %d bytes does not fit a length of four bytes", len(msg))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(length)), header, nil
}
