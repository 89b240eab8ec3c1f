//go:build unix

package channel

import (
	"slices"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	const text = "one\n\ntwo\nthree"
	for size := 1; size <= len(text); size++ {
		var l lines
		var got []string
		for piece := range slices.Chunk([]byte(text), size) {
			l.add(piece)
			for line, whole := l.next(); whole; line, whole = l.next() {
				got = append(got, string(line))
			}
		}
		if strings.Join(got, ",") != "one,,two" || string(l.rest) != "three" {
			t.Errorf("pieces of %d: %q, and %q", size, got, l.rest)
		}
	}
}

// TestLinesLinear makes an end of each byte that was looked at, behind its back: it would be found if any was looked at
// twice.
func TestLinesLinear(t *testing.T) {
	var l lines
	for range 1000 {
		l.add([]byte("x"))
		if line, whole := l.next(); whole {
			t.Fatalf("%d bytes were looked at again", len(line))
		}
		l.rest[len(l.rest)-1] = '\n'
	}
}
