//go:build !amd64

package websocket

// unmaskBlocks leaves everything to who called it.
func unmaskBlocks(b []byte, _ uint64) (rest []byte, ascii bool) { return b, true }

// skipASCII leaves everything to who called it.
func skipASCII(b []byte) (rest []byte, ascii bool) { return b, true }
