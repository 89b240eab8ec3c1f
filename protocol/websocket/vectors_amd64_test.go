package websocket

import "testing"

// TestWithoutVectors does what a processor without AVX2 does.
func TestWithoutVectors(t *testing.T) {
	had := hasAVX2
	hasAVX2 = false
	t.Cleanup(func() { hasAVX2 = had })
	t.Run("unmask", TestUnmask)
	t.Run("ASCII", TestASCII)
	t.Run("copy", TestCopyASCII)
}
