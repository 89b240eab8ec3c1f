package websocket_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestBomb has a message that would be some hundred times as large given up at the limit, before there is memory for
// more.
func TestBomb(t *testing.T) {
	const limit = 16 << 10
	bomb := []byte(deflated(strings.Repeat("\x00", 500*limit)))
	if len(bomb) > limit {
		t.Fatalf("%d bytes are no bomb", len(bomb))
	}
	for name, wire := range map[string]string{
		"whole":      client(fin|rsv1|bin, string(bomb)),
		"fragmented": client(rsv1|bin, string(bomb[:1000])) + client(fin|cont, string(bomb[1000:])),
	} {
		c := websocket.NewServerCodec(limit, accepted(t, &websocket.Compression{}, offer))
		data := []byte(wire)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var err error
		for n := 0; len(data) > 0 && err == nil; data = data[n:] {
			n, _, err = c.Decode(data)
		}
		runtime.ReadMemStats(&after)
		if err == nil || err.Error() != (&websocket.Error{Code: websocket.TooBig, Err: protocol.ErrTooLarge}).Error() {
			t.Errorf("%s: %v", name, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 16*limit {
			t.Errorf("%s: took %d bytes, the limit is %d", name, took, limit)
		}
	}
}

// TestClientWindow has a client use no larger a window than its server has asked for.
func TestClientWindow(t *testing.T) {
	h := &websocket.Handshake{Host: "a", Compression: &websocket.Compression{}}
	_, accept := asked(t, h)
	_, a, err := h.Decode(
		[]byte(answer(accept, "Sec-WebSocket-Extensions",
			offer+"; server_no_context_takeover; client_max_window_bits=9")))
	if err != nil {
		t.Fatal(err)
	}
	c := websocket.NewClientCodec(1, a)
	for size, want := range map[int]bool{500: true, 600: false} {
		msg := append(random(size), random(size)...)
		got, err := c.AppendMessage(nil, websocket.Binary, msg)
		if compressed := len(got) < len(msg); err != nil || compressed != want {
			t.Errorf("%d bytes twice: compressed: %v, %v", size, compressed, err)
		}
	}
}

// TestLoan has an inflated message stay as it is until the next Decode, whatever other connections receive.
func TestLoan(t *testing.T) {
	a := accepted(t, &websocket.Compression{}, offer)
	one, other := websocket.NewServerCodec(1<<20, a), websocket.NewServerCodec(1<<20, a)
	_, msg, err := one.Decode([]byte(client(fin|rsv1|txt, hello)))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.Decode([]byte(client(fin|rsv1|bin, deflated(strings.Repeat("x", 5000))))); err != nil {
		t.Fatal(err)
	}
	if string(msg) != "Hello" {
		t.Errorf("the message has become %q", msg)
	}
	one.Release()
	one.Release() // does nothing
}

// roomyCompressing leaves room for the label below the limit.
type roomyCompressing struct{ compressing }

func (r roomyCompressing) NewCodec(limit int) protocol.Codec {
	return r.compressing.NewCodec(limit - len("continuation:"))
}

func fuzzCompressed(f *testing.F, options *websocket.Compression) {
	const whole = fin | rsv1 | txt
	linemantest.FuzzCodec(f, roomyCompressing{compressing{accepted: accepted(f, options, offer)}},
		client(whole, hello)+client(ping, "x")+client(whole, helloAgain),
		client(rsv1|txt, twoBlocks[:4])+client(fin|cont, twoBlocks[4:]),
		client(whole, finalHello)+client(whole, storedHi), client(whole, finalHello[:7]+finalHello),
		client(whole, strings.Repeat("\x03\x00", 20)),
		client(fin|rsv1|bin, deflated(strings.Repeat("\x00", 2000))), client(whole, "")+client(fin|rsv1|cont, ""))
}

func FuzzDecodeCompressed(f *testing.F) { fuzzCompressed(f, &websocket.Compression{}) }
func FuzzHistory(f *testing.F)          { fuzzCompressed(f, &websocket.Compression{ContextTakeover: true}) }

// FuzzCompress has whatever is sent come back, from client to server and the other way, with windows of every size.
func FuzzCompress(f *testing.F) {
	f.Add([]byte("hello hello hello hello"), uint8(15), false)
	f.Add([]byte(texts(1000)), uint8(9), true)
	f.Fuzz(func(t *testing.T, msg []byte, bits uint8, keeping bool) {
		options := &websocket.Compression{Threshold: -1, ContextTakeover: keeping}
		a := accepted(t, options, fmt.Sprint(offer, "; server_max_window_bits=", 8+bits%8))
		server, peer := websocket.NewServerCodec(1<<20, a), websocket.NewClientCodec(1<<20, a)
		for range 3 {
			wire, err := server.AppendMessage(nil, websocket.Binary, msg)
			if err != nil {
				t.Fatal(err)
			}
			n, got, err := peer.Decode(wire)
			if n != len(wire) || err != nil || !bytes.Equal(got, msg) {
				t.Errorf("%d of %d bytes, %v: %q for %q", n, len(wire), err, got, msg)
			}
		}
	})
}

// TestCompressedAllocations has a compressed message in and out cost no memory of the heap, once there are compressors.
func TestCompressedAllocations(t *testing.T) {
	for _, keeping := range []bool{false, true} {
		c := websocket.NewServerCodec(1<<20, accepted(t, &websocket.Compression{ContextTakeover: keeping}, offer))
		frame := []byte(client(fin|rsv1|txt, deflated(texts(2000))))
		wire, out := make([]byte, len(frame)), make([]byte, 0, 4000)
		linemantest.NoAllocations(t, func() {
			copy(wire, frame)
			_, msg, err := c.Decode(wire)
			if err != nil {
				t.Fatal(err)
			}
			if out, err = c.Append(out[:0], msg); err != nil || len(out) > 1000 {
				t.Fatal(len(out), err)
			}
			c.Release()
		})
	}
}

func BenchmarkAppendCompressed(b *testing.B) {
	for _, size := range []int{200, 1 << 10, 16 << 10} {
		for _, keeping := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/keeping=%v", size, keeping), func(b *testing.B) {
				c := websocket.NewServerCodec(1, accepted(b, &websocket.Compression{ContextTakeover: keeping}, offer))
				msg, out := []byte(texts(size)), make([]byte, 0, 2*size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for range b.N {
					out, _ = c.Append(out[:0], msg)
				}
				b.ReportMetric(float64(len(out)), "wire-bytes")
			})
		}
	}
}

func BenchmarkDecodeCompressed(b *testing.B) {
	for _, size := range []int{200, 1 << 10, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := websocket.NewServerCodec(1<<20, accepted(b, &websocket.Compression{}, offer))
			frame := []byte(client(fin|rsv1|txt, deflated(texts(size))))
			wire := make([]byte, len(frame))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for range b.N {
				copy(wire, frame) // it is unmasked in place
				if _, msg, err := c.Decode(wire); len(msg) != size || err != nil {
					b.Fatal(len(msg), err)
				}
			}
		})
	}
}
