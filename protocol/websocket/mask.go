package websocket

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"sync"
)

// unmask applies the mask in place to bytes that begin at offset at of their payload (RFC 6455, 5.3). The mask holds
// its four bytes as they lie.
func unmask(b []byte, mask uint32, at int) {
	if shift := at & 3 * 8; shift != 0 {
		mask = mask>>shift | mask<<(32-shift)
	}
	wide := uint64(mask)<<32 | uint64(mask)
	for len(b) >= 32 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		binary.LittleEndian.PutUint64(b[8:], binary.LittleEndian.Uint64(b[8:])^wide)
		binary.LittleEndian.PutUint64(b[16:], binary.LittleEndian.Uint64(b[16:])^wide)
		binary.LittleEndian.PutUint64(b[24:], binary.LittleEndian.Uint64(b[24:])^wide)
		b = b[32:]
	}
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(mask >> (i & 3 * 8))
	}
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
