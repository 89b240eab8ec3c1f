//go:build !amd64

package websocket

func unmaskBytes(b []byte, mask uint32) (ascii bool) { return unmaskWords(b, mask) }
func copyASCII(dst, src []byte) (ascii bool)         { return copyWords(dst, src) }
func isASCII(b []byte) bool                          { return areWordsASCII(b) }
