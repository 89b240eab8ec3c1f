package lineman_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// maskedPing is a client's ping with a payload of at most 125 bytes, masked with zeros.
func maskedPing(payload string) []byte {
	return append([]byte{0x89, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

// TestPongsUnread has a peer ping and read nothing: what waits for it does not grow, and when it reads, its last ping
// has an answer.
func TestPongsUnread(t *testing.T) {
	linemantest.NoLeaks(t)
	conns := make(chan *lineman.Conn, 1)
	handled := make(chan bool, 1)
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: quiet}
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	w.OnMessage = func(*lineman.Conn, []byte) { handled <- true }
	s := linemantest.Start(t, w)
	client := s.Dial(w)
	c := next(t, conns, "the connection")
	many := bytes.Repeat(maskedPing(strings.Repeat("x", 125)), 8000)
	ping := func(pings []byte) (pending int) {
		client.Write(string(pings))
		client.Send("a message behind them")
		next(t, handled, "the message behind the pings")
		for range 2 { // the tick of the message has ended
			s.Do(w, func(*lineman.Loop) {})
		}
		return c.Pending()
	}
	const most = 68 << 10 // pongs to the pings of one read
	for rounds, unread := 0, 0; unread < 4; rounds++ {
		waits := ping(many)
		switch {
		case waits > most:
			t.Fatalf("%d bytes wait, want at most %d", waits, most)
		case rounds > 100:
			t.Fatal("the kernel takes everything")
		case waits > 0:
			unread++
		default:
			unread = 0 // the kernel has made room
		}
	}
	ping(maskedPing("last"))
	answer := append([]byte{0x8a, 4}, "last"...)
	var tail []byte
	for buf := make([]byte, 64<<10); !bytes.HasSuffix(tail, answer); {
		n, err := client.Conn.Read(buf)
		if err != nil {
			t.Fatalf("the last ping has no answer: %v", err)
		}
		tail = append(tail, buf[:n]...)
		tail = tail[max(0, len(tail)-16):]
	}
	client.Close()
}
