package websocket

import (
	"bytes"
	"fmt"
	"testing"
)

// TestUnmask compares with one byte after the other, at every offset and length. What lies around the bytes stays.
func TestUnmask(t *testing.T) {
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	for at := range 9 {
		for n := range 400 {
			all := make([]byte, at+n+1)
			for i := range all {
				all[i] = byte(i * 7)
			}
			want := bytes.Clone(all)
			for i := range n {
				want[at+i] ^= mask[(at+i)&3]
			}
			if unmask(all[at:at+n], 0x78563412, at); !bytes.Equal(all, want) {
				t.Fatalf("%d bytes at %d: got %x, want %x", n, at, all, want)
			}
		}
	}
}

// TestASCII has one byte at a time that is no ASCII, in texts of every length, masked and not.
func TestASCII(t *testing.T) {
	const mask = 0x78d63412
	for n := range 400 {
		for odd := -1; odd < n; odd++ {
			b := bytes.Repeat([]byte{0x7f}, n)
			if odd >= 0 {
				b[odd] = 0x80
			}
			if got := isASCII(b); got != (odd < 0) {
				t.Errorf("%d bytes, the odd one at %d: isASCII is %v", n, odd, got)
			}
			unmask(b, mask, 3)
			if got := unmask(b, mask, 3); got != (odd < 0) {
				t.Errorf("%d bytes, the odd one at %d: unmask tells %v", n, odd, got)
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
