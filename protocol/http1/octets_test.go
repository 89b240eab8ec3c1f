package http1

import "testing"

// TestTextEnd compares what is looked at in words with what is looked at byte by byte: each byte at each place of a
// word.
func TestTextEnd(t *testing.T) {
	const text = "text/html; q=0.9,\t\x80\xff~ more of it, to the end"
	for length := range len(text) + 1 {
		for at := range length {
			for c := range 256 {
				b := []byte(text[:length])
				b[at] = byte(c)
				want := length
				if !isText(byte(c)) {
					want = at
				}
				for _, from := range []int{0, at} {
					if got := textEnd(b, from); got != want {
						t.Fatalf("%q from %d: ends at %d, want %d", b, from, got, want)
					}
				}
			}
		}
	}
}
