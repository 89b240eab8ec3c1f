package lineman_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
)

// packets is a protocol of packets with an opcode, flags, and a length of one byte.
type packets struct{ at protocol.Type }

func (*packets) Name() string                { return "packets" }
func (*packets) NewCodec(int) protocol.Codec { return &packets{} }

func (p *packets) Decode(data []byte) (int, []byte, error) {
	if len(data) < 3 || len(data) < 3+int(data[2]) {
		return 0, nil, nil
	}
	p.at = protocol.Type{Kind: uint16(data[0]), Flags: uint16(data[1])}
	n := 3 + int(data[2])
	return n, data[3:n:n], nil
}

func (p *packets) Append(dst, msg []byte) ([]byte, error) {
	return p.AppendTyped(dst, msg, protocol.Type{Kind: 1})
}

func (p *packets) Type() protocol.Type { return p.at }

var errKind = errors.New("packets: no such kind")

func (*packets) AppendTyped(dst, msg []byte, t protocol.Type) ([]byte, error) {
	if t.Kind > 9 {
		return dst, errKind
	}
	dst = append(dst, byte(t.Kind), byte(t.Flags), byte(len(msg)))
	return append(dst, msg...), nil
}

// TestTyped has each message told with its type, and sent with one.
func TestTyped(t *testing.T) {
	var told []string
	w := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Protocol: &packets{}, Logger: quiet}
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		at := c.MessageType()
		told = append(told, fmt.Sprintf("%d/%d %s", at.Kind, at.Flags, msg))
		err := c.SendTyped(msg, protocol.Type{Kind: at.Kind + 1, Flags: at.Flags})
		if at.Kind == 9 != errors.Is(err, errKind) {
			t.Errorf("an answer of kind %d: %v", at.Kind+1, err)
		}
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("\x03\x80\x02hi\x09\x00\x01x\x05\x01\x00")
	c.Read(len("\x04\x80\x02hi\x06\x01\x00"))
	s.Do(w, func(*lineman.Loop) {
		if want := []string{"3/128 hi", "9/0 x", "5/1 "}; fmt.Sprint(told) != fmt.Sprint(want) {
			t.Errorf("it is told %q, want %q", told, want)
		}
	})
}

// TestUntyped has no types where the protocol has none.
func TestUntyped(t *testing.T) {
	for _, addr := range []string{"text://127.0.0.1:0", "tcp://127.0.0.1:0"} {
		w := &lineman.Worker{Addr: addr, Logger: quiet}
		w.OnMessage = func(c *lineman.Conn, msg []byte) {
			if err := c.SendTyped(msg, protocol.Type{Kind: 1}); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %v", addr, err)
			}
			if got := c.MessageType(); got != (protocol.Type{}) {
				t.Errorf("%s: a message of type %v", addr, got)
			}
			_ = c.Send([]byte("ok"))
		}
		s := linemantest.Start(t, w)
		c := s.Connect(w)
		c.Write("a\n")
		c.Read(2)
	}
}
