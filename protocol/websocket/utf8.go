package websocket

import "unicode/utf8"

// utf8Tail checks text that comes in pieces. It keeps the beginning of a character that the pieces cut.
type utf8Tail struct {
	kept [utf8.UTFMax - 1]byte
	n    uint8
}

// feed checks the next piece and reports whether the text can still be UTF-8: a byte that no character can have in
// its place is found at once.
func (t *utf8Tail) feed(b []byte) bool {
	for t.n > 0 && len(b) > 0 {
		var char [utf8.UTFMax]byte
		n := copy(char[:], t.kept[:t.n])
		char[n] = b[0]
		b = b[1:]
		if utf8.FullRune(char[:n+1]) {
			t.n = 0
			if r, size := utf8.DecodeRune(char[:n+1]); r == utf8.RuneError && size == 1 {
				return false
			}
			continue
		}
		t.n = uint8(copy(t.kept[:], char[:n+1]))
	}
	cut := len(b)
	for back := 1; back < utf8.UTFMax && back <= len(b); back++ {
		if start := len(b) - back; utf8.RuneStart(b[start]) {
			if !utf8.FullRune(b[start:]) {
				cut = start
			}
			break
		}
	}
	if !utf8.Valid(b[:cut]) {
		return false
	}
	if cut < len(b) {
		t.n = uint8(copy(t.kept[:], b[cut:]))
	}
	return true
}

// whole reports whether the text does not end within a character.
func (t *utf8Tail) whole() bool { return t.n == 0 }
