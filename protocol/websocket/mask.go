package websocket

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"sync"
	"unicode/utf8"
)

// unmask applies the mask in place to bytes that begin at offset at of their payload (RFC 6455, 5.3). The mask holds
// its four bytes as they lie. It reports whether the result is ASCII, which is known on the way for next to nothing.
func unmask(b []byte, mask uint32, at int) (ascii bool) {
	return unmaskBytes(b, bits.RotateLeft32(mask, -8*at))
}

// unmaskWords is unmask from the beginning of a payload, by words of eight bytes. The last one may overlap the one
// before it, so it is read first.
func unmaskWords(b []byte, mask uint32) (ascii bool) {
	if len(b) < 8 {
		return unmaskFew(b, mask)
	}
	wide := uint64(mask)<<32 | uint64(mask)
	last := b[len(b)-8:]
	end := binary.LittleEndian.Uint64(last) ^ bits.RotateLeft64(wide, -8*len(b))
	all := end
	for len(b) >= 64 {
		p := (*[64]byte)(b)
		w0, w1 := binary.LittleEndian.Uint64(p[:])^wide, binary.LittleEndian.Uint64(p[8:])^wide
		w2, w3 := binary.LittleEndian.Uint64(p[16:])^wide, binary.LittleEndian.Uint64(p[24:])^wide
		w4, w5 := binary.LittleEndian.Uint64(p[32:])^wide, binary.LittleEndian.Uint64(p[40:])^wide
		w6, w7 := binary.LittleEndian.Uint64(p[48:])^wide, binary.LittleEndian.Uint64(p[56:])^wide
		binary.LittleEndian.PutUint64(p[:], w0)
		binary.LittleEndian.PutUint64(p[8:], w1)
		binary.LittleEndian.PutUint64(p[16:], w2)
		binary.LittleEndian.PutUint64(p[24:], w3)
		binary.LittleEndian.PutUint64(p[32:], w4)
		binary.LittleEndian.PutUint64(p[40:], w5)
		binary.LittleEndian.PutUint64(p[48:], w6)
		binary.LittleEndian.PutUint64(p[56:], w7)
		all |= w0 | w1 | w2 | w3 | w4 | w5 | w6 | w7
		b = b[64:]
	}
	for len(b) > 8 {
		w := binary.LittleEndian.Uint64(b) ^ wide
		binary.LittleEndian.PutUint64(b, w)
		all |= w
		b = b[8:]
	}
	binary.LittleEndian.PutUint64(last, end)
	return all&highBits == 0
}

// unmaskFew is unmaskWords for less than a word.
func unmaskFew(b []byte, mask uint32) (ascii bool) {
	if len(b) >= 4 {
		last := b[len(b)-4:]
		begin := binary.LittleEndian.Uint32(b) ^ mask
		end := binary.LittleEndian.Uint32(last) ^ bits.RotateLeft32(mask, -8*len(b))
		binary.LittleEndian.PutUint32(b, begin)
		binary.LittleEndian.PutUint32(last, end)
		return uint64(begin|end)&highBits == 0
	}
	all := byte(0)
	for i := range b {
		b[i] ^= byte(mask)
		mask >>= 8
		all |= b[i]
	}
	return all < utf8.RuneSelf
}

// randoms are sources that whoever sees some of their numbers cannot continue (RFC 6455, 10.3).
var randoms = sync.Pool{New: func() any {
	var seed [32]byte
	if _, err := crand.Read(seed[:]); err != nil {
		panic("websocket: the system gives no random bytes: " + err.Error())
	}
	return rand.NewChaCha8(seed)
}}

// random makes a mask, or a part of a key.
func random() uint32 {
	source := randoms.Get().(*rand.ChaCha8)
	defer randoms.Put(source)
	return uint32(source.Uint64())
}
