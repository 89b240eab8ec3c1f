// Package jsontext reads JSON where it lies: a text is checked once, and then walked without a copy.
package jsontext

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"iter"
	"math/bits"
)

// Depth is how deep a text is nested, which is JSON: 0 if it is neither an object nor an array.
func Depth(text []byte) (deepest int) {
	now := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = StringEnd(text, i) - 1
		case '{', '[':
			now++
			deepest = max(deepest, now)
		case '}', ']':
			now--
		}
	}
	return deepest
}

// Begins is the first character of a text that is JSON: '{' of an object, '[' of an array, '"' of a string.
func Begins(text []byte) byte { return text[skipSpace(text, 0)] }

// Fields are the names and values at the top of a text that is a JSON object, in order. A name is decoded, a value is
// as it is written.
func Fields(text []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		i := skipSpace(text, skipSpace(text, 0)+1)
		for text[i] != '}' {
			end := StringEnd(text, i)
			name := decode(text[i:end])
			begin := skipSpace(text, skipSpace(text, end)+1)
			end = valueEnd(text, begin)
			if !yield(name, text[begin:end]) {
				return
			}
			if i = skipSpace(text, end); text[i] == ',' {
				i = skipSpace(text, i+1)
			}
		}
	}
}

// Elements are those at the top of a text that is a JSON array, as they are written.
func Elements(text []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		i := skipSpace(text, skipSpace(text, 0)+1)
		for text[i] != ']' {
			end := valueEnd(text, i)
			if !yield(text[i:end]) {
				return
			}
			if i = skipSpace(text, end); text[i] == ',' {
				i = skipSpace(text, i+1)
			}
		}
	}
}

// decode is what a JSON string says.
func decode(quoted []byte) []byte {
	if inside, plain := Plain(quoted); plain {
		return inside
	}
	var name string
	_ = json.Unmarshal(quoted, &name) // it is valid
	return []byte(name)
}

// Plain is what is in a JSON string without escapes, where it lies. Anything else is not plain.
func Plain(value []byte) (inside []byte, plain bool) {
	if value[0] != '"' || bytes.IndexByte(value, '\\') >= 0 {
		return nil, false
	}
	return value[1 : len(value)-1], true
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

// StringEnd is where a JSON string ends that begins at i.
func StringEnd(text []byte, i int) int {
	for i, _ = special(text, i+1); text[i] != '"'; i, _ = special(text, i) {
		i += 2 // an escape
	}
	return i + 1
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// special is where the first byte is, from i on, that does not stand for itself in a JSON string: a quote, a backslash
// or a control character. It is the length of the text if there is none. The highs of beyond are set if something
// before it, or in the eight bytes around it, is beyond ASCII. Eight bytes are looked at together, as the text of a
// publication may be long, and four times eight where it is.
func special(text []byte, i int) (at int, beyond uint64) {
	for ; len(text)-i >= 32; i += 32 {
		t := text[i : i+32]
		a, b := binary.LittleEndian.Uint64(t), binary.LittleEndian.Uint64(t[8:])
		if found := specials(a); found != 0 { // most are short
			return i + bits.TrailingZeros64(found)/8, beyond | a
		}
		c, d := binary.LittleEndian.Uint64(t[16:]), binary.LittleEndian.Uint64(t[24:])
		if specials(b)|specials(c)|specials(d) != 0 {
			break
		}
		beyond |= a | b | c | d
	}
	for ; len(text)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		beyond |= w
		if found := specials(w); found != 0 {
			return i + bits.TrailingZeros64(found)/8, beyond
		}
	}
	for i < len(text) && text[i] >= ' ' && text[i] != '"' && text[i] != '\\' {
		beyond |= uint64(text[i])
		i++
	}
	return i, beyond
}

// specials has the high bit of a byte set that is special, and perhaps of some behind it: in a difference, a byte that
// is less has it set, which no ASCII has.
func specials(w uint64) uint64 {
	quote, slash := w^ones*'"', w^ones*'\\' // with a byte that is 0 where there is one
	return ((w - ones*' ') | (quote - ones) | (slash - ones)) &^ w & highs
}

// valueEnd is where a value ends that begins at i.
func valueEnd(text []byte, i int) int {
	for depth := 0; ; {
		switch text[i] {
		case '"':
			i = StringEnd(text, i)
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
