package lineman_test

import (
	"errors"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/text"
)

// brittle is text whose codec panics for one message.
type brittle struct{}

func (brittle) Name() string                     { return "brittle" }
func (brittle) NewCodec(most int) protocol.Codec { return brittleCodec{text.Protocol{}.NewCodec(most)} }

type brittleCodec struct{ protocol.Codec }

func (c brittleCodec) Append(dst, msg []byte) ([]byte, error) {
	if string(msg) == "fault" {
		panic("on purpose")
	}
	return c.Codec.Append(dst, msg)
}

// TestCodecPanics has a codec of the application's panic while it encodes. The connection is not left locked: who
// recovers goes on with it, and in a callback it ends as with any panic there.
func TestCodecPanics(t *testing.T) {
	conns, ends := make(chan *lineman.Conn, 1), make(chan error, 1)
	w := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Protocol: brittle{}, Logger: quiet}
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	w.OnMessage = func(c *lineman.Conn, msg []byte) { _ = c.Send(msg) }
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	s := linemantest.Start(t, w)
	client := s.Connect(w)
	c := next(t, conns, "OnConnect")
	sent := make(chan error, 1)
	go func() {
		func() {
			defer func() { _ = recover() }()
			_ = c.Send([]byte("fault"))
		}()
		sent <- c.Send([]byte("fine"))
	}()
	if err := next(t, sent, "the message after the panic"); err != nil {
		t.Error(err)
	}
	if got := client.Read(5); got != "fine\n" {
		t.Errorf("the client has got %q", got)
	}
	client.Write("fault\n")
	if err := next(t, ends, "OnClose"); !errors.Is(err, lineman.ErrPanic) {
		t.Errorf("OnClose got %v", err)
	}
}
