// Package fields is how a process writes what it knows for its successor: a version, and then fields with numbers. One
// that is not written is zero, so each program reads what those before it have written. A field that came later than
// the program is refused, as it may be something that must not be lost.
//
//	version  number length value  number length value ...
//
// All numbers are those of encoding/binary's Uvarint. A value is bytes, a number, or again fields.
package fields

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed is the error of what cannot be read.
var ErrMalformed = errors.New("fields: the state of the predecessor is malformed")

// ErrNewer is the error of what a later program has written.
var ErrNewer = errors.New("fields: the running program is newer than its successor: reload with --drain")

// Begin appends a version, which is below 128.
func Begin(dst []byte, version byte) []byte { return append(dst, version) }

// Bytes appends a field, unless it is empty.
func Bytes[T ~string | ~[]byte](dst []byte, number uint64, value T) []byte {
	if len(value) == 0 {
		return dst
	}
	return Item(dst, number, value)
}

// Item appends a field, though it is empty: one of a list.
func Item[T ~string | ~[]byte](dst []byte, number uint64, value T) []byte {
	dst = binary.AppendUvarint(dst, number)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

// Uint appends a field that is a number, unless it is 0.
func Uint(dst []byte, number, value uint64) []byte {
	if value == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, number)
	dst = append(dst, byte(uvarintLen(value)))
	return binary.AppendUvarint(dst, value)
}

// Bool appends a field that is 1, if it is true.
func Bool(dst []byte, number uint64, value bool) []byte {
	if value {
		return Uint(dst, number, 1)
	}
	return dst
}

func uvarintLen(value uint64) (n int) {
	for n = 1; value >= 0x80; n++ {
		value >>= 7
	}
	return n
}

// aroundNested is how long the length of fields in a field is: it is known when they are written.
const aroundNested = 5

// Nested appends a field that has fields, which write appends. They have less than 32 GiB.
func Nested(dst []byte, number uint64, write func(dst []byte) []byte) []byte {
	dst, at := Enter(dst, number)
	dst = write(dst)
	Leave(dst, at)
	return dst
}

// Enter begins a field that has fields: those that are appended until Leave, which is told at.
func Enter(dst []byte, number uint64) (longer []byte, at int) {
	dst = binary.AppendUvarint(dst, number)
	return append(dst, make([]byte, aroundNested)...), len(dst)
}

// Leave ends the field that began at at.
func Leave(dst []byte, at int) {
	length := len(dst) - at - aroundNested
	for i := range aroundNested {
		dst[at+i] = byte(length)&0x7f | 0x80
		length >>= 7
	}
	dst[at+aroundNested-1] &= 0x7f
}

// Open reads the version of a state, and returns what follows. The error is ErrMalformed if the version is none, and
// matches ErrNewer if it is greater than newest.
func Open(state []byte, newest byte) (rest []byte, err error) {
	switch {
	case len(state) == 0 || state[0] == 0:
		return nil, ErrMalformed
	case state[0] > newest:
		return nil, fmt.Errorf("%w (its state has version %d, and this one reads up to %d)", ErrNewer, state[0], newest)
	}
	return state[1:], nil
}

// Each calls take with all fields, in order. The values are parts of the state. newest is the greatest number that was
// ever given to a field of this kind: a greater one is an error that matches ErrNewer. It ends with the first error.
func Each(state []byte, newest uint64, take func(number uint64, value []byte) error) error {
	for len(state) > 0 {
		number, n := binary.Uvarint(state)
		if n <= 0 {
			return ErrMalformed
		}
		length, m := binary.Uvarint(state[n:])
		if state = state[n:]; m <= 0 || length > uint64(len(state)-m) {
			return ErrMalformed
		}
		if number > newest {
			return fmt.Errorf("%w (its state has field %d where this one knows up to %d)", ErrNewer, number, newest)
		}
		end := m + int(length)
		if err := take(number, state[m:end:end]); err != nil {
			return err
		}
		state = state[end:]
	}
	return nil
}

// Number reads a value that is a number.
func Number(value []byte) (uint64, error) {
	v, n := binary.Uvarint(value)
	if n <= 0 || n != len(value) {
		return 0, ErrMalformed
	}
	return v, nil
}

// Put reads a value that is a number into a variable. It is an error if that cannot have it.
func Put[T ~int | ~int64 | ~uint8 | ~uint32 | ~uint64](to *T, value []byte) error {
	v, err := Number(value)
	if err != nil {
		return err
	}
	if *to = T(v); *to < 0 || uint64(*to) != v {
		return ErrMalformed
	}
	return nil
}
