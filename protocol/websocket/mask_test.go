package websocket

import (
	"bytes"
	"fmt"
	"math/bits"
	"testing"
)

// TestUnmask compares with one byte after the other, at every offset and length. What lies around the bytes stays.
func TestUnmask(t *testing.T) {
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	for at := range 9 {
		for n := range 600 {
			all := make([]byte, at+n+1)
			for i := range all {
				all[i] = byte(i * 7)
			}
			words, want := bytes.Clone(all), bytes.Clone(all)
			for i := range n {
				want[at+i] ^= mask[(at+i)&3]
			}
			if unmask(all[at:at+n], 0x78563412, at); !bytes.Equal(all, want) {
				t.Fatalf("%d bytes at %d: got %x, want %x", n, at, all, want)
			}
			unmaskWords(words[at:at+n], bits.RotateLeft32(0x78563412, -8*at))
			if !bytes.Equal(words, want) {
				t.Fatalf("%d bytes at %d, by words: got %x, want %x", n, at, words, want)
			}
		}
	}
}

// TestASCII has one byte at a time that is no ASCII, in texts of every length, masked, copied, and as they are.
func TestASCII(t *testing.T) {
	const mask = 0x78d63412
	for n := range 600 {
		to := make([]byte, n)
		for odd := -1; odd < n; odd += 1 + n/40 {
			b := bytes.Repeat([]byte{0x7f}, n)
			if odd >= 0 {
				b[odd] = 0x80
			}
			if got := isASCII(b); got != (odd < 0) {
				t.Errorf("%d bytes, the odd one at %d: isASCII is %v", n, odd, got)
			}
			if got := areWordsASCII(b); got != (odd < 0) {
				t.Errorf("%d bytes, the odd one at %d: areWordsASCII is %v", n, odd, got)
			}
			if got := copyASCII(to, b); got != (odd < 0) {
				t.Errorf("%d bytes, the odd one at %d: copyASCII tells %v", n, odd, got)
			}
			unmask(b, mask, 3)
			if got := unmask(b, mask, 3); got != (odd < 0) {
				t.Errorf("%d bytes, the odd one at %d: unmask tells %v", n, odd, got)
			}
			unmask(b, mask, 3)
			if got := unmaskWords(b, bits.RotateLeft32(mask, -24)); got != (odd < 0) {
				t.Errorf("%d bytes, the odd one at %d: unmaskWords tells %v", n, odd, got)
			}
		}
	}
}

// TestCopyASCII copies texts of every length from and to every offset. What lies around them stays.
func TestCopyASCII(t *testing.T) {
	const around = 0xaa
	for at := range 9 {
		for n := range 600 {
			src := make([]byte, at+n)
			for i := range src {
				src[i] = byte(i * 7)
			}
			dst := bytes.Repeat([]byte{around}, n+10)
			want := bytes.Clone(dst)
			copy(want[9-at:], src[at:])
			if copyASCII(dst[9-at:9-at+n], src[at:]); !bytes.Equal(dst, want) {
				t.Fatalf("%d bytes from %d: got %x, want %x", n, at, dst, want)
			}
		}
	}
}

// BenchmarkShort has texts as short as most are, one behind the other, as pipelined frames are.
func BenchmarkShort(b *testing.B) {
	for _, size := range []int{5, 8, 15, 16, 17, 31, 32, 63, 64, 65, 125, 128, 256, 1 << 10, 16 << 10} {
		frames, to, ascii := make([]byte, 16*(size+6)), make([]byte, size), true
		for _, f := range []struct {
			name string
			f    func(p []byte)
		}{
			{"unmask", func(p []byte) { unmask(p, 0x12345678, 0) }},
			{"unmask words", func(p []byte) { unmaskWords(p, 0x12345678) }},
			{"ASCII", func(p []byte) { ascii = isASCII(p) && ascii }},
			{"ASCII words", func(p []byte) { ascii = areWordsASCII(p) && ascii }},
			{"copy", func(p []byte) { ascii = copyASCII(to, p) && ascii }},
			{"copy words", func(p []byte) { ascii = copyWords(to, p) && ascii }},
		} {
			b.Run(fmt.Sprintf("%s/%d", f.name, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				for i := range b.N {
					at := i & 15 * (size + 6)
					f.f(frames[at+6 : at+6+size])
				}
			})
		}
	}
}
