package websocket

import (
	"bytes"
	"fmt"
	"testing"
)

// TestUnmask compares with one byte after the other, at every offset and length.
func TestUnmask(t *testing.T) {
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	for at := range 9 {
		for n := range 100 {
			b, want := make([]byte, n), make([]byte, n)
			for i := range b {
				b[i] = byte(i * 7)
				want[i] = b[i] ^ mask[(at+i)&3]
			}
			if unmask(b, 0x78563412, at); !bytes.Equal(b, want) {
				t.Fatalf("%d bytes at %d: got %x, want %x", n, at, b, want)
			}
		}
	}
}

func BenchmarkUnmask(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := make([]byte, size)
			b.SetBytes(int64(size))
			for range b.N {
				unmask(p, 0x12345678, 0)
			}
		})
	}
}
