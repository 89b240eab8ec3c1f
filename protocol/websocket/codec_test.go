package websocket_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// labelled is the protocol with the opcode before each message, and the close code for the error.
type labelled struct{}

func (labelled) Name() string { return "labelled" }
func (labelled) NewCodec(limit int) protocol.Codec {
	return labelledCodec{(&websocket.Protocol{}).NewCodec(limit).(*websocket.Codec)}
}

type labelledCodec struct{ *websocket.Codec }

func (c labelledCodec) Decode(data []byte) (int, []byte, error) {
	n, msg, err := c.Codec.Decode(data)
	if msg != nil {
		msg = []byte(c.Opcode().String() + ":" + string(msg))
	}
	var e *websocket.Error
	if errors.As(err, &e) {
		err = code(e.Code)
	}
	return n, msg, err
}

// code is a close code as an error.
type code websocket.Code

func (c code) Error() string { return fmt.Sprint(websocket.Code(c)) }

// plainServer is the codec of a server without compression.
func plainServer() *websocket.Codec { return websocket.NewServerCodec(1<<20, websocket.Accepted{}) }

// client makes a frame as a client sends it. Its first byte is given whole.
func client(first byte, payload string) string {
	b := []byte{first, 0x80}
	switch n := len(payload); {
	case n < 126:
		b[1] |= byte(n)
	case n <= 0xffff:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	mask := [4]byte{0xa1, 0x5c, 0x00, 0xff}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return string(b)
}

const (
	fin     = 0x80
	cont    = byte(websocket.Continuation)
	txt     = byte(websocket.Text)
	bin     = byte(websocket.Binary)
	closing = fin | byte(websocket.Close)
	ping    = fin | byte(websocket.Ping)
	pong    = fin | byte(websocket.Pong)
)

func TestDecode(t *testing.T) {
	const (
		violated = code(websocket.ProtocolError)
		notUTF8  = code(websocket.InvalidPayload)
		tooBig   = code(websocket.TooBig)
	)
	long := strings.Repeat("0123456789", 7000)
	linemantest.TestCodec(t, labelled{},
		// 5.1, 5.2: the header
		linemantest.Vector{Name: "the RFC's masked Hello", Wire: "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
			Messages: []string{"text:Hello"}},
		linemantest.Vector{Name: "text", Wire: client(fin|txt, "hello"), Messages: []string{"text:hello"}},
		linemantest.Vector{Name: "binary", Wire: client(fin|bin, "\xff\x00"), Messages: []string{"binary:\xff\x00"}},
		linemantest.Vector{Name: "empty", Wire: client(fin|txt, "") + client(fin|bin, ""),
			Messages: []string{"text:", "binary:"}},
		linemantest.Vector{Name: "125 bytes", Wire: client(fin|txt, long[:125]),
			Messages: []string{"text:" + long[:125]}},
		linemantest.Vector{Name: "126 bytes", Wire: client(fin|txt, long[:126]),
			Messages: []string{"text:" + long[:126]}},
		linemantest.Vector{Name: "65,535 bytes", Wire: client(fin|bin, long[:65535]),
			Messages: []string{"binary:" + long[:65535]}},
		linemantest.Vector{Name: "65,536 bytes", Wire: client(fin|bin, long[:65536]),
			Messages: []string{"binary:" + long[:65536]}},
		linemantest.Vector{Name: "no mask", Wire: "\x81\x05hello", Err: violated, ErrAfter: 2},
		linemantest.Vector{Name: "no mask, and more behind", Wire: "\x81\x05hello" + client(fin|txt, "hello"),
			Err: violated, ErrAfter: 2},
		linemantest.Vector{Name: "reserved bit 1", Wire: client(0xc1, "x"), Err: violated, ErrAfter: 1},
		linemantest.Vector{Name: "reserved bit 2", Wire: client(0xa1, "x"), Err: violated, ErrAfter: 1},
		linemantest.Vector{Name: "reserved bit 3", Wire: client(0x91, "x"), Err: violated, ErrAfter: 1},
		linemantest.Vector{Name: "125 bytes in two", Wire: "\x82\xfe\x00\x7d\x00\x00\x00\x00",
			Err: violated, ErrAfter: 4},
		linemantest.Vector{Name: "65,535 bytes in eight",
			Wire: "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00", Err: violated, ErrAfter: 10},
		linemantest.Vector{Name: "the highest bit of a length",
			Wire: "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", Err: violated, ErrAfter: 10},
		linemantest.Vector{Name: "2^63-1 bytes", Wire: "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",
			Err: tooBig, ErrAfter: 14},
		linemantest.Vector{Name: "half a header", Wire: "\x81\xfe\x01"},
		linemantest.Vector{Name: "half a payload", Wire: client(fin|txt, "hello")[:8]},

		// 5.4: fragments
		linemantest.Vector{Name: "two fragments", Wire: client(txt, "hel") + client(fin|cont, "lo"),
			Messages: []string{"text:hello"}},
		linemantest.Vector{Name: "many fragments",
			Wire:     client(bin, "a") + client(cont, "") + client(cont, "b") + client(fin|cont, "c"),
			Messages: []string{"binary:abc"}},
		linemantest.Vector{Name: "empty fragments", Wire: client(txt, "") + client(cont, "") + client(fin|cont, ""),
			Messages: []string{"text:"}},
		linemantest.Vector{Name: "fragments, then a whole one",
			Wire:     client(txt, "a") + client(fin|cont, "b") + client(fin|bin, "c"),
			Messages: []string{"text:ab", "binary:c"}},
		linemantest.Vector{Name: "fragments, then fragments",
			Wire:     client(txt, "a") + client(fin|cont, "b") + client(txt, "c") + client(fin|cont, "d"),
			Messages: []string{"text:ab", "text:cd"}},
		linemantest.Vector{Name: "control frames between",
			Wire: client(txt, "a") + client(ping, "p") + client(cont, "b") + client(pong, "q") + client(fin|cont, "c"),
			Messages: []string{
				"ping:p", "pong:q", "text:abc",
			}},
		linemantest.Vector{Name: "a continuation of nothing", Wire: client(fin|cont, "x"), Err: violated, ErrAfter: 6},
		linemantest.Vector{
			Name: "a continuation after the end", Wire: client(txt, "a") + client(fin|cont, "b") + client(cont, "c"),
			Messages: []string{"text:ab"}, Err: violated,
		},
		linemantest.Vector{Name: "text inside a fragmented message", Wire: client(txt, "a") + client(fin|txt, "b"),
			Err: violated, ErrAfter: 7 + 6},
		linemantest.Vector{Name: "binary inside a fragmented message", Wire: client(txt, "a") + client(bin, "b"),
			Err: violated},
		linemantest.Vector{Name: "half a fragmented message", Wire: client(txt, "a") + client(cont, "b")},

		// 5.5: control frames
		linemantest.Vector{Name: "ping", Wire: client(ping, "") + client(ping, long[:125]),
			Messages: []string{"ping:", "ping:" + long[:125]}},
		linemantest.Vector{Name: "pong", Wire: client(pong, "x"), Messages: []string{"pong:x"}},
		linemantest.Vector{Name: "a long ping", Wire: client(ping, long[:126]), Err: violated, ErrAfter: 2},
		linemantest.Vector{Name: "a long close", Wire: client(closing, long[:200]), Err: violated, ErrAfter: 2},
		linemantest.Vector{Name: "a fragmented ping", Wire: client(byte(websocket.Ping), "x"),
			Err: violated, ErrAfter: 1},
		linemantest.Vector{Name: "a fragmented close", Wire: client(byte(websocket.Close), ""),
			Err: violated, ErrAfter: 1},
		linemantest.Vector{Name: "nothing after a close",
			Wire:     client(closing, "\x03\xe8bye") + client(fin|txt, "late") + "garbage",
			Messages: []string{"close:\x03\xe8bye"}},
		linemantest.Vector{Name: "close inside a fragmented message", Wire: client(txt, "a") + client(closing, ""),
			Messages: []string{"close:"}},

		// 8.1: UTF-8
		linemantest.Vector{Name: "every length of character", Wire: client(fin|txt, "aé€😀"),
			Messages: []string{"text:aé€😀"}},
		linemantest.Vector{Name: "characters cut by fragments",
			Wire: client(txt, "a\xc3") + client(cont, "\xa9\xf0\x9f") + client(cont, "\x98") + client(fin|cont, "\x80"),
			Messages: []string{
				"text:aé😀",
			}},
		linemantest.Vector{Name: "a character cut around a ping",
			Wire:     client(txt, "\xe2\x82") + client(ping, "\xff") + client(fin|cont, "\xac"),
			Messages: []string{"ping:\xff", "text:€"}},
		linemantest.Vector{Name: "an invalid byte", Wire: client(fin|txt, "a\xff"), Err: notUTF8},
		linemantest.Vector{Name: "an overlong character", Wire: client(fin|txt, "\xc0\xaf"), Err: notUTF8},
		linemantest.Vector{Name: "a surrogate", Wire: client(fin|txt, "\xed\xa0\x80"), Err: notUTF8},
		linemantest.Vector{Name: "above U+10FFFF", Wire: client(fin|txt, "\xf4\x90\x80\x80"), Err: notUTF8},
		linemantest.Vector{Name: "cut at the end", Wire: client(fin|txt, "a\xe2\x82"), Err: notUTF8, ErrAfter: 6 + 3},
		linemantest.Vector{Name: "cut at the end of fragments", Wire: client(txt, "a\xe2") + client(fin|cont, "\x82"),
			Err: notUTF8},
		linemantest.Vector{Name: "invalid in a later fragment", Wire: client(txt, "a") + client(cont, "\x80"),
			Err: notUTF8, ErrAfter: 7 + 7},
		linemantest.Vector{Name: "binary need not be", Wire: client(bin, "\xff") + client(fin|cont, "\xfe"),
			Messages: []string{"binary:\xff\xfe"}},
		linemantest.Vector{Name: "each message begins anew", Wire: client(fin|bin, "\xe2\x82") + client(fin|txt, "a"),
			Messages: []string{"binary:\xe2\x82", "text:a"}},

		// the limit
		linemantest.Vector{
			Name: "at the limit", Max: 5, Wire: client(fin|txt, "hello") + client(txt, "hel") + client(fin|cont, "lo"),
			Messages: []string{"text:hello", "text:hello"},
		},
		linemantest.Vector{Name: "above the limit", Max: 5, Wire: client(fin|txt, "hello!"), Err: tooBig, ErrAfter: 6},
		linemantest.Vector{Name: "fragments above the limit", Max: 5,
			Wire: client(txt, "hel") + client(fin|cont, "lo!"), Err: tooBig, ErrAfter: 9 + 6},
		linemantest.Vector{Name: "control frames do not count", Max: 5, Wire: client(ping, "0123456789"),
			Messages: []string{"ping:0123456789"}},
	)
}

// TestUnknownOpcodes has the opcodes that are reserved, with FIN and without, end the stream with their first byte
// (5.2).
func TestUnknownOpcodes(t *testing.T) {
	for _, opcode := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		linemantest.TestCodec(t, labelled{},
			linemantest.Vector{Name: fmt.Sprint(opcode, " with FIN"), Wire: client(fin|opcode, "x"),
				Err: code(websocket.ProtocolError), ErrAfter: 1},
			linemantest.Vector{Name: fmt.Sprint(opcode, " without"), Wire: client(opcode, "x"),
				Err: code(websocket.ProtocolError), ErrAfter: 1})
	}
}

// TestWhereItLies has messages that are parts of the data, or of the codec's own memory, not reach beyond themselves.
func TestWhereItLies(t *testing.T) {
	linemantest.TestCodec(t, &websocket.Protocol{},
		linemantest.Vector{Name: "frames in a row",
			Wire:     client(fin|txt, "hello") + client(ping, "") + client(fin|txt, "again"),
			Messages: []string{"hello", "", "again"}},
		linemantest.Vector{Name: "fragments in a row",
			Wire:     client(txt, "hel") + client(fin|cont, "lo") + client(bin, "a") + client(fin|cont, "gain"),
			Messages: []string{"hello", "again"}},
		linemantest.Vector{Name: "a control frame among fragments",
			Wire: client(txt, "hel") + client(ping, "x") + client(fin|cont, "lo"), Messages: []string{"x", "hello"}},
		linemantest.Vector{Name: "above the limit", Max: 5, Wire: client(txt, "hel") + client(fin|cont, "lo!"),
			Err: protocol.ErrTooLarge},
	)
}

// TestEarlyUTF8 feeds byte by byte: the error comes with the first byte that no text can have there, not later.
func TestEarlyUTF8(t *testing.T) {
	for _, tt := range []struct {
		name, valid string // valid is what may still become a text
		bad         string // its first byte decides
	}{
		{"a lone continuation byte", "abc", "\x80def"},
		{"an overlong lead byte", "abc", "\xc1def"},
		{"a byte after a lead byte", "abc\xe2\x82", "def"},
		{"a surrogate's second byte", "abc\xed", "\xa0\x80"},
		{"above U+10FFFF at the second byte", "abc\xf4", "\x90\x80\x80"},
		{"never in UTF-8", "", "\xffabc"},
		{"far inside", strings.Repeat("é€😀", 50), "\xfe"},
	} {
		for split, frames := range map[string]func(payload string) string{
			"one frame": func(payload string) string { return client(fin|txt, payload) },
			"fragments": func(payload string) string {
				half := len(payload) / 2
				return client(txt, payload[:half]) + client(fin|cont, payload[half:])
			},
		} {
			t.Run(tt.name+", "+split, func(t *testing.T) {
				wire := frames(tt.valid + tt.bad + "the rest")
				// where the bad byte lies: there they differ
				good := frames(tt.valid + "\x80" + tt.bad[1:] + "the rest")
				if tt.bad[0] == 0x80 {
					good = frames(tt.valid + "\x81" + tt.bad[1:] + "the rest")
				}
				want := 0
				for wire[want] == good[want] {
					want++
				}
				c := (&websocket.Protocol{}).NewCodec(1 << 20)
				var data []byte
				for i := range len(wire) {
					data = append(data, wire[i])
					n, _, err := c.Decode(data)
					if err != nil {
						if i != want {
							t.Errorf("the error came at byte %d, want %d", i, want)
						}
						return
					}
					data = data[n:]
				}
				t.Error("no error")
			})
		}
	}
}

// TestHugeLength has an announced length of 2^63-1 refused without a byte allocated for it.
func TestHugeLength(t *testing.T) {
	c := (&websocket.Protocol{}).NewCodec(1 << 30)
	wire := []byte("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00")
	_, _, err := c.Decode(wire)
	if !errors.Is(err, protocol.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if n := testing.AllocsPerRun(10, func() { _, _, _ = c.Decode(wire) }); n > 1 { // the error itself
		t.Errorf("%v allocations", n)
	}
}

// TestLinear has the bytes of a long frame changed behind the codec's back once it has looked at them: it must not
// unmask or check any byte twice.
func TestLinear(t *testing.T) {
	const size = 1 << 18
	wire := []byte(client(fin|txt, strings.Repeat("x", size)))
	c := (&websocket.Protocol{}).NewCodec(size)
	for n := range wire {
		if used, _, err := c.Decode(wire[:n]); used != 0 || err != nil {
			t.Fatalf("after %d bytes: used %d, %v", n, used, err)
		}
		if n > 14 {
			wire[n-1] = 0xff
		}
	}
	n, msg, err := c.Decode(wire)
	if n != len(wire) || err != nil || msg[size-1] != 'x' || msg[size/2] != 0xff {
		t.Errorf("used %d, %v", n, err)
	}
}

// roomy leaves room for the label below the limit.
type roomy struct{ labelled }

func (roomy) NewCodec(limit int) protocol.Codec {
	return labelled{}.NewCodec(limit - len("continuation:"))
}

func FuzzDecode(f *testing.F) {
	linemantest.FuzzCodec(f, roomy{},
		client(fin|txt, "hello")+client(ping, "x"), client(txt, "a\xc3")+client(fin|cont, "\xa9"),
		client(closing, "\x03\xe8"),
		"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", client(txt, "a")+client(fin|cont, "\xff"))
}

// FuzzUTF8 compares the check of pieces with that of the whole.
func FuzzUTF8(f *testing.F) {
	for _, s := range []string{"aé€😀", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"} {
		f.Add([]byte(s), uint8(1), uint8(2))
	}
	f.Fuzz(func(t *testing.T, text []byte, first, second uint8) {
		a := min(int(first), len(text))
		b := min(a+int(second), len(text))
		c := (&websocket.Protocol{}).NewCodec(1 << 20)
		data := []byte(client(txt, string(text[:a])) + client(cont, string(text[a:b])) +
			client(fin|cont, string(text[b:])))
		var msg []byte
		var err error
		for n := 0; len(data) > 0 && err == nil && msg == nil; data = data[n:] {
			n, msg, err = c.Decode(data)
		}
		if want := utf8.Valid(text); (err == nil) != want || want && !bytes.Equal(msg, text) {
			t.Errorf("%q: got %q, %v, want valid: %v", text, msg, err, want)
		}
	})
}

func TestAppend(t *testing.T) {
	c := (&websocket.Protocol{}).NewCodec(1)
	for _, tt := range []struct{ msg, header string }{
		{"", "\x81\x00"}, {"Hello", "\x81\x05"}, {strings.Repeat("x", 125), "\x81\x7d"},
		{strings.Repeat("x", 126), "\x81\x7e\x00\x7e"}, {strings.Repeat("x", 65535), "\x81\x7e\xff\xff"},
		{strings.Repeat("x", 65536), "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
	} {
		if got, err := c.Append([]byte("before"), []byte(tt.msg)); err != nil ||
			string(got) != "before"+tt.header+tt.msg {
			t.Errorf("%d bytes: %.20q, %v", len(tt.msg), got, err)
		}
	}
	if _, err := c.Append(nil, []byte("\xff")); !errors.Is(err, websocket.ErrNotUTF8) {
		t.Errorf("not UTF-8: %v", err)
	}
	if got := plainServer().AppendControl(nil, websocket.Pong, bytes.Repeat([]byte("x"), 200)); len(got) != 127 {
		t.Errorf("a control frame of %d bytes, want 127", len(got))
	}
}

func TestAllocations(t *testing.T) {
	c := websocket.NewServerCodec(1000, websocket.Accepted{})
	wire, out := []byte(client(fin|bin, "some bytes")), make([]byte, 0, 100)
	linemantest.NoAllocations(t, func() {
		_, msg, _ := c.Decode(wire)
		out, _ = c.AppendMessage(out[:0], websocket.Binary, msg)
	})
	zero := []byte("\x81\x85\x00\x00\x00\x00hello")
	linemantest.NoAllocations(t, func() {
		_, msg, _ := c.Decode(zero)
		out, _ = c.Append(out[:0], msg)
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := (&websocket.Protocol{}).NewCodec(1 << 20)
			wire := []byte(client(fin|bin, strings.Repeat("x", size)))
			b.SetBytes(int64(size))
			for range b.N {
				if n, _, err := c.Decode(wire); n != len(wire) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}
