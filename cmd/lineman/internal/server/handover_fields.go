package server

import (
	"encoding/binary"
	"math"

	"github.com/lineman-go/lineman/internal/fields"
)

// saved is something as bytes, as it crosses to the successor of the process: fields with numbers, of which what is
// zero is left out.
type saved []byte

// add adds a field, be it empty.
func (f *saved) add(number uint64, value []byte) { *f = fields.Item(*f, number, value) }

func (f *saved) bytes(number uint64, value []byte) { *f = fields.Bytes(*f, number, value) }

func (f *saved) text(number uint64, value string) { *f = fields.Bytes(*f, number, value) }

// texts adds a field for each text, be it empty.
func (f *saved) texts(number uint64, values []string) {
	for _, value := range values {
		*f = fields.Item(*f, number, value)
	}
}

// integer adds a number that may be negative.
func (f *saved) integer(number uint64, value int64) {
	if value != 0 {
		var room [binary.MaxVarintLen64]byte
		f.add(number, binary.AppendVarint(room[:0], value))
	}
}

func (f *saved) flag(number uint64, on bool) { *f = fields.Bool(*f, number, on) }

func (f *saved) bucket(number uint64, b tokenBucket) {
	*f = fields.Uint(*f, number, uint64(math.Float32bits(b.level))<<32|uint64(b.at))
}

// nested adds a field that has fields.
func (f *saved) nested(number uint64, write func(*saved)) {
	*f = fields.Nested(*f, number, func(dst []byte) []byte {
		own := saved(dst)
		write(&own)
		return own
	})
}

// field is one that is read. What its methods return is copied, but for bytes, which is a part of the state.
type field struct {
	number uint64
	value  []byte
	err    error // the first one: then there is no further field
}

// readFields reads the fields of a state, in order. One with a number greater than newest is refused.
func readFields(of []byte, newest uint64, take func(*field)) error {
	var f field
	return fields.Each(of, newest, func(number uint64, value []byte) error {
		f.number, f.value = number, value
		take(&f)
		return f.err
	})
}

// fail notes that the field at hand is wrong.
func (f *field) fail() { f.take(fields.ErrMalformed) }

// take notes an error of who has read the field at hand.
func (f *field) take(err error) {
	if f.err == nil {
		f.err = err
	}
}

func (f *field) bytes() []byte { return f.value }

func (f *field) text() string { return string(f.value) }

func (f *field) integer() int64 {
	n, size := binary.Varint(f.value)
	if size <= 0 || size != len(f.value) {
		f.fail()
	}
	return n
}

func (f *field) flag() bool {
	n, err := fields.Number(f.value)
	if f.take(err); n > 1 {
		f.fail()
	}
	return n == 1
}

func (f *field) bucket() tokenBucket {
	n, err := fields.Number(f.value)
	f.take(err)
	b := tokenBucket{math.Float32frombits(uint32(n >> 32)), uint32(n)}
	if !(b.level >= 0 && b.level <= math.MaxFloat32) {
		f.fail()
	}
	return b
}
