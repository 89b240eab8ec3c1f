package lineman_test

import (
	"net"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestStatsBytes counts what is read and written as it happens, not when the connection ends; and what is sent by
// datagrams.
func TestStatsBytes(t *testing.T) {
	echo := func(c *lineman.Conn, msg []byte) { _ = c.Send(msg) }
	counts := func(s *linemantest.Server, w *lineman.Worker) (in, out uint64) {
		s.Do(w, func(l *lineman.Loop) { in, out = l.Stats().BytesIn, l.Stats().BytesOut })
		return in, out
	}
	lines := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	lines.OnMessage = echo
	s := linemantest.Start(t, lines)
	c := s.Dial(lines)
	for n := uint64(1); n <= 3; n++ {
		c.Send("1234567")
		c.Receive()
		if in, out := counts(s, lines); in != 8*n || out != 8*n {
			t.Errorf("after %d lines of 8 bytes: %d in, %d out", n, in, out)
		}
	}

	packets := &lineman.Worker{Addr: "udp://127.0.0.1:0"}
	packets.OnMessage = echo
	s = linemantest.Start(t, packets)
	p, err := net.Dial("udp", s.Addr(packets).String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_ = p.SetDeadline(time.Now().Add(patience))
	b := make([]byte, 16)
	if _, err := p.Write([]byte("12345")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(b); err != nil {
		t.Fatal(err)
	}
	if in, out := counts(s, packets); in != 5 || out != 5 {
		t.Errorf("a datagram of 5 bytes: %d in, %d out", in, out)
	}
}

// TestStatsMessages counts each message that a connection accepts when it does, sent or broadcast, and no other.
func TestStatsMessages(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, msg []byte) { _ = c.Send(msg) }
	s := linemantest.Start(t, w)
	counts := func() (in, out uint64) {
		s.Do(w, func(l *lineman.Loop) { in, out = l.Stats().MessagesIn, l.Stats().MessagesOut })
		return in, out
	}
	first, second := s.Dial(w), s.Dial(w)
	for _, c := range []*linemantest.Client{first, second} {
		c.Send("hello")
		c.Receive()
	}
	if in, out := counts(); in != 2 || out != 2 {
		t.Errorf("%d came and %d were sent, want 2 and 2", in, out)
	}
	s.Do(w, func(l *lineman.Loop) { l.Broadcast(l.Conns(w), []byte("all")) })
	if _, out := counts(); out != 4 {
		t.Errorf("%d were sent with the broadcast, want 4", out)
	}
	second.Close()
	linemantest.Until(t, "the connection is still there", func() (gone bool) {
		s.Do(w, func(l *lineman.Loop) { gone = l.Stats().Conns == 1 })
		return gone
	})
	s.Do(w, func(l *lineman.Loop) { l.Broadcast(l.Conns(w), []byte("all")) })
	if _, out := counts(); out != 5 {
		t.Errorf("%d were sent with that to one, want 5", out)
	}
}
