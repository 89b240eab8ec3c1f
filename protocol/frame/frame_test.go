package frame_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/frame"
)

func TestDecode(t *testing.T) {
	linemantest.TestCodec(t, frame.Protocol{},
		linemantest.Vector{Name: "nothing", Wire: ""},
		linemantest.Vector{Name: "a frame", Wire: "\x00\x00\x00\x09hello", Messages: []string{"hello"},
			RoundTrip: true},
		linemantest.Vector{Name: "an empty message", Wire: "\x00\x00\x00\x04", Messages: []string{""}, RoundTrip: true},
		linemantest.Vector{Name: "two and a half", Wire: "\x00\x00\x00\x05a\x00\x00\x00\x06bc\x00\x00\x00\x07de",
			Messages: []string{"a", "bc"}},
		linemantest.Vector{Name: "half a header", Wire: "\x00\x00\x00"},
		linemantest.Vector{Name: "length 0", Wire: "\x00\x00\x00\x00", Err: frame.ErrLength},
		linemantest.Vector{Name: "length 1", Wire: "\x00\x00\x00\x01", Err: frame.ErrLength},
		linemantest.Vector{Name: "length 2", Wire: "\x00\x00\x00\x02", Err: frame.ErrLength},
		linemantest.Vector{Name: "length 3", Wire: "\x00\x00\x00\x05a\x00\x00\x00\x03", Messages: []string{"a"},
			Err: frame.ErrLength},
		linemantest.Vector{Name: "at the limit", Max: 3, Wire: "\x00\x00\x00\x07abc", Messages: []string{"abc"}},
		linemantest.Vector{Name: "above the limit", Max: 3, Wire: "\x00\x00\x00\x08", Err: protocol.ErrTooLarge},
		linemantest.Vector{Name: "the greatest length", Wire: "\xff\xff\xff\xffabc",
			Err: protocol.ErrTooLarge, ErrAfter: 4},
		linemantest.Vector{Name: "a long one", Wire: "\x00\x00\x08\x04" + strings.Repeat("x", 2048),
			Messages: []string{strings.Repeat("x", 2048)}},
	)
}

func FuzzDecode(f *testing.F) {
	linemantest.FuzzCodec(f, frame.Protocol{}, "\x00\x00\x00\x05a\x00\x00\x00\x04", "\x00\x00\x00\x03",
		"\xff\xff\xff\xff")
}

func TestRoundTrip(t *testing.T) {
	c := frame.Protocol{}.NewCodec(1 << 20)
	for _, msg := range [][]byte{{}, []byte("hello"), bytes.Repeat([]byte{0}, 70000)} {
		wire, err := c.Append([]byte("before"), msg)
		if err != nil {
			t.Fatal(err)
		}
		n, got, err := c.Decode(wire[len("before"):])
		if err != nil || n != len(wire)-len("before") || !bytes.Equal(got, msg) {
			t.Errorf("%d bytes came back as %d, used %d, %v", len(msg), len(got), n, err)
		}
	}
}

// TestHugeLength has the greatest length refused without memory for it.
func TestHugeLength(t *testing.T) {
	c := frame.Protocol{}.NewCodec(1 << 20)
	wire := []byte("\xff\xff\xff\xff")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, _, err := c.Decode(wire)
	runtime.ReadMemStats(&after)
	if n != 0 || !errors.Is(err, protocol.ErrTooLarge) {
		t.Errorf("used %d, %v", n, err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 { // the error, and what the runtime does beside
		t.Errorf("%d bytes allocated", got)
	}
}

func TestAllocations(t *testing.T) {
	c := frame.Protocol{}.NewCodec(100)
	wire, out := []byte("\x00\x00\x00\x09hello"), make([]byte, 0, 100)
	linemantest.NoAllocations(t, func() {
		_, msg, _ := c.Decode(wire)
		out, _ = c.Append(out[:0], msg)
	})
}

func BenchmarkDecode(b *testing.B) {
	c := frame.Protocol{}.NewCodec(100)
	wire, _ := c.Append(nil, bytes.Repeat([]byte("x"), 64))
	b.SetBytes(int64(len(wire)))
	for range b.N {
		if n, _, err := c.Decode(wire); n != len(wire) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func ExampleProtocol() {
	c := frame.Protocol{}.NewCodec(100)
	wire, _ := c.Append(nil, []byte("hello"))
	fmt.Printf("%q\n", wire)
	// Output: "\x00\x00\x00\thello"
}
