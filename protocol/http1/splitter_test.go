package http1_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/protocol/http1"
)

// split gives a Splitter the wire in segments of these sizes, the last one again and again, and returns the bytes of
// each request and the status that ended it, 0 for none.
func split(wire string, sizes ...int) (requests []string, failed int) {
	s := (&http1.Protocol{}).NewSplitter()
	var data, request []byte
	for i := 0; len(wire) > 0; i++ {
		n := min(sizes[min(i, len(sizes)-1)], len(wire))
		data = append(data, wire[:n]...)
		wire = wire[n:]
		for {
			p, err := s.Next(data)
			var e *http1.Error
			if errors.As(err, &e) {
				return requests, e.Status
			}
			if p.Size == 0 {
				break
			}
			if p.Begins != (len(request) == 0) && !p.Skip {
				panic("a request begins inside another, or not at all")
			}
			if !p.Skip {
				request = append(request, data[:p.Size]...)
			}
			data = data[p.Size:]
			if p.Ends {
				requests = append(requests, string(request))
				request = nil
			}
		}
	}
	return requests, 0
}

// whole is what the Codec, which has whole requests, finds: the bytes of each.
func whole(wire string) (requests []string, failed int) {
	c := (&http1.Protocol{}).NewCodec(10 << 20).(*http1.Codec)
	data := []byte(strings.Clone(wire))
	at := 0
	for {
		n, msg, err := c.Decode(data[at:])
		var e *http1.Error
		if errors.As(err, &e) {
			return requests, e.Status
		}
		if n == 0 {
			return requests, 0
		}
		if msg != nil {
			requests = append(requests, wire[at:at+n])
		}
		at += n
	}
}

// TestSplitter has the Splitter agree with the Codec about where every request of the corpus begins and ends, and about
// what is refused, however the bytes arrive.
func TestSplitter(t *testing.T) {
	wires := append(slices.Clone(smuggling),
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n1\r\n!\r\n0\r\n"+
			"A: b\r\nC: d\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA b\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+strings.Repeat("0", 300),
		"GET / HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("A: b\r\n", 200)+"\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nA: "+strings.Repeat("x", 20_000),
	)
	for _, wire := range wires {
		want, wantFailed := whole(wire)
		for _, sizes := range [][]int{{len(wire)}, {1}, {len(wire) / 2, len(wire)}, {7}} {
			got, failed := split(wire, sizes...)
			if !slices.Equal(got, want) || failed != wantFailed {
				t.Fatalf("%q in pieces of %v:\ngot  %q, %d\nwant %q, %d", wire, sizes, got, failed, want, wantFailed)
			}
		}
	}
}

// TestSplitterLarge lets bodies pass that no buffer holds.
func TestSplitterLarge(t *testing.T) {
	for head, size := range map[string]int{
		"Content-Length: 1000000000\r\n\r\n":                     1 << 20,
		"Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n": 1 << 20,
	} {
		s := (&http1.Protocol{}).NewSplitter()
		data := []byte("POST / HTTP/1.1\r\nHost: x\r\n" + head)
		for len(data) > 0 {
			p, err := s.Next(data)
			if err != nil || p.Size == 0 {
				t.Fatalf("%q: %v, %v", head, p, err)
			}
			data = data[p.Size:]
		}
		for range 100 {
			p, err := s.Next(make([]byte, size))
			if err != nil || p.Size != size || p.Ends {
				t.Fatalf("%q: %v, %v", head, p, err)
			}
		}
	}
}

func FuzzSplitter(f *testing.F) {
	for _, wire := range smuggling[:100] {
		f.Add(wire, uint8(1))
	}
	f.Fuzz(func(t *testing.T, wire string, size uint8) {
		want, failed := split(wire, len(wire)+1)
		if got, gotFailed := split(wire, int(size)+1); !slices.Equal(got, want) || gotFailed != failed {
			t.Errorf("in pieces of %d: %q, %d; at once: %q, %d", size, got, gotFailed, want, failed)
		}
		if len(want) > 0 {
			if codec, _ := whole(wire); len(codec) > 0 && codec[0] != want[0] {
				t.Errorf("the codec sees %q, the splitter %q", codec[0], want[0])
			}
		}
	})
}
