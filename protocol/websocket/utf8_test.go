package websocket

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// edges are the bytes at which the rules of UTF-8 change.
var edges = []byte{
	0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0,
	0xf1, 0xf3, 0xf4, 0xf5, 0xff,
}

// canBecomeText tries whether up to so many bytes more make b UTF-8.
func canBecomeText(b []byte, more int) bool {
	if utf8.Valid(b) {
		return true
	}
	for _, next := range []byte{0x80, 0x90, 0xa0, 0xbf} {
		if more > 0 && canBecomeText(append(b[:len(b):len(b)], next), more-1) {
			return true
		}
	}
	return false
}

// TestFeed grows every text of up to four of the edges, as long as it can still become UTF-8, and has each cut at every
// point: the check must fail exactly with the byte from which on it cannot.
func TestFeed(t *testing.T) {
	var grow func(text []byte)
	grow = func(text []byte) {
		want := canBecomeText(text, utf8.UTFMax-1)
		for cut := range len(text) + 1 {
			var tail utf8Tail
			if got := tail.feed(text[:cut]) && tail.feed(text[cut:]); got != want {
				t.Fatalf("% x, cut at %d: got %v, want %v", text, cut, got, want)
			}
			if want && tail.whole() != utf8.Valid(text) {
				t.Fatalf("% x, cut at %d: whole is %v", text, cut, tail.whole())
			}
		}
		if !want || len(text) == utf8.UTFMax {
			return
		}
		for _, b := range edges {
			grow(append(text[:len(text):len(text)], b))
		}
	}
	grow(nil)
}

// TestFeedBytewise feeds characters of every length in pieces of one byte, and of none.
func TestFeedBytewise(t *testing.T) {
	var tail utf8Tail
	for i, b := range []byte("aé€😀\ufffd\U0010ffff\x00") {
		if !tail.feed([]byte{b}) || !tail.feed(nil) {
			t.Fatalf("refused at byte %d", i)
		}
	}
	if !tail.whole() {
		t.Error("not whole at the end")
	}
}

func BenchmarkFeed(b *testing.B) {
	for name, text := range map[string]string{
		"ASCII": strings.Repeat("abcdefgh", 128), "mixed": strings.Repeat("aé€😀ab€", 64),
	} {
		b.Run(name, func(b *testing.B) {
			p := []byte(text)
			b.SetBytes(int64(len(p)))
			for range b.N {
				var tail utf8Tail
				if !tail.feed(p) {
					b.Fatal("refused")
				}
			}
		})
	}
}
