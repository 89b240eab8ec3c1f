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
	inflaters.Put(f)
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
		buffers.Put(d.loan)
		d.loan = nil
	}
}

// buffer is memory for an inflated message.
type buffer struct{ bytes []byte }

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, 4<<10)} }}

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

// ending completes a compressed payload: with the bytes that its sender left out (RFC 7692, 7.2.2), and an empty block
// that is marked as the last.
const ending = "\x00\x00\xff\xff" + "\x01\x00\x00\xff\xff"

// inflate fills b with the message of a payload. History is what came before it.
func (f *inflater) inflate(b *buffer, payload, history []byte, limit int) error {
	limit = min(limit, math.MaxInt-1)
	f.wire = append(append(f.wire[:0], payload...), ending...)
	f.source.Reset(f.wire)
	if err := f.reader.(flate.Resetter).Reset(&f.source, history); err != nil {
		return err
	}
	b.bytes = b.bytes[:0]
	for {
		n, err := f.reader.Read(b.room(limit))
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case len(b.bytes) > limit:
			return &Error{TooBig, protocol.ErrTooLarge}
		case err == io.EOF:
			return f.checkRest()
		case err != nil:
			return &Error{InvalidPayload, fmt.Errorf("compressed message is invalid: %w", err)}
		}
	}
}

// checkRest looks at what was not read of the wire. That is nothing, unless the sender marked its own block as the last:
// then only the first byte of an empty block may follow it (RFC 7692, 7.2.3.4).
func (f *inflater) checkRest() error {
	rest := f.wire[len(f.wire)-f.source.Len():]
	switch {
	case len(rest) == 0, string(rest) == ending, string(rest) == "\x00"+ending:
		return nil
	}
	return &Error{InvalidPayload, errors.New("compressed message goes on after its last block")}
}
