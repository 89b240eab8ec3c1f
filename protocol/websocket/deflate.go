package websocket

import (
	"sync"

	"github.com/klauspost/compress/flate"
)

// deflate is what a connection keeps for permessage-deflate. sent is of Append, the rest of Decode.
type deflate struct {
	agreement
	sent     []byte  // the end of what was compressed, if that is kept
	received []byte  // likewise of what was inflated
	loan     *buffer // the message delivered last lies in it; nil when it is given back
}

// sentHistory is the most that is kept of what was sent: the compressor has to read it again for each message.
const sentHistory = 8 << 10

// compress appends the compressed form of msg (RFC 7692, 7.2.1).
func (d *deflate) compress(dst, msg []byte) []byte {
	z := deflaterOf(d.bits)
	z.out = dst
	z.writer.ResetDict(z, d.sent)
	_, _ = z.writer.Write(msg) // z takes everything
	_ = z.writer.Flush()       // ends with an empty block: 00 00 ff ff are its last bytes
	dst, z.out = z.out[:len(z.out)-4], nil
	deflaters[d.bits].Put(z)
	return dst
}

// keep has the next message refer to msg, which goes out compressed.
func (d *deflate) keep(msg []byte) {
	if d.keepsSent {
		d.sent = slide(d.sent, msg, min(1<<d.bits, sentHistory))
	}
}

// slide is the last size bytes of history and msg, in the memory of history.
func slide(history, msg []byte, size int) []byte {
	if len(msg) >= size {
		return append(history[:0], msg[len(msg)-size:]...)
	}
	if over := len(history) + len(msg) - size; over > 0 {
		history = append(history[:0], history[over:]...)
	}
	return append(history, msg...)
}

// deflater is a compressor that is used for one message at a time of any connection, and where its bytes go. It stays
// in a pool because making one, or deflating without one, takes some hundred KiB of memory for each message.
type deflater struct {
	writer *flate.Writer
	out    []byte
}

// deflaters are kept by the bits of their window.
var deflaters [maxBits + 1]sync.Pool

func deflaterOf(bits uint8) *deflater {
	if z, ok := deflaters[bits].Get().(*deflater); ok {
		return z
	}
	z := new(deflater)
	if bits == maxBits {
		z.writer, _ = flate.NewWriter(z, flate.BestSpeed)
	} else {
		z.writer, _ = flate.NewWriterWindow(z, 1<<bits) // no distance is larger
	}
	return z
}

func (z *deflater) Write(b []byte) (int, error) {
	z.out = append(z.out, b...)
	return len(b), nil
}
