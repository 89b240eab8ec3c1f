package lineman_test

import (
	"sync/atomic"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/text"
)

// counted is text that counts how often a message is encoded.
type counted struct{ encoded *atomic.Int64 }

func (counted) Name() string { return "counted" }

func (c counted) NewCodec(most int) protocol.Codec {
	return countedCodec{text.Protocol{}.NewCodec(most), c.encoded}
}

type countedCodec struct {
	protocol.Codec
	encoded *atomic.Int64
}

func (c countedCodec) Append(dst, msg []byte) ([]byte, error) {
	c.encoded.Add(1)
	return c.Codec.Append(dst, msg)
}

// TestPrepared encodes a message once, though the connections that get it are on three loops.
func TestPrepared(t *testing.T) {
	const loops, each, messages = 3, 4, 5
	var encoded atomic.Int64
	var said lineman.Bus[*lineman.Prepared]
	w := &lineman.Worker{
		Addr: "tcp://127.0.0.1:0", Protocol: counted{&encoded}, Loops: loops,
		PerLoop: func(own *lineman.Worker) {
			own.OnStart = func(l *lineman.Loop) error {
				said.Join(l, func(p *lineman.Prepared) { l.BroadcastPrepared(l.Conns(own), p) })
				return nil
			}
			own.OnMessage = func(c *lineman.Conn, _ []byte) { _ = c.Send([]byte("here")) }
		},
	}
	s := linemantest.Start(t, w)
	var clients []*linemantest.Client
	for range loops * each {
		c := s.Dial(w)
		c.Send("hello")
		if got := c.Receive(); got != "here" {
			t.Fatal(got)
		}
		clients = append(clients, c)
	}
	encoded.Store(0)
	for range messages {
		said.Publish(lineman.Prepare([]byte("for all")))
	}
	for _, c := range clients {
		for range messages {
			if got := c.Receive(); got != "for all" {
				t.Fatalf("it got %q", got)
			}
		}
	}
	if n := encoded.Load(); n != messages {
		t.Errorf("%d messages were encoded %d times", messages, n)
	}
}
