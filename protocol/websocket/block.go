package websocket

import "encoding/binary"

// A block is what the checks of long messages look at together. Short ones have none, and are done byte by byte, or
// eight bytes at a time.
const block = 64

// unmaskWords is unmaskBlocks in steps of eight bytes.
func unmaskWords(b []byte, mask uint64) (ascii bool) {
	all := uint64(0)
	for ; len(b) >= block; b = b[block:] {
		p := (*[block]byte)(b)
		w0, w1 := binary.LittleEndian.Uint64(p[:])^mask, binary.LittleEndian.Uint64(p[8:])^mask
		w2, w3 := binary.LittleEndian.Uint64(p[16:])^mask, binary.LittleEndian.Uint64(p[24:])^mask
		w4, w5 := binary.LittleEndian.Uint64(p[32:])^mask, binary.LittleEndian.Uint64(p[40:])^mask
		w6, w7 := binary.LittleEndian.Uint64(p[48:])^mask, binary.LittleEndian.Uint64(p[56:])^mask
		binary.LittleEndian.PutUint64(p[:], w0)
		binary.LittleEndian.PutUint64(p[8:], w1)
		binary.LittleEndian.PutUint64(p[16:], w2)
		binary.LittleEndian.PutUint64(p[24:], w3)
		binary.LittleEndian.PutUint64(p[32:], w4)
		binary.LittleEndian.PutUint64(p[40:], w5)
		binary.LittleEndian.PutUint64(p[48:], w6)
		binary.LittleEndian.PutUint64(p[56:], w7)
		all |= w0 | w1 | w2 | w3 | w4 | w5 | w6 | w7
	}
	return all&highBits == 0
}

// areWordsASCII is areBlocksASCII in steps of eight bytes.
func areWordsASCII(b []byte) bool {
	for ; len(b) >= block; b = b[block:] {
		p := (*[block]byte)(b)
		if (binary.LittleEndian.Uint64(p[:])|binary.LittleEndian.Uint64(p[8:])|
			binary.LittleEndian.Uint64(p[16:])|binary.LittleEndian.Uint64(p[24:])|
			binary.LittleEndian.Uint64(p[32:])|binary.LittleEndian.Uint64(p[40:])|
			binary.LittleEndian.Uint64(p[48:])|binary.LittleEndian.Uint64(p[56:]))&highBits != 0 {
			return false
		}
	}
	return true
}
