package fields_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/internal/fields"
)

// TestGolden has the bytes of version 1 never change.
func TestGolden(t *testing.T) {
	state := fields.Begin(nil, 1)
	state = fields.Bytes(state, 1, "ann")
	state = fields.Bytes(state, 2, "")
	state = fields.Item(state, 3, "")
	state = fields.Uint(state, 4, 0)
	state = fields.Uint(state, 4, 300)
	state = fields.Bool(state, 5, true)
	state = fields.Nested(state, 200, func(dst []byte) []byte { return fields.Bytes(dst, 1, strings.Repeat("x", 130)) })
	want := "\x01" + "\x01\x03ann" + "\x03\x00" + "\x04\x02\xac\x02" + "\x05\x01\x01" +
		"\xc8\x01\x85\x81\x80\x80\x00" + "\x01\x82\x01" + strings.Repeat("x", 130)
	if string(state) != want {
		t.Fatalf("it is %q, want %q", state, want)
	}
	rest, err := fields.Open(state, 1)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []uint64
	if err := fields.Each(rest, 200, func(number uint64, value []byte) error {
		if numbers = append(numbers, number); number == 4 {
			var v uint8
			if n, err := fields.Number(value); n != 300 || err != nil {
				t.Errorf("the number is %d, %v", n, err)
			}
			if err := fields.Put(&v, value); !errors.Is(err, fields.ErrMalformed) {
				t.Errorf("300 in a byte: %v", err)
			}
		}
		return nil
	}); err != nil || !slices.Equal(numbers, []uint64{1, 3, 4, 5, 200}) {
		t.Fatalf("the fields are %v, %v", numbers, err)
	}
}

// TestRefused has what cannot be read be refused.
func TestRefused(t *testing.T) {
	for name, state := range map[string]string{
		"no version": "", "version 0": "\x00", "no length": "\x01\x01", "too short": "\x01\x01\x05abc",
		"an endless number": "\x01" + strings.Repeat("\xff", 11),
	} {
		rest, err := fields.Open([]byte(state), 1)
		if err == nil {
			err = fields.Each(rest, 9, func(uint64, []byte) error { return nil })
		}
		if !errors.Is(err, fields.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := fields.Open([]byte{2}, 1); !errors.Is(err, fields.ErrNewer) {
		t.Errorf("a newer version: %v", err)
	}
	var taken []uint64
	err := fields.Each([]byte("\x02\x01a\x03\x01b\x01\x01c"), 2, func(number uint64, _ []byte) error {
		taken = append(taken, number)
		return nil
	})
	if !errors.Is(err, fields.ErrNewer) || !slices.Equal(taken, []uint64{2}) {
		t.Errorf("a newer field: %v, behind %v", err, taken)
	}
}

// FuzzEach has a walk end, with parts of what there is.
func FuzzEach(f *testing.F) {
	f.Add([]byte("\x01\x03ann\x03\x00"))
	f.Fuzz(func(t *testing.T, state []byte) {
		bytes := 0
		err := fields.Each(state, math.MaxUint64, func(_ uint64, value []byte) error {
			bytes += len(value)
			_, _ = fields.Number(value) // it must not panic
			return nil
		})
		if bytes > len(state) || err != nil && !errors.Is(err, fields.ErrMalformed) {
			t.Fatalf("%d bytes of %d, %v", bytes, len(state), err)
		}
	})
}
