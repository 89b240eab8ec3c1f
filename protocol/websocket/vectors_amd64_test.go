package websocket

import "testing"

// TestWithoutVectors does what a processor without AVX2 does.
func TestWithoutVectors(t *testing.T) {
	had := hasVectors
	hasVectors = false
	t.Cleanup(func() { hasVectors = had })
	t.Run("unmask", TestUnmask)
	t.Run("ASCII", TestASCII)
}
