package websocket

import (
	"encoding/binary"
	"unicode/utf8"
)

// highBits are set in no eight bytes of ASCII.
const highBits = 0x8080808080808080

// valid is utf8.Valid, and quicker where text is ASCII.
func valid(text []byte) bool { return isASCII(text) || utf8.Valid(text) }

// areWordsASCII reports whether all of b is ASCII, by words of eight bytes. The last one may overlap the one before it.
func areWordsASCII(b []byte) bool {
	if len(b) < 8 {
		return areFewASCII(b)
	}
	all := binary.LittleEndian.Uint64(b[len(b)-8:])
	for len(b) >= 64 {
		p := (*[64]byte)(b)
		if (binary.LittleEndian.Uint64(p[:])|binary.LittleEndian.Uint64(p[8:])|
			binary.LittleEndian.Uint64(p[16:])|binary.LittleEndian.Uint64(p[24:])|
			binary.LittleEndian.Uint64(p[32:])|binary.LittleEndian.Uint64(p[40:])|
			binary.LittleEndian.Uint64(p[48:])|binary.LittleEndian.Uint64(p[56:]))&highBits != 0 {
			return false
		}
		b = b[64:]
	}
	for len(b) > 8 {
		all |= binary.LittleEndian.Uint64(b)
		b = b[8:]
	}
	return all&highBits == 0
}

// areFewASCII is areWordsASCII for less than a word.
func areFewASCII(b []byte) bool {
	if len(b) >= 4 {
		return uint64(binary.LittleEndian.Uint32(b)|binary.LittleEndian.Uint32(b[len(b)-4:]))&highBits == 0
	}
	all := byte(0)
	for _, c := range b {
		all |= c
	}
	return all < utf8.RuneSelf
}

// copyWords copies src to dst, which is as long, and reports whether it is ASCII.
func copyWords(dst, src []byte) (ascii bool) {
	copy(dst, src)
	return areWordsASCII(src)
}

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
	if !valid(b[:cut]) {
		return false
	}
	if cut < len(b) {
		t.n = uint8(copy(t.kept[:], b[cut:]))
	}
	return true
}

// whole reports whether the text does not end within a character.
func (t *utf8Tail) whole() bool { return t.n == 0 }
