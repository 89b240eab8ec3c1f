package poll_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/poll"
)

func TestAccept(t *testing.T) {
	overStreams(t, func(t *testing.T, p *poller, network string) {
		ln, addr := p.listen(network)
		if _, _, err := acceptFrom(p, ln); err != poll.ErrAgain {
			t.Errorf("nobody has dialled: %v, want ErrAgain", err)
		}
		peer := p.dial(addr)
		p.untilReadable(ln)
		h, remote, err := acceptFrom(p, ln)
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
		if _, _, err := acceptFrom(p, ln); err != poll.ErrAgain {
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
		p.until("both are ready",
			func(ev poll.Event) bool { return ev == poll.Event{Handle: h, Read: true, Write: true} })
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
		if _, _, err := acceptFrom(p, h); err != poll.ErrAgain {
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
