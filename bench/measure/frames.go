//go:build linux

package main

import "encoding/binary"

// What a client sends has one of many masks, in turns: a server that keeps requests it has seen gets no gift.
const (
	masks     = 2048
	mostBytes = 16 << 20 // of all frames that differ by their masks only
)

// maskedText is a client's text frame.
func maskedText(text string) []byte {
	return maskedFrame(0x81, []byte(text), [4]byte{0x12, 0x34, 0x56, 0x78})
}

// maskedFrame is a client's frame with a first byte (RFC 6455, 5.2).
func maskedFrame(first byte, payload []byte, mask [4]byte) []byte {
	b := frameHead(first, 0x80, len(payload))
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i&3])
	}
	return b
}

// serverFrame is a server's frame with a first byte.
func serverFrame(first byte, payload []byte) []byte {
	return append(frameHead(first, 0, len(payload)), payload...)
}

// frameHead is the beginning of a frame, without a mask.
func frameHead(first, masked byte, size int) []byte {
	switch {
	case size < 126:
		return []byte{first, masked | byte(size)}
	case size < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{first, masked | 126}, uint16(size))
	}
	return binary.BigEndian.AppendUint64([]byte{first, masked | 127}, uint64(size))
}

// maskedInTurns are batches of the same frame, each batch with other masks.
func maskedInTurns(first byte, payload []byte, pipelined int) (batches [][]byte) {
	number := uint32(0)
	for bytes := 0; len(batches) < 2 || len(batches) < masks && bytes < mostBytes; bytes += len(batches[0]) {
		var batch []byte
		for range pipelined {
			number++
			var mask [4]byte
			binary.LittleEndian.PutUint32(mask[:], number*2654435761) // Knuth's multiplicative hash spreads the bits
			batch = append(batch, maskedFrame(first, payload, mask)...)
		}
		batches = append(batches, batch)
	}
	return batches
}
