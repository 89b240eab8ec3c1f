package lineman_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestLargeAllocations has an echo of a large message allocate nothing.
func TestLargeAllocations(t *testing.T) {
	if portable() || linemantest.Raced() {
		t.Skip("over package net a read may allocate, and the race detector has pools drop what they are given")
	}
	for _, scheme := range []string{"frame", "websocket"} {
		for _, n := range largeEchoes {
			t.Run(fmt.Sprint(scheme, n), func(t *testing.T) {
				x := newLargeEcho(t, scheme, n)
				for range 10 {
					x.exchange(t)
				}
				if n := allocations(50, 0, func() { x.exchange(t) }); n != 0 {
					t.Errorf("%v allocations an echo, want none", n)
				}
			})
		}
	}
}

// TestLargeLeaves has a connection that has sent a large message be told goodbye as others are: the read that finds
// nothing leaves no memory with it, which would look like the beginning of another message.
func TestLargeLeaves(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	s, now, ended := startLeaver(t, w)
	c := s.Dial(w)
	for range 2 { // the memory of the first is free for the next
		c.Send(largeText(1_000_000))
		c.Receive()
	}
	s.Do(w, func(l *lineman.Loop) { l.Leave(websocket.Restart, 1000*second, false) })
	now.jump(s, w, 2*second)
	told(t, c, websocket.Restart)
	c.Close()
	ended()
}

var largeEchoes = []int{64 << 10, 256 << 10, 1_000_000, 2_000_000} // the last comes by several reads

func BenchmarkLargeEcho(b *testing.B) {
	for _, n := range largeEchoes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x := newLargeEcho(b, "websocket", n)
			x.exchange(b)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				x.exchange(b)
			}
		})
	}
}

// largeEcho is a stepped loop, and a client on a goroutine of its own: neither could take a large message at once.
type largeEcho struct {
	loop   *lineman.Loop
	begin  chan bool
	echoed chan error
}

func newLargeEcho(tb testing.TB, scheme string, n int) *largeEcho {
	w := &lineman.Worker{Addr: scheme + "://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	l, err := lineman.Open(w)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Shut)
	addr := l.Listener(w).Addr()
	client, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { client.Close() })
	x := &largeEcho{loop: l, begin: make(chan bool), echoed: make(chan error)}
	tb.Cleanup(func() { close(x.begin) })
	msg := strings.Repeat("x", n)
	wire, echoed := []byte(msg), n
	switch scheme {
	case "frame":
		wire, echoed = []byte(largeWires[1].wire(msg)), n+4
	case "websocket":
		wire, echoed = []byte(largeWires[2].wire(msg)), n+10
		x.upgrade(tb, client)
	}
	go x.serve(client, wire, make([]byte, echoed))
	return x
}

func (x *largeEcho) upgrade(tb testing.TB, client net.Conn) {
	if _, err := io.WriteString(client, handshake); err != nil {
		tb.Fatal(err)
	}
	for x.loop.Stats().BytesIn < uint64(len(handshake)) {
		if err := x.loop.Step(); err != nil {
			tb.Fatal(err)
		}
	}
	if _, err := client.Read(make([]byte, 1024)); err != nil {
		tb.Fatal(err)
	}
}

// serve is the client.
func (x *largeEcho) serve(client net.Conn, wire, echoed []byte) {
	sent := make(chan bool)
	defer close(sent)
	go func() {
		for range sent {
			_, _ = client.Write(wire) // the read tells
		}
	}()
	for range x.begin {
		sent <- true
		_, err := io.ReadFull(client, echoed)
		x.echoed <- err
	}
}

// exchange is one echo.
func (x *largeEcho) exchange(tb testing.TB) {
	x.begin <- true
	for {
		select {
		case err := <-x.echoed:
			if err != nil {
				tb.Fatal(err)
			}
			return
		default:
		}
		if err := x.loop.Step(); err != nil {
			tb.Fatal(err)
		}
		runtime.Gosched()
	}
}
