package websocket

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"sync"
)

// unmask applies the mask in place to bytes that begin at offset at of their payload (RFC 6455, 5.3). The mask holds
// its four bytes as they lie. It reports whether the result is ASCII, which is known on the way for next to nothing.
func unmask(b []byte, mask uint32, at int) (ascii bool) {
	if shift := at & 3 * 8; shift != 0 {
		mask = mask>>shift | mask<<(32-shift)
	}
	wide, all := uint64(mask)<<32|uint64(mask), uint64(0)
	if len(b) >= block {
		whole := len(b) &^ (block - 1)
		if !unmaskBlocks(b[:whole], wide) {
			all = highBits
		}
		b = b[whole:]
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
