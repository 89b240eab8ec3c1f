//go:build !amd64

package websocket

// unmaskBlocks applies a mask in place to whole blocks, and reports whether the result is ASCII.
func unmaskBlocks(b []byte, mask uint64) (ascii bool) { return unmaskWords(b, mask) }

// areBlocksASCII reports whether whole blocks are ASCII.
func areBlocksASCII(b []byte) bool { return areWordsASCII(b) }
