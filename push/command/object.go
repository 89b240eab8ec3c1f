package command

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"unicode/utf8"
)

// maxDepth is how deep a JSON object may be nested: a page's parser may be recursive.
const maxDepth = 64

// object is the text of a JSON object that was checked.
type object []byte

// parseObject checks that a text is a JSON object.
func parseObject(text []byte) (object, error) {
	switch {
	case len(text) == 0:
		return nil, invalid("there is nothing: want a JSON object")
	case !utf8.Valid(text):
		return nil, invalid("not UTF-8")
	case !json.Valid(text) || text[skipSpace(text, 0)] != '{':
		return nil, invalid("not a JSON object")
	case depth(text) > maxDepth:
		return nil, invalid("nested deeper than %d", maxDepth)
	}
	return text, nil
}

// fields are the names and values at the top of the object, in order.
func (o object) fields() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		i := skipSpace(o, skipSpace(o, 0)+1)
		for o[i] != '}' {
			end := stringEnd(o, i)
			name := decodeName(o[i:end])
			begin := skipSpace(o, skipSpace(o, end)+1)
			end = valueEnd(o, begin)
			if !yield(name, o[begin:end]) {
				return
			}
			if i = skipSpace(o, end); o[i] == ',' {
				i = skipSpace(o, i+1)
			}
		}
	}
}

// has reports whether there is a field of a name.
func (o object) has(name string) bool { return o.get(name) != nil }

// get is the value of a field, the last of this name; nil if there is none.
func (o object) get(name string) (value []byte) {
	for n, v := range o.fields() {
		if string(n) == name {
			value = v
		}
	}
	return value
}

// What follows reads JSON that is valid.

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

// stringEnd is where a string ends that begins at i.
func stringEnd(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// valueEnd is where a value ends that begins at i.
func valueEnd(text []byte, i int) int {
	for depth := 0; ; {
		switch text[i] {
		case '"':
			i = stringEnd(text, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // that of the object, behind a number or a word
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
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

func decodeName(quoted []byte) []byte {
	if inside, plain := plainString(quoted); plain {
		return inside
	}
	var name string
	_ = json.Unmarshal(quoted, &name) // it is valid
	return []byte(name)
}

// plainString is what is in a string that has no escapes.
func plainString(value []byte) (inside []byte, plain bool) {
	if value[0] != '"' || bytes.IndexByte(value, '\\') >= 0 {
		return nil, false
	}
	return value[1 : len(value)-1], true
}

// elements is how many elements a list that is not empty has, those of lists in it included; 1 for what is no list.
func elements(value []byte) int {
	n := 1
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			i = stringEnd(value, i) - 1
		case ',':
			n++
		}
	}
	return n
}

// depth is how deep a text is nested.
func depth(text []byte) (deepest int) {
	now := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i) - 1
		case '{', '[':
			now++
			deepest = max(deepest, now)
		case '}', ']':
			now--
		}
	}
	return deepest
}
