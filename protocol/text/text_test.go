package text_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/text"
)

func TestDecode(t *testing.T) {
	linemantest.TestCodec(t, text.Protocol{},
		linemantest.Vector{Name: "nothing", Wire: ""},
		linemantest.Vector{Name: "a line", Wire: "hello\n", Messages: []string{"hello"}},
		linemantest.Vector{Name: "an unfinished line", Wire: "hello"},
		linemantest.Vector{Name: "empty lines", Wire: "\n\r\n\n", Messages: []string{"", "", ""}},
		linemantest.Vector{Name: "three lines", Wire: "a\nb\nc\n", Messages: []string{"a", "b", "c"}, RoundTrip: true},
		linemantest.Vector{Name: "CRLF", Wire: "a\r\nb\r\n", Messages: []string{"a", "b"}},
		linemantest.Vector{Name: "one CR belongs to the end", Wire: "a\r\r\n", Messages: []string{"a\r"}},
		linemantest.Vector{Name: "a CR inside", Wire: "a\rb\n", Messages: []string{"a\rb"}},
		linemantest.Vector{Name: "any byte", Wire: "\x00\xff\n", Messages: []string{"\x00\xff"}},
		linemantest.Vector{Name: "at the limit", Max: 4, Wire: "1234\n1234\r\n", Messages: []string{"1234", "1234"}},
		linemantest.Vector{Name: "above the limit", Max: 4, Wire: "12345\n12345\r\nok\n",
			Messages: []string{"ok"}, Refused: 2},
		linemantest.Vector{Name: "far above the limit", Max: 4, Wire: strings.Repeat("x", 300) + "\nok\n",
			Messages: []string{"ok"}, Refused: 1},
		linemantest.Vector{Name: "above the limit without an end", Max: 4, Wire: strings.Repeat("x", 300), Refused: 1},
		linemantest.Vector{Name: "above the limit by what is no end", Max: 4, Wire: "1234\rx", Refused: 1},
		linemantest.Vector{Name: "perhaps above the limit", Max: 4, Wire: "1234\r"},
		linemantest.Vector{Name: "no limit", Max: math.MaxInt, Wire: "hello\n", Messages: []string{"hello"}},
		linemantest.Vector{Name: "64 KiB", Wire: strings.Repeat("x", 1<<16) + "\n",
			Messages: []string{strings.Repeat("x", 1<<16)}, RoundTrip: true},
		linemantest.Vector{Name: "HTTP is lines", Wire: "GET / HTTP/1.1\r\n\r\n",
			Messages: []string{"GET / HTTP/1.1", ""}},
	)
}

func TestRefuseHTTP(t *testing.T) {
	var vectors []linemantest.Vector
	for _, method := range []string{
		"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "PRI",
	} {
		vectors = append(vectors, linemantest.Vector{Name: method, Wire: method + " / HTTP/1.1\r\n", Err: text.ErrHTTP})
	}
	linemantest.TestCodec(t, text.Protocol{RefuseHTTP: true}, append(vectors,
		linemantest.Vector{Name: "before a line is complete", Wire: "GET ", Err: text.ErrHTTP},
		linemantest.Vector{Name: "not a method", Wire: "GETTING on\n", Messages: []string{"GETTING on"}},
		linemantest.Vector{Name: "almost", Wire: "GET\n", Messages: []string{"GET"}},
		linemantest.Vector{Name: "lower case", Wire: "get /\n", Messages: []string{"get /"}},
		linemantest.Vector{Name: "not at the beginning", Wire: "x\nGET /\n", Messages: []string{"x", "GET /"}},
		linemantest.Vector{Name: "JSON", Wire: "{}\n", Messages: []string{"{}"}},
		linemantest.Vector{Name: "a limit below a method", Max: 2, Wire: "DELETE / HTTP/1.1\n", Err: text.ErrHTTP,
			ErrAfter: len("DELETE ")},
		linemantest.Vector{Name: "a method from the limit on", Max: 1, Wire: "DELGET /\nx\n",
			Messages: []string{"x"}, Refused: 1},
	)...)
}

// TestWantObject refuses what does not begin with a JSON object, whatever it is, once and with all that follows.
func TestWantObject(t *testing.T) {
	var vectors []linemantest.Vector
	for name, wire := range map[string]string{
		"a word": "h", "a TLS client": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "zeros": "\x00\x00",
		"an unknown method": "BREW /pot HTTP/1.1\r\n", "an empty line": "\n",
		"an empty line by CRLF": "\r\nGET / HTTP/1.1\r\n", "spaces": "  \t \r\n", "an array": "[", "a number": " 7",
		"a byte order mark": "\xef\xbb\xbf{}\n", "not quite an object": "{nonsense}\n", "two objects": "{} {}\n",
		"an open one": "{\n", "what is no UTF-8": "\xff",
	} {
		vectors = append(vectors, linemantest.Vector{Name: name, Wire: wire, Refused: 1},
			linemantest.Vector{Name: name + " and more", Wire: wire + "{}\n{}\n", Refused: 1})
	}
	linemantest.TestCodec(t, text.Protocol{RefuseHTTP: true, WantObject: true}, append(vectors,
		linemantest.Vector{Name: "a method", Wire: "POST / HTTP/1.1\r\n", Err: text.ErrHTTP},
		linemantest.Vector{Name: "objects", Wire: "{}\n{}\r\n", Messages: []string{"{}", "{}"}},
		linemantest.Vector{Name: "later lines are any", Wire: " \t{\"a\":1} \r\nx\n\nGET /\n",
			Messages: []string{" \t{\"a\":1} ", "x", "", "GET /"}},
		linemantest.Vector{Name: "a long object", Max: 4, Wire: "{\"a\":1}\nx\n", Messages: []string{"x"}, Refused: 1},
		linemantest.Vector{Name: "a long word", Max: 4, Wire: "nonsense\nx\n", Refused: 1},
		linemantest.Vector{Name: "long spaces", Max: 4, Wire: "         \nx\n", Refused: 1},
		linemantest.Vector{Name: "at the limit", Max: 4, Wire: "{12}\r\nx\n", Refused: 1},
	)...)
}

// TestRefusedAtOnce has a line refused with the first byte that is too many, and only once, though its end never comes.
func TestRefusedAtOnce(t *testing.T) {
	c := text.Protocol{}.NewCodec(4)
	if n, _, err := c.Decode([]byte("1234")); n != 0 || err != nil {
		t.Fatalf("at the limit: used %d, %v", n, err)
	}
	if n, _, err := c.Decode([]byte("12345")); n != 5 || !errors.Is(err, protocol.ErrTooLarge) {
		t.Errorf("above the limit: used %d, %v", n, err)
	}
	if n, msg, err := c.Decode([]byte("678")); n != 3 || msg != nil || err != nil {
		t.Errorf("the rest of it: used %d, %q, %v", n, msg, err)
	}
}

func FuzzDecode(f *testing.F) {
	linemantest.FuzzCodec(f, text.Protocol{RefuseHTTP: true, WantObject: true}, "{}\nb\n", "\r\n{}\n", "{x}\n",
		"\x16\x03\x01", "a\nb\r\n", "GET / HTTP/1.1\r\n", strings.Repeat("x", 2000)+"\nok\n")
}

func TestAppend(t *testing.T) {
	c := text.Protocol{}.NewCodec(10)
	got, err := c.Append([]byte("before "), []byte("line"))
	if err != nil || string(got) != "before line\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := c.Append(nil, []byte("two\nlines")); !errors.Is(err, text.ErrNewline) {
		t.Errorf("a message with a newline: %v", err)
	}
}

// TestLinear has a line of 1 MiB come byte by byte, and each byte that was looked at turn into a line's end behind the
// codec's back: it would find one if it looked at any byte twice.
func TestLinear(t *testing.T) {
	c := text.Protocol{}.NewCodec(2 << 20)
	wire := []byte(strings.Repeat("x", 1<<20) + "\n")
	for n := 1; n < len(wire); n++ {
		if used, msg, err := c.Decode(wire[:n]); used != 0 || msg != nil || err != nil {
			t.Fatalf("after %d bytes: used %d, %v", n, used, err)
		}
		wire[n-1] = '\n'
	}
	if used, msg, err := c.Decode(wire); used != len(wire) || len(msg) != 1<<20 || err != nil {
		t.Errorf("used %d, %d bytes, %v", used, len(msg), err)
	}
}

func TestAllocations(t *testing.T) {
	c := text.Protocol{}.NewCodec(100)
	wire, out := []byte("a line of some length\n"), make([]byte, 0, 100)
	linemantest.NoAllocations(t, func() {
		_, msg, _ := c.Decode(wire)
		out, _ = c.Append(out[:0], msg)
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := text.Protocol{}.NewCodec(1 << 20)
			wire := []byte(strings.Repeat("x", size-1) + "\n")
			b.SetBytes(int64(size))
			for range b.N {
				if n, _, err := c.Decode(wire); n != size || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func ExampleProtocol() {
	c := text.Protocol{}.NewCodec(100)
	data := []byte("one\r\ntwo\nthr")
	for {
		n, line, err := c.Decode(data)
		if n == 0 || err != nil {
			break
		}
		fmt.Printf("%s\n", line)
		data = data[n:]
	}
	fmt.Printf("%d bytes wait\n", len(data))
	// Output:
	// one
	// two
	// 3 bytes wait
}
