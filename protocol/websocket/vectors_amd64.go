package websocket

import "golang.org/x/sys/cpu"

// hasAVX2 is whether the processor has instructions for 32 bytes at a time. Go's compiler does not use them, nor those
// for 16 bytes. Immutable.
var hasAVX2 = cpu.X86.HasAVX2

// unmaskBytes is unmaskWords, by vectors from eight bytes on.
//
//go:noescape
func unmaskBytes(b []byte, mask uint32) (ascii bool)

// copyASCII is copyWords, by vectors from eight bytes on.
//
//go:noescape
func copyASCII(dst, src []byte) (ascii bool)

// isASCII is areWordsASCII, by vectors from eight bytes on.
//
//go:noescape
func isASCII(b []byte) bool
