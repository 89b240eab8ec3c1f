package poll_test

import (
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/linemantest"
)

// TestHalt has a poller that takes ahead, and is to take nothing more, give what it has: one connection, or one
// datagram. What comes later stays in the kernel for the next that has the socket.
func TestHalt(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f, err := tcp.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		next, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		defer next.Close()
		if err := next.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		addr := tcp.Addr().String()
		h, err := p.Listen(tcp, false)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			p.untilReadable(h)
		}
		left := 2
		if p.Halt(h) {
			if _, _, err := acceptFrom(p, h); err != nil {
				t.Errorf("what was taken ahead: %v", err)
			}
			if _, _, err := acceptFrom(p, h); err != poll.ErrAgain {
				t.Errorf("then: %v", err)
			}
			left--
		}
		p.Close(h, false)
		for range left {
			c, err := next.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
	})
}

// TestNobodyBeforeWait has a poller take nobody from a socket, and receive no datagram, before anybody waits for it.
func TestNobodyBeforeWait(t *testing.T) {
	stub := &listenerStub{closed: make(chan struct{})}
	stub.accept = func() (net.Conn, error) {
		<-stub.closed
		return nil, net.ErrClosed
	}
	p := open(t, backends[1].open)
	if _, err := p.Listen(stub, false); err != nil {
		t.Fatal(err)
	}
	h, addr := p.packet("udp4")
	if _, err := p.remote("udp4", "127.0.0.1:0").WriteToUDPAddrPort([]byte("hello"), addr); err != nil {
		t.Fatal(err)
	}
	for range 100 { // goroutines that would accept, and receive, have had their turn
		if _, _, err := p.ReadFrom(h, make([]byte, 10)); err != poll.ErrAgain {
			t.Fatalf("a datagram has come: %v", err)
		}
		runtime.Gosched()
	}
	stub.called(t, 0)
	p.untilReadable(h)
	linemantest.Until(t, "nobody accepts", func() bool {
		stub.mu.Lock()
		defer stub.mu.Unlock()
		return stub.calls == 1
	})
}

func TestHaltDatagram(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		h, addr := p.packet("udp4")
		c := p.remote("udp4", "127.0.0.1:0")
		if _, err := c.WriteToUDPAddrPort([]byte("hello"), addr); err != nil {
			t.Fatal(err)
		}
		p.untilReadable(h)
		p.Halt(h)
		b := make([]byte, 10)
		if n, from, err := p.ReadFrom(h, b); err != nil || string(b[:n]) != "hello" {
			t.Errorf("%q, %v", b[:n], err)
		} else if err := p.WriteTo(h, b[:n], from); err != nil {
			t.Errorf("the answer: %v", err)
		}
		p.Close(h, false)
	})
}
