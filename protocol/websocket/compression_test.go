package websocket_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/websocket"
)

const offer = "permessage-deflate"

// accepted is what a server with these options makes of an offer.
func accepted(t testing.TB, c *websocket.Compression, offer string) websocket.Accepted {
	t.Helper()
	a, err := (&websocket.Protocol{Compression: c}).Check(handshake(set("Sec-WebSocket-Extensions", offer)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// compressing is the protocol after such a handshake, as labelled and, if it is said, of a client.
type compressing struct {
	accepted websocket.Accepted
	client   bool
}

func (compressing) Name() string { return "compressing" }
func (c compressing) NewCodec(limit int) protocol.Codec {
	if c.client {
		return labelledCodec{websocket.NewClientCodec(limit, c.accepted)}
	}
	return labelledCodec{websocket.NewServerCodec(limit, c.accepted)}
}

// server makes a frame as a server sends it. Its first byte is given whole.
func server(first byte, payload string) string {
	frame, _ := plainServer().AppendMessage(nil, websocket.Binary, []byte(payload)) // a binary one has no error
	frame[0] = first
	return string(frame)
}

// deflated is a payload that an independent compressor makes of a message.
func deflated(msg string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(w, msg)
	_ = w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// inflated is the message that an independent decompressor makes of a payload.
func inflated(t testing.TB, payload, history string) string {
	t.Helper()
	msg, err := io.ReadAll(
		flate.NewReaderDict(strings.NewReader(payload+"\x00\x00\xff\xff\x01\x00\x00\xff\xff"), []byte(history)))
	if err != nil {
		t.Fatal(err)
	}
	return string(msg)
}

const (
	rsv1 = 0x40

	// RFC 7692, 7.2.3
	hello      = "\xf2\x48\xcd\xc9\xc9\x07\x00"
	helloAgain = "\xf2\x00\x11\x00\x00"
	storedHi   = "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"
	finalHello = "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"
	twoBlocks  = "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"
)

// deflateVectors are the same for both sides, whose frames differ.
func deflateVectors(frame func(first byte, payload string) string) []linemantest.Vector {
	const (
		violated = code(websocket.ProtocolError)
		invalid  = code(websocket.InvalidPayload)
		tooBig   = code(websocket.TooBig)

		whole = fin | rsv1 | txt
	)
	header := len(frame(whole, "")) // of a short frame
	zeros := strings.Repeat("\x00", 5000)
	return []linemantest.Vector{
		{Name: "7.2.3.1: one block", Wire: frame(whole, hello), Messages: []string{"text:Hello"}},
		{Name: "7.2.3.1: two fragments", Wire: frame(rsv1|txt, hello[:3]) + frame(fin|cont, hello[3:]),
			Messages: []string{"text:Hello"}},
		{Name: "7.2.3.3: a block without compression", Wire: frame(whole, storedHi), Messages: []string{"text:Hello"}},
		{Name: "7.2.3.4: a last block", Wire: frame(whole, finalHello), Messages: []string{"text:Hello"}},
		{Name: "a last block and nothing after it", Wire: frame(whole, finalHello[:7]),
			Messages: []string{"text:Hello"}},
		{Name: "7.2.1: last blocks before others", Wire: frame(whole, finalHello[:7]+finalHello[:7]+hello),
			Messages: []string{"text:HelloHelloHello"}},
		{Name: "7.2.1: what follows a last block refers to it", Wire: frame(whole, finalHello[:7]+helloAgain),
			Messages: []string{"text:HelloHello"}},
		{Name: "7.2.3.5: two blocks", Wire: frame(whole, twoBlocks), Messages: []string{"text:Hello"}},
		{Name: "7.2.3.6: empty", Wire: frame(whole, "\x00"), Messages: []string{"text:"}},
		{Name: "empty fragments", Wire: frame(rsv1|bin, "") + frame(cont, "\x00") + frame(fin|cont, ""),
			Messages: []string{"binary:"}},
		{Name: "binary", Wire: frame(fin|rsv1|bin, deflated("\xff\x00\xff")),
			Messages: []string{"binary:\xff\x00\xff"}},

		{Name: "not compressed", Wire: frame(fin|txt, "Hello") + frame(whole, hello) + frame(fin|txt, "again"),
			Messages: []string{"text:Hello", "text:Hello", "text:again"}},
		{Name: "control frames between",
			Wire: frame(rsv1|txt, hello[:3]) + frame(ping, "p") + frame(cont, hello[3:5]) + frame(pong, "") +
				frame(fin|cont, hello[5:]),
			Messages: []string{"ping:p", "pong:", "text:Hello"}},
		{Name: "a fragmented one, then another that is not compressed",
			Wire: frame(rsv1|txt, hello[:3]) + frame(fin|cont, hello[3:]) + frame(txt, "a\xc3") +
				frame(fin|cont, "\xa9"),
			Messages: []string{"text:Hello", "text:aé"}},

		// RFC 7692, 6.1
		{Name: "reserved bit 1 on a continuation", Wire: frame(rsv1|txt, hello[:3]) + frame(fin|rsv1|cont, hello[3:]),
			Err: violated, ErrAfter: header + 3 + 1},
		{Name: "reserved bit 1 on a ping", Wire: frame(rsv1|ping, ""), Err: violated, ErrAfter: 1},
		{Name: "reserved bit 1 on a close", Wire: frame(rsv1|closing, ""), Err: violated, ErrAfter: 1},
		{Name: "reserved bits 1 and 2", Wire: frame(whole|0x20, hello), Err: violated, ErrAfter: 1},
		{Name: "reserved bit 3", Wire: frame(fin|txt|0x10, "x"), Err: violated, ErrAfter: 1},

		// RFC 7692, 7.2.2
		{Name: "no data at all", Wire: frame(whole, ""), Err: invalid},
		{Name: "an unknown kind of block", Wire: frame(whole, "\x06"), Err: invalid, ErrAfter: header + 1},
		{Name: "cut", Wire: frame(whole, hello[:4]), Err: invalid},
		{Name: "cut in a block without compression", Wire: frame(whole, storedHi[:8]), Err: invalid},
		{Name: "a last block that is cut", Wire: frame(whole, finalHello[:5]), Err: invalid},
		{Name: "bytes after the last block", Wire: frame(whole, finalHello+"\x00"), Err: invalid},
		{Name: "last blocks without end", Wire: frame(fin|rsv1|bin, strings.Repeat("\x03\x00", 17)), Err: invalid},
		{Name: "a distance beyond the beginning", Wire: frame(whole, helloAgain), Err: invalid},
		{Name: "invalid at the end of fragments", Wire: frame(rsv1|bin, hello[:4]) + frame(fin|cont, "\xff\xff"),
			Err: invalid},

		// RFC 6455, 8.1
		{Name: "characters cut by fragments",
			Wire:     frame(rsv1|txt, deflated("aé€😀")[:4]) + frame(fin|cont, deflated("aé€😀")[4:]),
			Messages: []string{"text:aé€😀"}},
		{Name: "not UTF-8", Wire: frame(whole, deflated("a\xff")), Err: invalid},
		{Name: "a cut character", Wire: frame(whole, deflated("a\xe2\x82")), Err: invalid},
		{Name: "each message by itself", Wire: frame(fin|txt, "é") + frame(whole, deflated("\x80")),
			Messages: []string{"text:é"}, Err: invalid},

		// the limit
		{Name: "at the limit", Max: 5000, Wire: frame(fin|rsv1|bin, deflated(zeros)),
			Messages: []string{"binary:" + zeros}},
		{Name: "above the limit", Max: 4999, Wire: frame(fin|rsv1|bin, deflated(zeros)), Err: tooBig},
		{Name: "above a limit of one", Max: 1, Wire: frame(whole, hello), Err: tooBig},
		{Name: "larger than it will be", Max: 5, Wire: frame(whole, strings.Repeat("\x00\x00\x00\xff\xff", 5)+hello),
			Messages: []string{"text:Hello"}},
		{Name: "much larger than it may be", Max: 5, Wire: frame(whole, strings.Repeat("\x00\x00\x00\xff\xff", 15)),
			Err: tooBig, ErrAfter: header},
	}
}

func TestDecodeCompressed(t *testing.T) {
	a := accepted(t, &websocket.Compression{}, offer)
	for name, p := range map[string]struct {
		compressing
		frame func(byte, string) string
	}{
		"server": {compressing{a, false}, client},
		"client": {compressing{a, true}, server},
	} {
		t.Run(name, func(t *testing.T) { linemantest.TestCodec(t, p, deflateVectors(p.frame)...) })
	}
}

// TestHistory has messages refer to earlier ones if that was agreed on, and only to those that came compressed.
func TestHistory(t *testing.T) {
	const whole = fin | rsv1 | txt
	const invalid = code(websocket.InvalidPayload)
	twice := client(whole, hello) + client(whole, helloAgain) // 7.2.3.2
	keeping := &websocket.Compression{ContextTakeover: true}
	linemantest.TestCodec(t, compressing{accepted: accepted(t, keeping, offer)},
		linemantest.Vector{Name: "kept", Wire: twice + client(whole, helloAgain),
			Messages: []string{"text:Hello", "text:Hello", "text:Hello"}},
		linemantest.Vector{Name: "after others",
			Wire:     client(whole, hello) + client(fin|txt, "other") + client(ping, "p") + client(whole, helloAgain),
			Messages: []string{"text:Hello", "text:other", "ping:p", "text:Hello"}},
		linemantest.Vector{Name: "after a last block", Wire: client(whole, finalHello) + client(whole, helloAgain),
			Messages: []string{"text:Hello", "text:Hello"}},
		linemantest.Vector{Name: "after a last block within",
			Wire: client(whole, hello) + client(whole, "\x03\x00"+helloAgain) +
				client(whole, finalHello[:7]+helloAgain),
			Messages: []string{"text:Hello", "text:Hello", "text:HelloHello"}},
		linemantest.Vector{Name: "of nothing", Wire: client(whole, helloAgain), Err: invalid},
		linemantest.Vector{Name: "of one that came uncompressed",
			Wire: client(fin|txt, "Hello") + client(whole, helloAgain), Messages: []string{"text:Hello"}, Err: invalid})
	linemantest.TestCodec(t, compressing{accepted: accepted(t, keeping, offer+"; client_no_context_takeover")},
		linemantest.Vector{Name: "the client does not keep", Wire: twice, Messages: []string{"text:Hello"},
			Err: invalid})
	linemantest.TestCodec(t, compressing{accepted: accepted(t, &websocket.Compression{}, offer)},
		linemantest.Vector{Name: "not kept", Wire: twice, Messages: []string{"text:Hello"}, Err: invalid})
}

// random is bytes that nothing can compress.
func random(n int) []byte {
	b := make([]byte, n+8)
	source := rand.NewPCG(1, uint64(n))
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], source.Uint64())
	}
	return b[:n]
}

// texts is what can be compressed well.
func texts(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"id":%d,"name":"user %d","active":true},`, i*7919, i)
	}
	return b.String()[:n]
}

// TestAppendCompressed reads the frames by hand.
func TestAppendCompressed(t *testing.T) {
	long := texts(70_000)
	incompressible := string(random(1000))
	for _, tt := range []struct {
		name, msg  string
		threshold  int
		op         websocket.Opcode
		compressed bool
	}{
		{"below the threshold", texts(127), 0, websocket.Text, false},
		{"at the threshold", texts(128), 0, websocket.Text, true},
		{"below one's own", texts(999), 1000, websocket.Text, false},
		{"at one's own", texts(1000), 1000, websocket.Text, true},
		{"no threshold", strings.Repeat("ab", 60), -1, websocket.Text, true},
		{"no threshold, and not smaller", "aaaaaaaaaaaa", -1, websocket.Text, false},
		{"empty", "", -1, websocket.Text, false},
		{"long", long, 0, websocket.Text, true},
		{"binary", long, 0, websocket.Binary, true},
		{"incompressible", incompressible, 0, websocket.Binary, false},
		{"65,535 bytes", texts(65_535), 0, websocket.Text, true},
		{"twice what nothing compresses", incompressible + incompressible, 0, websocket.Binary, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := websocket.NewServerCodec(1, accepted(t, &websocket.Compression{Threshold: tt.threshold}, offer))
			got, err := c.AppendMessage([]byte("before"), tt.op, []byte(tt.msg))
			frame, ok := strings.CutPrefix(string(got), "before")
			if err != nil || !ok {
				t.Fatalf("%v, %.20q", err, got)
			}
			plain := server(fin|byte(tt.op), tt.msg)
			if !tt.compressed {
				if frame != plain {
					t.Errorf("got %.20q, want it as it is", frame)
				}
				return
			}
			header := len(server(0, strings.Repeat("x", len(frame)-4))) - len(frame) + 4
			if frame[:header] != server(fin|rsv1|byte(tt.op), frame[header:])[:header] || len(frame) >= len(plain) {
				t.Fatalf("the header is %q, of %d bytes for %d", frame[:header], len(frame), len(plain))
			}
			if msg := inflated(t, frame[header:], ""); msg != tt.msg {
				t.Errorf("got %.20q", msg)
			}
		})
	}
	c := websocket.NewServerCodec(1, accepted(t, &websocket.Compression{Threshold: -1}, offer))
	if got, err := c.Append([]byte("before"), []byte(long+"\xff")); err != websocket.ErrNotUTF8 ||
		string(got) != "before" {
		t.Errorf("not UTF-8: %v, %.20q", err, got)
	}
}

// TestWindow has no distance be larger than the window that was asked for: what repeats from further away is not found.
func TestWindow(t *testing.T) {
	for bits := 8; bits <= 15; bits++ {
		c := websocket.NewServerCodec(1,
			accepted(t, &websocket.Compression{}, fmt.Sprint(offer, "; server_max_window_bits=", bits)))
		window := 1 << bits
		for size, want := range map[int]bool{window / 2: true, window - 1: true, window + 1: false, 2 * window: false} {
			half := random(size)
			msg := append(half, half...)
			got, err := c.AppendMessage(nil, websocket.Binary, msg)
			if compressed := len(got) < len(msg); err != nil || compressed != want {
				t.Errorf("%d bits, %d bytes twice: compressed: %v, %v", bits, size, compressed, err)
			}
		}
	}
}

func TestKind(t *testing.T) {
	plain, keeping := &websocket.Compression{}, &websocket.Compression{ContextTakeover: true}
	for _, tt := range []struct {
		options *websocket.Compression
		offer   string
		want    uint8
	}{
		{nil, offer, 0},
		{plain, "", 0},
		{plain, "x-webkit-deflate-frame", 0},
		{plain, offer, 15},
		{plain, offer + "; server_max_window_bits=15", 15},
		{plain, offer + "; server_max_window_bits=9", 9},
		{keeping, offer, websocket.Unshared},
		{keeping, offer + "; client_no_context_takeover", websocket.Unshared},
		{keeping, offer + "; server_no_context_takeover", 15},
	} {
		a := accepted(t, tt.options, tt.offer)
		if got := websocket.NewServerCodec(1, a).Kind(); got != tt.want {
			t.Errorf("%+v, offered %q: %d, want %d", tt.options, tt.offer, got, tt.want)
		}
		if got := websocket.NewClientCodec(1, a).Kind(); got != websocket.Unshared {
			t.Errorf("a client's is %d", got)
		}
	}
}
