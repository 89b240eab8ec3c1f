package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
)

func TestObjects(t *testing.T) {
	linemantest.TestCodec(t, Objects{},
		linemantest.Vector{Name: "nothing", Wire: ""},
		linemantest.Vector{Name: "empty", Wire: "{}", Messages: []string{"{}"}, RoundTrip: true},
		linemantest.Vector{Name: "two with nothing between", Wire: `{"a":1}{"a":2}`,
			Messages: []string{`{"a":1}`, `{"a":2}`}, RoundTrip: true},
		linemantest.Vector{Name: "nested", Wire: `{"a":{"b":[{}]}}`, Messages: []string{`{"a":{"b":[{}]}}`}},
		linemantest.Vector{Name: "two with space", Wire: " \r\n{\"a\":1}\n\t{} ", Messages: []string{`{"a":1}`, "{}"}},
		linemantest.Vector{Name: "braces in a string", Wire: `{"a":"}{"}`, Messages: []string{`{"a":"}{"}`}},
		linemantest.Vector{Name: "an escaped quote", Wire: `{"a":"\"}"}`, Messages: []string{`{"a":"\"}"}`}},
		linemantest.Vector{Name: "half", Wire: `{"a":`},
		linemantest.Vector{Name: "at the limit", Max: 4, Wire: "{  }", Messages: []string{"{  }"}},
		linemantest.Vector{Name: "above the limit", Max: 4, Wire: "{   }", Err: protocol.ErrTooLarge},
		linemantest.Vector{Name: "no object", Wire: "{}[]", Messages: []string{"{}"}, Err: errNoObject, ErrAfter: 3},
		linemantest.Vector{Name: "no object at all", Wire: "}", Err: errNoObject},
		linemantest.Vector{Name: "an escaped backslash ends the string", Wire: `{"a":"\\"}{}`,
			Messages: []string{`{"a":"\\"}`, "{}"}},
		linemantest.Vector{Name: "space is no part of the limit", Max: 2, Wire: strings.Repeat(" ", 100) + "{}",
			Messages: []string{"{}"}},
	)
}

// TestLinear turns each byte that was looked at into an object's end behind the codec's back: it would find one if it
// looked at any byte twice.
func TestLinear(t *testing.T) {
	const size = 1 << 20
	c := Objects{}.NewCodec(size)
	wire := []byte("{" + strings.Repeat(" ", size-2) + "}")
	for n := 1; n < len(wire); n++ {
		if used, msg, err := c.Decode(wire[:n]); used != 0 || msg != nil || err != nil {
			t.Fatalf("after %d bytes: used %d, %v", n, used, err)
		}
		wire[n-1] = '}'
	}
	if used, msg, err := c.Decode(wire); used != size || len(msg) != size || err != nil {
		t.Errorf("used %d, %d bytes, %v", used, len(msg), err)
	}
}

func TestAllocations(t *testing.T) {
	c := Objects{}.NewCodec(100)
	wire, out := []byte(`{"a":{"b":1}}`), make([]byte, 0, 100)
	linemantest.NoAllocations(t, func() {
		_, msg, _ := c.Decode(wire)
		out, _ = c.Append(out[:0], msg)
	})
}

func BenchmarkDecode(b *testing.B) {
	c := Objects{}.NewCodec(1 << 10)
	wire := []byte(`{"a":"` + strings.Repeat("x", 56) + `"}`)
	b.SetBytes(int64(len(wire)))
	for range b.N {
		if n, _, err := c.Decode(wire); n != len(wire) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func ExampleObjects() {
	c := Objects{}.NewCodec(100)
	data := []byte(`{"a":1} {"a":2} {"a":`)
	for len(data) > 0 {
		n, object, err := c.Decode(data)
		if n == 0 || err != nil {
			break
		}
		if object != nil {
			fmt.Printf("%s\n", object)
		}
		data = data[n:]
	}
	fmt.Printf("%d bytes wait\n", len(data))
	// Output:
	// {"a":1}
	// {"a":2}
	// 5 bytes wait
}

func FuzzObjects(f *testing.F) {
	linemantest.FuzzCodec(f, Objects{}, `{"a":"}\""} {}`, "[]", `{{{{`)
}
