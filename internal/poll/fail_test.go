package poll_test

import (
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/poll"
)

func TestFail(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		for _, armed := range []bool{false, true} {
			h, peer := p.connect("tcp4")
			p.arm(h, armed, false)
			p.reset(peer)
			for times := 1; times == 1 || times == 2 && armed; times++ {
				p.until("the connection broke",
					func(ev poll.Event) bool { return ev.Handle == h && ev.Fail && ev.Read == armed })
			}
			if n, err := p.Read(h, make([]byte, 10)); n != 0 || err != error(syscall.ECONNRESET) {
				t.Errorf("read %d, %v, want ECONNRESET", n, err)
			}
			p.Close(h, false)
		}
	})
}

// TestFailBehindUnread has a peer break while nothing is read from it and much waits: it is told, once, and what waits
// is still there.
func TestFailBehindUnread(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("package net does not tell")
	}
	overEach(t, func(t *testing.T, p *poller) {
		for _, early := range []bool{false, true} {
			h, peer := p.connect("tcp4")
			if early {
				p.arm(h, false, false)
			}
			const size = 100 << 10
			p.send(peer, strings.Repeat("x", size))
			p.untilArrived(h, peer, early)
			p.arm(h, false, false)
			p.reset(peer)
			p.until("the connection broke", func(ev poll.Event) bool { return ev.Handle == h && ev.Fail && !ev.Read })
			p.silent(h)
			got := 0
			b := make([]byte, 64<<10)
			for err := error(nil); err == nil; {
				p.arm(h, true, false)
				p.untilReadable(h)
				var n int
				n, err = p.Read(h, b)
				if got += n; err != nil && err != error(syscall.ECONNRESET) {
					t.Errorf("at the end: %v, want ECONNRESET", err)
				}
			}
			if got != size {
				t.Errorf("%d bytes could be read, want %d", got, size)
			}
			p.Close(h, false)
		}
	})
}

// untilArrived waits until the peer's bytes are in the kernel on this side, or, read ahead, in the poller.
func (p *poller) untilArrived(h poll.Handle, peer net.Conn, disarmed bool) {
	p.Helper()
	if !disarmed {
		p.untilReadable(h)
	}
	for until := time.Now().Add(patience); time.Now().Before(until); p.wait(0) {
		if raw, err := peer.(syscall.Conn).SyscallConn(); err == nil && !poll.UnsentOf(raw) {
			return
		}
	}
	p.Fatal("the bytes do not arrive")
}

// TestFailAfterEnd has a peer end its stream and break later, while an answer is made.
func TestFailAfterEnd(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("package net does not tell")
	}
	overEach(t, func(t *testing.T, p *poller) {
		h, peer := p.connect("tcp4")
		p.send(peer, "x")
		if err := peer.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		p.read(h, 10)
		p.untilReadable(h)
		if _, err := p.Read(h, make([]byte, 10)); err != io.EOF {
			t.Fatalf("%v, want the end", err)
		}
		p.arm(h, false, false)
		p.reset(peer)
		p.until("the connection broke", func(ev poll.Event) bool { return ev.Handle == h && ev.Fail })
	})
}

func TestFailWhileFull(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		h, peer := p.connect("tcp4")
		p.fill(h)
		p.arm(h, false, true)
		p.reset(peer)
		p.until("the connection broke", func(ev poll.Event) bool { return ev.Handle == h && ev.Fail && ev.Write })
		for deadline := time.Now().Add(patience); ; {
			n, err := p.Write(h, []byte("x"))
			if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
				break
			}
			if err != poll.ErrAgain && err != nil || time.Now().After(deadline) {
				t.Fatalf("wrote %d, %v, want a broken connection", n, err)
			}
			p.wait(0)
		}
	})
}
