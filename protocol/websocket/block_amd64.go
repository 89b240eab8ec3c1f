package websocket

import "golang.org/x/sys/cpu"

// hasVectors is whether the processor has instructions for 32 bytes at a time, which Go's compiler does not use.
// Immutable.
var hasVectors = cpu.X86.HasAVX2

// vectors is how many bytes are worth a call of what does not begin as fast.
const vectors = 4 * block

// unmaskBlocks applies a mask in place to whole blocks, and reports whether the result is ASCII.
func unmaskBlocks(b []byte, mask uint64) (ascii bool) {
	if hasVectors && len(b) >= vectors {
		return unmaskVectors(b, mask)
	}
	return unmaskWords(b, mask)
}

// areBlocksASCII reports whether whole blocks are ASCII.
func areBlocksASCII(b []byte) bool {
	if hasVectors && len(b) >= vectors {
		return areVectorsASCII(b)
	}
	return areWordsASCII(b)
}

// unmaskVectors is unmaskBlocks of one block or more, with AVX2.
//
//go:noescape
func unmaskVectors(b []byte, mask uint64) (ascii bool)

// areVectorsASCII is areBlocksASCII of one block or more, with AVX2.
//
//go:noescape
func areVectorsASCII(b []byte) bool
