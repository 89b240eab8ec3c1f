package jsontext

import (
	"bytes"
	"testing"
)

// TestSpecial has each byte found that ends the plain part of a string, wherever it is, and no other one.
func TestSpecial(t *testing.T) {
	const size = 25
	for b := range 256 {
		want := b < ' ' || b == '"' || b == '\\'
		for at := range size {
			text := bytes.Repeat([]byte{0xff, 'x', 0x80, '!', ']', '#', ' '}, 4)[:size]
			text[at] = byte(b)
			for from := range size + 1 {
				wanted := size
				if want && from <= at {
					wanted = at
				}
				if got, _ := special(text, from); got != wanted {
					t.Fatalf("%q from %d on: %d, want %d", text, from, got, wanted)
				}
			}
		}
	}
}
