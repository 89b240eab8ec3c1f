package websocket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/lineman-go/lineman/protocol"
)

// receivedHistory is how far back the peer may refer: a window of 15 bits.
const receivedHistory = 1 << maxBits

// inflate is the message of a compressed payload, on loan until release. It is given up once it is larger than limit.
func (d *deflate) inflate(payload []byte, limit int) ([]byte, error) {
	d.loan = buffers.Get().(*buffer)
	f := inflaters.Get().(*inflater)
	err := f.inflate(d.loan, payload, d.received, limit)
	f.release()
	if err != nil {
		d.release()
		return nil, err
	}
	msg := d.loan.bytes
	if d.keepsReceived {
		d.received = slide(d.received, msg, receivedHistory)
	}
	return msg[:len(msg):len(msg)], nil
}

func (d *deflate) release() {
	if d.loan != nil {
		d.loan.release()
		d.loan = nil
	}
}

// buffer is memory for an inflated message.
type buffer struct{ bytes []byte }

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, 4<<10)} }}

// keepBuffer is the largest memory that is kept for the next message.
const keepBuffer = 64 << 10

func (b *buffer) release() {
	if cap(b.bytes) <= keepBuffer {
		buffers.Put(b)
	}
}

// room is where the next bytes go: up to one above limit in all, to see that there are too many.
func (b *buffer) room(limit int) []byte {
	if len(b.bytes) == cap(b.bytes) {
		bigger := make([]byte, len(b.bytes), min(2*cap(b.bytes), limit+1))
		copy(bigger, b.bytes)
		b.bytes = bigger
	}
	return b.bytes[len(b.bytes):min(cap(b.bytes), limit+1)]
}

// inflater reads one compressed message at a time of any connection.
type inflater struct {
	reader io.Reader // of source
	source bytes.Reader
	wire   []byte // what source reads
}

var inflaters = sync.Pool{New: func() any {
	f := new(inflater)
	f.reader = flate.NewReader(&f.source)
	return f
}}

func (f *inflater) release() {
	if cap(f.wire) > keepBuffer {
		f.wire = nil
	}
	f.source.Reset(nil)
	inflaters.Put(f)
}

// ending completes a compressed payload: with the bytes that its sender left out (RFC 7692, 7.2.2), and an empty block
// that is marked as the last.
const ending = "\x00\x00\xff\xff" + "\x01\x00\x00\xff\xff"

// maxLast is how many blocks of a message may be marked as the last. A sender whose compressor can do nothing else has
// one; each costs a copy of the history.
const maxLast = 16

// inflate fills b with the message of a payload. History is what came before it.
func (f *inflater) inflate(b *buffer, payload, history []byte, limit int) error {
	limit = min(limit, math.MaxInt-1)
	f.wire = append(append(f.wire[:0], payload...), ending...)
	f.source.Reset(f.wire)
	b.bytes = b.bytes[:0]
	for range maxLast {
		if err := f.untilLast(b, window(history, b.bytes), limit); err != nil {
			return err
		}
		switch rest := f.source.Len(); {
		case rest == 0 || rest == len(ending): // the payload's own last block may end it
			return nil
		case rest < len(ending):
			return invalidDeflate(io.ErrUnexpectedEOF)
		}
	}
	return invalidDeflate(errors.New("too many last blocks"))
}

// window is what the next block may refer to.
func window(history, inflated []byte) []byte {
	if len(inflated) == 0 {
		return history
	}
	if len(inflated) >= receivedHistory || len(history) == 0 {
		return inflated
	}
	return slide(bytes.Clone(history), inflated, receivedHistory)
}

// untilLast adds what is inflated up to a block that is marked as the last. After it, in the next byte, others may
// follow (RFC 7692, 7.2.1).
func (f *inflater) untilLast(b *buffer, window []byte, limit int) error {
	if err := f.reader.(flate.Resetter).Reset(&f.source, window); err != nil {
		return invalidDeflate(err)
	}
	for {
		n, err := f.reader.Read(b.room(limit))
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case len(b.bytes) > limit:
			return &Error{TooBig, protocol.ErrTooLarge}
		case err == io.EOF:
			return nil
		case err != nil:
			return invalidDeflate(err)
		}
	}
}

func invalidDeflate(err error) error {
	return &Error{InvalidPayload, fmt.Errorf("compressed message is invalid: %w", err)}
}
