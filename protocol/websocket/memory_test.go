package websocket

import (
	"errors"
	"strings"
	"testing"
	"unsafe"

	"github.com/lineman-go/lineman/protocol"
)

// TestSize holds what an idle connection pays for its codec.
func TestSize(t *testing.T) {
	if size := unsafe.Sizeof(Codec{}); size > 24 {
		t.Errorf("a codec takes %d bytes, want 24 at most", size)
	}
}

// TestFragmentsGo has nothing of a fragmented message stay with its connection.
func TestFragmentsGo(t *testing.T) {
	c := &Codec{max: 100}
	if n, msg, err := c.Decode([]byte("\x01\x82\x00\x00\x00\x00he")); n != 8 || msg != nil || err != nil || c.Idle() {
		t.Fatalf("used %d, %q, %v, idle: %v", n, msg, err, c.Idle())
	}
	if _, msg, err := c.Decode([]byte("\x80\x83\x00\x00\x00\x00llo")); string(msg) != "hello" || err != nil {
		t.Fatalf("got %q, %v", msg, err)
	}
	c.Release()
	if !c.Idle() || c.partial != nil {
		t.Error("fragments stay after the message")
	}
}

// TestLimitLowered has the limit of a message that is half received count what has come.
func TestLimitLowered(t *testing.T) {
	c := NewServerCodec(1000, Accepted{})
	first := []byte("\x02\xfe\x01\xf4\x00\x00\x00\x00" + strings.Repeat("x", 500))
	if n, msg, err := c.Decode(first); n != len(first) || msg != nil || err != nil {
		t.Fatalf("used %d, %q, %v", n, msg, err)
	}
	c.Limit(100)
	if _, _, err := c.Decode([]byte("\x80\x84\x00\x00\x00\x00more")); !errors.Is(err, protocol.ErrTooLarge) {
		t.Errorf("504 bytes with a limit of 100: %v", err)
	}
}

// TestCompressionGoes has nothing of a message stay with a connection whose messages stand alone.
func TestCompressionGoes(t *testing.T) {
	c := NewServerCodec(1<<20, Accepted{deflate: agreement{bits: maxBits}})
	if _, msg, err := c.Decode([]byte("\xc1\x87\x00\x00\x00\x00\xf2\x48\xcd\xc9\xc9\x07\x00")); string(
		msg) != "Hello" || err != nil {
		t.Fatalf("got %q, %v", msg, err)
	}
	if _, err := c.Append(nil, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	c.Release()
	if d := c.deflate(); d.loan != nil || d.sent != nil || d.received != nil {
		t.Errorf("%+v stays", d)
	}
}
