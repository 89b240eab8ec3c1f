package poll_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/poll"
)

func TestAccept(t *testing.T) {
	overStreams(t, func(t *testing.T, p *poller, network string) {
		ln, addr := p.listen(network)
		if _, _, err := p.Accept(ln); err != poll.ErrAgain {
			t.Errorf("nobody has dialled: %v, want ErrAgain", err)
		}
		peer := p.dial(addr)
		p.untilReadable(ln)
		h, remote, err := p.Accept(ln)
		if err != nil {
			t.Fatal(err)
		}
		want := netip.AddrPort{}
		if network != "unix" {
			want = peer.LocalAddr().(*net.TCPAddr).AddrPort()
		}
		if remote != want {
			t.Errorf("peer %v, want %v", remote, want)
		}
		if _, _, err := p.Accept(ln); err != poll.ErrAgain {
			t.Errorf("nobody else has dialled: %v, want ErrAgain", err)
		}
		p.send(peer, "hello")
		if got := p.read(h, 100); got != "hello" {
			t.Errorf("read %q", got)
		}
	})
}

func TestReadIsLevelTriggered(t *testing.T) {
	overStreams(t, func(t *testing.T, p *poller, network string) {
		h, peer := p.connect(network)
		b := make([]byte, 4)
		if n, err := p.Read(h, b); n != 0 || err != poll.ErrAgain {
			t.Errorf("nothing was sent: %d, %v, want ErrAgain", n, err)
		}
		p.send(peer, "abc")
		for _, want := range []string{"a", "b", "c"} {
			p.untilReadable(h)
			if got := p.read(h, 1); got != want {
				t.Errorf("read %q, want %q", got, want)
			}
		}
		if _, err := p.Read(h, b); err != poll.ErrAgain {
			t.Errorf("all was read: %v, want ErrAgain", err)
		}
		p.silent(h)
		peer.Close()
		for range 3 {
			p.untilReadable(h)
			if n, err := p.Read(h, b); n != 0 || err != io.EOF {
				t.Errorf("the peer has closed: %d, %v, want io.EOF", n, err)
			}
		}
	})
}

func TestArm(t *testing.T) {
	overStreams(t, func(t *testing.T, p *poller, network string) {
		h, peer := p.connect(network)
		p.send(peer, "x")
		p.untilReadable(h)
		p.untilReadable(h)
		p.arm(h, false, false)
		p.silent(h)
		p.arm(h, false, true)
		for range 2 {
			p.until("only write is ready", func(ev poll.Event) bool { return ev == poll.Event{Handle: h, Write: true} })
		}
		p.arm(h, true, true)
		p.until("both are ready", func(ev poll.Event) bool { return ev == poll.Event{Handle: h, Read: true, Write: true} })
		p.arm(h, true, false)
		p.until("only read is ready", func(ev poll.Event) bool { return ev == poll.Event{Handle: h, Read: true} })
		if got := p.read(h, 10); got != "x" {
			t.Errorf("read %q", got)
		}
		p.silent(h)
	})
}

func TestReadAfterBeingDisarmed(t *testing.T) {
	overStreams(t, func(t *testing.T, p *poller, network string) {
		h, peer := p.connect(network)
		p.arm(h, false, false)
		sent := bytes.Repeat([]byte("0123456789"), 4000)
		p.send(peer, string(sent))
		peer.Close()
		p.arm(h, true, false)
		var got []byte
		b := make([]byte, 1000)
		for {
			p.untilReadable(h)
			n, err := p.Read(h, b)
			got = append(got, b[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("read %d bytes, want the %d that were sent", len(got), len(sent))
		}
	})
}

// TestWrite fills the socket, then writes on at each event while the peer reads.
func TestWrite(t *testing.T) {
	overStreams(t, func(t *testing.T, p *poller, network string) {
		h, peer := p.connect(network)
		if n, err := p.Write(h, []byte("greetings")); n != 9 || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
		sent := append([]byte("greetings"), p.fill(h)...)
		got := make(chan []byte)
		go func() {
			all, _ := io.ReadAll(peer)
			got <- all
		}()
		p.arm(h, true, true)
		for more := 2 << 20; more > 0; {
			p.untilWritable(h)
			b := bytes.Repeat([]byte{byte(more)}, min(more, 100_000))
			n, err := p.Write(h, b)
			if (n < len(b)) != (err == poll.ErrAgain) || err != nil && err != poll.ErrAgain {
				t.Fatalf("wrote %d of %d, %v", n, len(b), err)
			}
			sent = append(sent, b[:n]...)
			more -= n
		}
		p.Close(h, false)
		p.wait(0)
		if all := <-got; !bytes.Equal(all, sent) {
			t.Errorf("the peer got %d bytes, want the %d that were written", len(all), len(sent))
		}
	})
}

func TestCloseWrite(t *testing.T) {
	overStreams(t, func(t *testing.T, p *poller, network string) {
		for _, full := range []bool{false, true} {
			h, peer := p.connect(network)
			sent := []byte("bye")
			if full {
				sent = p.fill(h)
			} else if _, err := p.Write(h, sent); err != nil {
				t.Fatal(err)
			}
			if err := p.CloseWrite(h); err != nil {
				t.Fatal(err)
			}
			if n, err := p.Write(h, []byte("more")); n != 0 || !errors.Is(err, syscall.EPIPE) {
				t.Errorf("full %v: wrote %d after the end, %v, want EPIPE", full, n, err)
			}
			if got, err := io.ReadAll(peer); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("full %v: the peer got %d bytes and %v, want %d and the end", full, len(got), err, len(sent))
			}
			p.send(peer, "still heard")
			if got := p.read(h, 100); got != "still heard" {
				t.Errorf("full %v: read %q", full, got)
			}
			p.arm(h, false, false)
			p.silent(h)
			peer.Close()
			p.silent(h) // it is not broken
			p.arm(h, true, false)
			p.untilReadable(h)
			if n, err := p.Read(h, make([]byte, 100)); n != 0 || err != io.EOF {
				t.Errorf("full %v: read %d, %v, want the end", full, n, err)
			}
			p.Close(h, false)
		}
	})
}

func TestCloseSendsWhatWasWritten(t *testing.T) {
	overStreams(t, func(t *testing.T, p *poller, network string) {
		h, peer := p.connect(network)
		sent := p.fill(h)
		p.Close(h, false)
		p.wait(0)
		if got, err := io.ReadAll(peer); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("the peer got %d bytes and %v, want %d and the end", len(got), err, len(sent))
		}
	})
}

func TestAbortResets(t *testing.T) {
	overStreams(t, func(t *testing.T, p *poller, network string) {
		for _, full := range []bool{false, true} {
			h, peer := p.connect(network)
			if full {
				p.fill(h)
			}
			p.Close(h, true)
			p.wait(0)
			_, err := io.ReadAll(peer)
			var timeout net.Error
			switch {
			case errors.As(err, &timeout) && timeout.Timeout():
				t.Errorf("full %v: the connection did not end", full)
			case network != "unix" && !resets(err):
				t.Errorf("full %v: the peer got %v, want ECONNRESET", full, err)
			}
		}
	})
}

// resets reports whether err is a reset, which package net does not translate on Windows.
func resets(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || runtime.GOOS == "windows" && errors.Is(err, syscall.Errno(10054))
}

func TestFail(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		for _, armed := range []bool{false, true} {
			h, peer := p.connect("tcp4")
			p.arm(h, armed, false)
			p.reset(peer)
			for times := 1; times == 1 || times == 2 && armed; times++ {
				p.until("the connection broke", func(ev poll.Event) bool { return ev.Handle == h && ev.Fail && ev.Read == armed })
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

// TestPause leaves connections in the kernel's queue, where another process, or here another descriptor, finds them.
func TestPause(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a listener cannot be duplicated on Windows")
	}
	overStreams(t, func(t *testing.T, p *poller, network string) {
		ln := p.listener(network)
		addr := ln.Addr()
		f, err := ln.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		other, err := net.FileListener(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		h, err := p.Listen(ln, false)
		if err != nil {
			t.Fatal(err)
		}
		p.arm(h, false, false)
		const dialled, ahead = 4, 1
		for range dialled {
			p.dial(addr)
		}
		p.silent(h)
		for range dialled - ahead - 1 {
			_ = other.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(patience))
			c, err := other.Accept()
			if err != nil {
				t.Fatalf("paused, but the kernel's queue is empty: %v", err)
			}
			c.Close()
		}
		p.silent(h)
		p.arm(h, true, false)
		for range ahead + 1 {
			p.Close(p.accept(h), false)
		}
		if _, _, err := p.Accept(h); err != poll.ErrAgain {
			t.Errorf("got %v, want ErrAgain", err)
		}
	})
}

func TestUnixFileIsLeftAlone(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		ln, addr := p.listen("unix")
		p.Close(ln, false)
		p.wait(0)
		if _, err := os.Stat(addr.String()); err != nil {
			t.Error(err)
		}
	})
}
