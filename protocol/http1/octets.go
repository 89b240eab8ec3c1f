package http1

import (
	"encoding/binary"
	"math/bits"
)

// What follows says which bytes may stand where.

func isToken(b []byte) bool { return len(b) > 0 && tokenEnd(b, 0) == len(b) }

// The loops below compare unsigned numbers: so the compiler needs no second comparison for a byte.

// tokenEnd is where the bytes from i on end that a token may hold (RFC 9110, 5.6.2).
func tokenEnd(b []byte, i int) int {
	for uint(i) < uint(len(b)) && tokenBytes[b[i]] {
		i++
	}
	return i
}

// targetEnd is where the bytes from i on end that a request target may hold: visible ones, and no fragment (RFC 9112,
// 3.2).
func targetEnd(b []byte, i int) int {
	for uint(i) < uint(len(b)) && targetBytes[b[i]] {
		i++
	}
	return i
}

// plainEnd is where those of them end that mean nothing in a path: it stops at a "?" and a "%" too.
func plainEnd(b []byte, i int) int {
	for uint(i) < uint(len(b)) && targetBytes[b[i]] && b[i] != '?' && b[i] != '%' {
		i++
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

func isValue(b []byte) bool { return textEnd(b, 0) == len(b) }

// textEnd is where the bytes from i on end that a field value may hold. It looks at eight at a time: those that are
// control characters, or DEL, have their high bit set in stops, and are looked at one by one; so may be others behind
// them.
func textEnd(b []byte, i int) int {
	for ; len(b)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if stops := ((w - ' '*ones) | (w + ones)) &^ w & highs; stops != 0 {
			if i += bits.TrailingZeros64(stops) / 8; !isText(b[i]) {
				return i
			}
			i -= 7 // on behind it
		}
	}
	for i < len(b) && isText(b[i]) {
		i++
	}
	return i
}

const crlf = "\r\n"

func isCRLF(b []byte, i int) bool { return uint(i+1) < uint(len(b)) && b[i] == '\r' && b[i+1] == '\n' }

// isBlank is what may stand around a field value (RFC 9110, 5.6.3).
func isBlank(b byte) bool { return b == ' ' || b == '\t' }

// isText is what a field value may hold (RFC 9110, 5.5).
func isText(b byte) bool { return b >= ' ' && b != 0x7f || b == '\t' }

var (
	tokenBytes = table("!#$%&'*+-.^_`|~")  // RFC 9110, 5.6.2
	hostBytes  = table("-._~!$&'()*+,;=%") // RFC 3986, 3.2.2

	targetBytes = table("!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~") // visible, and not "#"
)

// table holds letters, digits and more.
func table(more string) (t [256]bool) {
	for b := range t {
		c := byte(b)
		t[b] = digit(c) || 'a' <= lower(c) && lower(c) <= 'z'
	}
	for _, b := range []byte(more) {
		t[b] = true
	}
	return t
}
