package http1

import "encoding/binary"

// What follows says which bytes may stand where.

func isToken(b []byte) bool { return len(b) > 0 && tokenLength(b) == len(b) }

// tokenLength is how many bytes of a token b begins with.
func tokenLength(b []byte) int {
	for i, c := range b {
		if !tokenBytes[c] {
			return i
		}
	}
	return len(b)
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// isValue looks at eight bytes at a time, and at those that are not plainly text one by one.
func isValue(b []byte) bool {
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		control, del := (w-' '*ones)&^w, w^0x7f*ones
		if (control|(del-ones)&^del)&highs != 0 && !isTextEach(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return isTextEach(b)
}

func isTextEach(b []byte) bool {
	for _, c := range b {
		if !isText(c) {
			return false
		}
	}
	return true
}

// isText is what a field value may hold (RFC 9110, 5.5).
func isText(b byte) bool { return b >= ' ' && b != 0x7f || b == '\t' }

var (
	tokenBytes = table("!#$%&'*+-.^_`|~")  // RFC 9110, 5.6.2
	hostBytes  = table("-._~!$&'()*+,;=%") // RFC 3986, 3.2.2
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
