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
