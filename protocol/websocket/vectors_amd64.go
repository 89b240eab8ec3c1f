package websocket

import "golang.org/x/sys/cpu"

// hasVectors is whether the processor has AVX2: instructions for 32 bytes at a time, which Go's compiler does not use.
// Immutable.
var hasVectors = cpu.X86.HasAVX2

// block is what one step of these instructions takes.
const block = 64

// unmaskBlocks applies a mask in place to what vectors can do of a long payload. It returns the rest, and whether what
// it has done is ASCII.
func unmaskBlocks(b []byte, mask uint64) (rest []byte, ascii bool) {
	if !hasVectors {
		return b, true
	}
	whole := len(b) &^ (block - 1)
	return b[whole:], unmaskVectors(b[:whole], mask)
}

// skipASCII looks at what vectors can do of a long text. It returns the rest, and whether what it has seen is ASCII.
func skipASCII(b []byte) (rest []byte, ascii bool) {
	if !hasVectors {
		return b, true
	}
	whole := len(b) &^ (block - 1)
	return b[whole:], areVectorsASCII(b[:whole])
}

// unmaskVectors applies a mask in place to one block or more, and reports whether the result is ASCII. It needs AVX2.
//
//go:noescape
func unmaskVectors(b []byte, mask uint64) (ascii bool)

// areVectorsASCII reports whether one block or more are ASCII. It needs AVX2.
//
//go:noescape
func areVectorsASCII(b []byte) bool
