package command

import (
	"errors"
	"iter"
	"strconv"

	"github.com/lineman-go/lineman/internal/jsontext"
)

// object is a JSON object that was checked.
type object struct{ *jsontext.Object }

// parseObject checks that a text is a JSON object. It uses the memory of one that is not needed any more.
func parseObject(text []byte, into *jsontext.Object) (object, error) {
	if len(text) == 0 {
		return object{}, invalid("there is nothing: want a JSON object")
	}
	switch err := into.Parse(text); {
	case errors.Is(err, jsontext.ErrInvalid):
		return object{}, invalid("not a JSON object")
	case err != nil:
		return object{}, invalid("%v", err)
	}
	return object{into}, nil
}

// fields are the names and values at the top of the object, in order.
func (o object) fields() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := range o.Len() {
			if !yield(o.Name(i), o.Value(i)) {
				return
			}
		}
	}
}

// has reports whether there is a field of a name.
func (o object) has(name string) bool { return o.get(name) != nil }

// get is the value of a field, the last of this name; nil if there is none.
func (o object) get(name string) (value []byte) {
	for i := o.Len() - 1; i >= 0; i-- {
		if string(o.Name(i)) == name {
			return o.Value(i)
		}
	}
	return nil
}

// hasHalfPair reports whether a string, or one in a list, has half of a surrogate pair as an escape: no text is meant
// by that (RFC 8259, 8.2), and what is made of it differs.
func hasHalfPair(value []byte) bool {
	high := false // the last escape was the first half
	for i := 0; i < len(value); {
		unit, size := surrogate(value[i:])
		switch {
		case high != (unit == lowHalf):
			return true
		case size == 0 && value[i] == '\\':
			size = 2
		}
		high = unit == highHalf
		i += max(size, 1)
	}
	return high
}

// half is which half of a surrogate pair an escape is.
type half uint8

const (
	noHalf half = iota
	highHalf
	lowHalf
)

// surrogate is what a text begins with, and how long its escape is.
func surrogate(text []byte) (half, int) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return noHalf, 0
	}
	switch n, _ := strconv.ParseUint(string(text[2:6]), 16, 16); { // it is valid
	case 0xd800 <= n && n < 0xdc00:
		return highHalf, 6
	case 0xdc00 <= n && n < 0xe000:
		return lowHalf, 6
	}
	return noHalf, 6
}

func halfPair(field string) error { return invalid("%.40q has half of a surrogate pair", field) }

// elements is how many elements a list that is not empty has, those of lists in it included; 1 for what is no list.
func elements(value []byte) int {
	n := 1
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			i = jsontext.StringEnd(value, i) - 1
		case ',':
			n++
		}
	}
	return n
}
