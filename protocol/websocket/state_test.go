package websocket_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestState has the states of released versions: rows are added, and none is changed.
func TestState(t *testing.T) {
	linemantest.TestState(t, labelled{},
		linemantest.StateVector{Name: "nothing yet", After: client(fin|txt, "a"), Messages: []string{"text:a"}},
		linemantest.StateVector{Name: "half a header", Before: "\x81\xfe\x00", After: client(fin|txt, texts(130))[3:],
			Messages: []string{"text:" + texts(130)}},
		linemantest.StateVector{Name: "half a payload", Before: client(fin|txt, "hello")[:8], State: "\x07\x01\x02",
			After: client(fin|txt, "hello")[8:], Messages: []string{"text:hello"}},
		linemantest.StateVector{Name: "half a character", Before: client(fin|txt, "a€")[:9],
			State: "\x07\x03\x03\xe2\x82", After: client(fin|txt, "a€")[9:], Messages: []string{"text:a€"}},
		linemantest.StateVector{Name: "fragments", Before: client(bin, "ab"), State: "\x06\x03\x02ab",
			After: client(ping, "p") + client(fin|cont, "c"), Messages: []string{"ping:p", "binary:abc"}},
		linemantest.StateVector{Name: "fragments that cut a character", Before: client(txt, "a\xe2\x82"),
			State: "\x06\x04\x01a\xe2\x82\x07\x03\x00\xe2\x82", After: client(fin|cont, "\xac"),
			Messages: []string{"text:a€"}},
		linemantest.StateVector{Name: "no fragment yet", Before: client(txt, ""), State: "\x06\x01\x01",
			After: client(fin|cont, "a"), Messages: []string{"text:a"}},
		linemantest.StateVector{Name: "parted", Before: client(closing, "\x03\xe8"), State: "\x01\x01\x02",
			After: client(fin|txt, "a")})
	linemantest.TestState(t, compressing{accepted: websocket.Accepted{Subprotocol: "chat"}, client: true},
		linemantest.StateVector{Name: "a client with a subprotocol", State: "\x01\x01\x01\x02\x04chat",
			After: server(fin|txt, "a"), Messages: []string{"text:a"}})
	linemantest.TestState(t, compressing{accepted: accepted(t, &websocket.Compression{Threshold: 300}, offer)},
		linemantest.StateVector{Name: "compression", State: "\x03\x04\x0f\x00\xac\x02",
			After: client(fin|rsv1|txt, hello), Messages: []string{"text:Hello"}},
		linemantest.StateVector{Name: "compressed fragments", Before: client(rsv1|txt, hello[:3]),
			State: "\x03\x04\x0f\x00\xac\x02\x06\x04\x41" + hello[:3], After: client(fin|cont, hello[3:]),
			Messages: []string{"text:Hello"}})
	keeping := &websocket.Compression{ContextTakeover: true}
	linemantest.TestState(t, compressing{accepted: accepted(t, keeping, offer+"; server_max_window_bits=9")},
		linemantest.StateVector{Name: "what came before", Before: client(fin|rsv1|txt, hello),
			State: "\x03\x04\x09\x03\x80\x01\x05\x05Hello", After: client(fin|rsv1|txt, helloAgain),
			Messages: []string{"text:Hello"}})
}

func TestStateRefused(t *testing.T) {
	const deflate, keeping = "\x03\x03\x0f\x00\x00", "\x03\x03\x09\x03\x00"
	for name, state := range map[string]string{
		"an unknown field": "\x08\x01\x00", "an empty field": "\x01\x00", "half a field": "\x02\x02a",
		"a length without an end": "\x02\x80", "a number without an end": "\x80",
		"a field twice": "\x01\x01\x01\x01\x01\x01", "fields out of order": "\x02\x01a\x01\x01\x01",
		"an unknown flag": "\x01\x01\x04", "two bytes of flags": "\x01\x02\x01\x00",
		"a subprotocol that is no token": "\x02\x03a b", "a window of 7 bits": "\x03\x03\x07\x00\x00",
		"a window of 16 bits": "\x03\x03\x10\x00\x00", "an unknown flag of deflate": "\x03\x03\x0f\x04\x00",
		"no threshold": "\x03\x02\x0f\x00", "more behind it": "\x03\x04\x0f\x00\x00\x00",
		"a huge threshold":  "\x03\x0c\x0f\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"a history of none": "\x04\x01a", "one that is not kept": deflate + "\x04\x01a",
		"one that is not received": deflate + "\x05\x01a", "a ping that is fragmented": "\x06\x02\x09a",
		"compressed fragments without compression": "\x06\x02\x41a", "half a number": "\x07\x01\x80",
		"four bytes of a character": "\x07\x05\x00\xf0\x90\x80\x80", "a length above int": "\x07\x0a" +
			"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"a longer history than the window": keeping + "\x04\x81\x04" + strings.Repeat("a", 513),
		"a longer history than any":        keeping + "\x05\x81\x80\x02" + strings.Repeat("a", 32<<10+1),
	} {
		if err := plainServer().RestoreState([]byte(state)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	c := websocket.NewServerCodec(3, websocket.Accepted{})
	if err := c.RestoreState([]byte("\x06\x05\x02abcd")); !errors.Is(err, protocol.ErrTooLarge) {
		t.Errorf("half a message above the limit: %v", err)
	}
	if c.Idle() != true {
		t.Error("a state that was refused is kept")
	}
}

// TestStateWithoutInput has a codec whose input was lost end, and not read what is not there.
func TestStateWithoutInput(t *testing.T) {
	c := plainServer()
	if err := c.RestoreState([]byte("\x07\x01\x09")); err != nil {
		t.Fatal(err)
	}
	if n, msg, err := c.Decode([]byte(client(fin|txt, "hello"))); n != 0 || msg != nil || err == nil {
		t.Errorf("%d, %q, %v", n, msg, err)
	}
}

// TestStateSize has an idle connection cost a few bytes at most.
func TestStateSize(t *testing.T) {
	for name, tt := range map[string]struct {
		codec *websocket.Codec
		most  int
	}{
		"nothing agreed on": {plainServer(), 0},
		"a subprotocol":     {websocket.NewServerCodec(9, websocket.Accepted{Subprotocol: "lineman.v1"}), 12},
		"compression": {websocket.NewServerCodec(9, accepted(t, &websocket.Compression{ContextTakeover: true}, offer)),
			6},
	} {
		if n := len(tt.codec.AppendState(nil)); n > tt.most {
			t.Errorf("%s: %d bytes, want %d at the most", name, n, tt.most)
		}
	}
}

// remade is a codec that goes on for another one.
func remade(t *testing.T, c *websocket.Codec) *websocket.Codec {
	t.Helper()
	to := plainServer()
	if err := to.RestoreState(c.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestHistoryMoves has a side of a conversation whose messages refer to earlier ones go on in new codecs, after each
// message and each byte. Go's own compressor and decompressor say what is right.
func TestHistoryMoves(t *testing.T) {
	keeping := &websocket.Compression{Threshold: -1, ContextTakeover: true}
	a := accepted(t, keeping, offer)
	c, stays := websocket.NewServerCodec(1<<20, a), websocket.NewServerCodec(1<<20, a)
	var sent, received bytes.Buffer
	peer, err := flate.NewWriter(&received, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		msg := fmt.Sprintf("%d: %s", i, texts(100+50*i))

		// What this side sends refers to what it sent before.
		c = remade(t, c)
		wire, err := c.Append(nil, []byte(msg))
		if err != nil {
			t.Fatal(err)
		}
		if same, _ := stays.Append(nil, []byte(msg)); !bytes.Equal(wire, same) {
			t.Errorf("message %d: %d bytes, and %d of a codec that stays", i, len(wire), len(same))
		}
		payload := wire[len(server(0, strings.Repeat("x", len(wire)-4)))-len(wire)+4:]
		if got := inflated(t, string(payload), sent.String()); got != msg {
			t.Fatalf("message %d: sent %.80q, want %.80q", i, got, msg)
		}
		sent.WriteString(msg)

		// And so does what its peer sends.
		received.Reset()
		_, _ = io.WriteString(peer, msg)
		_ = peer.Flush()
		frame := []byte(client(fin|rsv1|txt, strings.TrimSuffix(received.String(), "\x00\x00\xff\xff")))
		for end := 1; end <= len(frame); end++ {
			c = remade(t, c)
			n, got, err := c.Decode(frame[:end])
			if err != nil || n != 0 && string(got) != msg || (n == 0) != (end < len(frame)) {
				t.Fatalf("message %d, %d bytes: received %d, %.80q, %v", i, end, n, got, err)
			}
		}
	}
}

func FuzzState(f *testing.F) {
	linemantest.FuzzState(f, roomy{}, client(txt, "a\xc3")+client(ping, "x")+client(fin|cont, "\xa9"),
		client(fin|txt, "hello")+client(closing, "\x03\xe8"))
}

func FuzzStateCompressed(f *testing.F) {
	a := accepted(f, &websocket.Compression{ContextTakeover: true}, offer)
	linemantest.FuzzState(f, roomyCompressing{compressing{accepted: a}},
		client(fin|rsv1|txt, hello)+client(rsv1|txt, helloAgain[:2])+client(fin|cont, helloAgain[2:]))
}
