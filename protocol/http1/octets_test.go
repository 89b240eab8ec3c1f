package http1

import "testing"

// TestEnds compares what is looked at in words with what is looked at byte by byte: each byte at each place of a word.
func TestEnds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		end   func([]byte, int) int
		holds func(byte) bool
		text  string
	}{
		{"token", tokenEnd, func(b byte) bool { return tokenBytes[b] }, "Accept-Encoding0!zZaA-x'Sec-Fetch"},
		{"text", textEnd, isText, "text/html; q=0.9,\t\x80\xff~ more of it, to the end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for length := range len(tt.text) + 1 {
				for at := range length {
					for c := range 256 {
						b := []byte(tt.text[:length])
						b[at] = byte(c)
						want := length
						if !tt.holds(byte(c)) {
							want = at
						}
						for _, from := range []int{0, at} {
							if got := tt.end(b, from); got != want {
								t.Fatalf("%q from %d: ends at %d, want %d", b, from, got, want)
							}
						}
					}
				}
			}
		})
	}
}
