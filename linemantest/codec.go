package linemantest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/lineman-go/lineman/protocol"
)

// A Vector is bytes as they come from a peer, and what a codec must make of them.
type Vector struct {
	Name     string
	Wire     string
	Max      int      // the largest message, as in Limits.MaxMessage; 0 means 1 MiB
	Messages []string // in order
	Refused  int      // how many messages are refused with the stream still in step
	Err      error    // matches what ends the stream, in the sense of errors.Is; nil means that nothing does
}

// TestCodec feeds each vector to fresh codecs of p: whole, byte by byte, and cut in two at every point (of a wire above
// some hundreds of bytes at that many, and in some thousands of pieces). Each time there must be the same messages, refusals and end. It does so as a loop does: data
// grows from the same byte until Decode advances, and what is left moves in memory.
func TestCodec(t *testing.T, p protocol.Protocol, vectors ...Vector) {
	t.Helper()
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			for _, cuts := range waysToCut(len(v.Wire)) {
				if got := feed(newCodec(p, v.Max), v.Wire, cuts); !got.is(v) {
					t.Fatalf("%s: got %s", describe(cuts), got)
				}
			}
		})
	}
}

// FuzzCodec is the body of a fuzz target: it checks that whatever comes, however it is cut, gives the same messages,
// refusals and end, and that nothing above the limit of 1 KiB is delivered.
func FuzzCodec(f *testing.F, p protocol.Protocol, seeds ...string) {
	const limit = 1 << 10
	for _, s := range seeds {
		f.Add([]byte(s), uint16(1), uint16(3))
	}
	f.Fuzz(func(t *testing.T, wire []byte, first, every uint16) {
		whole := feed(newCodec(p, limit), string(wire), nil)
		cuts := []int{}
		for at := int(first); at < len(wire); at += int(every%64) + 1 {
			cuts = append(cuts, at)
		}
		if parts := feed(newCodec(p, limit), string(wire), cuts); !parts.same(whole) {
			t.Errorf("whole: %s\n%s: %s", whole, describe(cuts), parts)
		}
		for _, msg := range whole.messages {
			if len(msg) > limit {
				t.Errorf("a message of %d bytes, the limit is %d", len(msg), limit)
			}
		}
	})
}

func newCodec(p protocol.Protocol, limit int) protocol.Codec {
	if limit == 0 {
		limit = 1 << 20
	}
	return p.NewCodec(limit)
}

// waysToCut are lists of points at which n bytes are cut.
func waysToCut(n int) [][]int {
	var bytewise []int
	for at := 1; at < n; at += 1 + n/4096 {
		bytewise = append(bytewise, at)
	}
	ways := [][]int{nil, bytewise}
	for at := 1; at < n; at += 1 + n/300 {
		ways = append(ways, []int{at})
	}
	return ways
}

func describe(cuts []int) string {
	switch len(cuts) {
	case 0:
		return "whole"
	case 1:
		return fmt.Sprintf("cut at %d", cuts[0])
	}
	return fmt.Sprintf("cut at %d and %d points more", cuts[0], len(cuts)-1)
}

// outcome is what a codec made of bytes.
type outcome struct {
	messages []string
	refused  []string
	err      error
}

func (o outcome) is(v Vector) bool {
	return slices.Equal(o.messages, v.Messages) && len(o.refused) == v.Refused && (o.err == nil) == (v.Err == nil) && errors.Is(o.err, v.Err)
}

func (o outcome) same(p outcome) bool {
	return slices.Equal(o.messages, p.messages) && slices.Equal(o.refused, p.refused) && fmt.Sprint(o.err) == fmt.Sprint(p.err)
}

func (o outcome) String() string {
	return fmt.Sprintf("messages %.200q, refused %.200q, end: %v", o.messages, o.refused, o.err)
}

// feed gives a codec the wire in pieces.
func feed(c protocol.Codec, wire string, cuts []int) (o outcome) {
	var data []byte
	start := 0
	for _, end := range append(slices.Clone(cuts), len(wire)) {
		// A fresh copy each time: what a codec keeps of the former memory shows.
		data = append(slices.Clip(slices.Clone(data)), wire[start:end]...)
		start = end
		for len(data) > 0 {
			n, msg, err := c.Decode(data)
			if n < 0 || n > len(data) {
				o.err = fmt.Errorf("linemantest: Decode used up %d of %d bytes", n, len(data))
				return o
			}
			if n == 0 && err != nil {
				o.err = err
				return o
			}
			if n == 0 {
				if msg != nil {
					o.err = errors.New("linemantest: Decode gave a message without using up a byte")
					return o
				}
				break
			}
			if err != nil {
				o.refused = append(o.refused, err.Error())
			} else if msg != nil {
				o.messages = append(o.messages, string(msg))
			}
			data = data[n:]
		}
	}
	return o
}
