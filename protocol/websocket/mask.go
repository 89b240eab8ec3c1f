package websocket

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"sync"
)

// long is how many bytes are worth a call of what does not begin as fast, but looks at 32 bytes at a time.
const long = 256

// unmask applies the mask in place to bytes that begin at offset at of their payload (RFC 6455, 5.3). The mask holds
// its four bytes as they lie. It reports whether the result is ASCII, which is known on the way for next to nothing.
func unmask(b []byte, mask uint32, at int) (ascii bool) {
	if shift := at & 3 * 8; shift != 0 {
		mask = mask>>shift | mask<<(32-shift)
	}
	wide, all := uint64(mask)<<32|uint64(mask), uint64(0)
	if len(b) >= long {
		var plain bool
		if b, plain = unmaskBlocks(b, wide); !plain {
			all = highBits
		}
	}
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
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b) ^ wide
		binary.LittleEndian.PutUint64(b, w)
		all |= w
		b = b[8:]
	}
	for i, c := range b {
		c ^= byte(mask >> (i & 3 * 8))
		b[i] = c
		all |= uint64(c)
	}
	return all&highBits == 0
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
