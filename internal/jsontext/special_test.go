package jsontext

import (
	"bytes"
	"testing"
)

// TestSpecial has each byte found that ends the plain part of a string, wherever it is, and no other one.
func TestSpecial(t *testing.T) {
	const size = 70 // two steps of 32 bytes, and less
	for b := range 256 {
		want := b < ' ' || b == '"' || b == '\\'
		for at := range size {
			text := bytes.Repeat([]byte{0xff, 'x', 0x80, '!', ']', '#', ' '}, 10)[:size]
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

// TestBeyond has a byte beyond ASCII noticed wherever it is, and nothing else.
func TestBeyond(t *testing.T) {
	for size := range 70 {
		text := bytes.Repeat([]byte{'x'}, size)
		if _, beyond := special(text, 0); beyond&highs != 0 {
			t.Errorf("%d bytes of ASCII are more", size)
		}
		for at := range text {
			text[at] = 0x80
			if _, beyond := special(text, 0); beyond&highs == 0 {
				t.Errorf("that byte %d of %d is not ASCII is not noticed", at, size)
			}
			text[at] = 'x'
		}
	}
}
