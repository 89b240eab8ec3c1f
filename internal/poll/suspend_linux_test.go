package poll_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/poll"
)

// TestSuspend has a poller not watch a stream for a time, and then as before.
func TestSuspend(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6", "unix"} {
		t.Run(network, func(t *testing.T) {
			needs(t, network)
			p := open(t, poll.New)
			h, peer := p.connect(network)
			if _, err := p.Suspend(h); err != nil {
				t.Fatal(err)
			}
			p.send(peer, "x")
			if events, err := p.Wait(10 * time.Millisecond); err != nil || len(events) > 0 {
				t.Errorf("%v and %v while it was suspended", events, err)
			}
			if err := p.Restore(h); err != nil {
				t.Fatal(err)
			}
			p.untilReadable(h)
			if n, err := p.Read(h, make([]byte, 10)); n != 1 || err != nil {
				t.Errorf("%d bytes and %v, want one", n, err)
			}
		})
	}
}

// TestSuspendArms has what is armed meanwhile hold from Restore on.
func TestSuspendArms(t *testing.T) {
	p := open(t, poll.New)
	h, peer := p.connect("tcp4")
	if _, err := p.Suspend(h); err != nil {
		t.Fatal(err)
	}
	p.send(peer, "x")
	p.arm(h, false, true)
	if err := p.Restore(h); err != nil {
		t.Fatal(err)
	}
	p.until("nothing but writable", func(ev poll.Event) bool { return ev.Handle == h && ev.Write && !ev.Read })
}

// TestTake gives a stream to another poller, as to another process: the first one closes its descriptor, and the
// connection goes on.
func TestTake(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6", "unix"} {
		t.Run(network, func(t *testing.T) {
			needs(t, network)
			first, second := open(t, poll.New), open(t, poll.New)
			h, peer := first.connect(network)
			own := first.LocalAddr(h).String()
			fd, err := first.Suspend(h)
			if err != nil {
				t.Fatal(err)
			}
			given, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			taken, err := second.Take(given)
			if err != nil {
				t.Fatal(err)
			}
			p := second
			p.send(peer, "before")
			if events, err := p.Wait(10 * time.Millisecond); err != nil || len(events) > 0 {
				t.Errorf("%v and %v before Restore", events, err)
			}
			first.Close(h, false)
			if _, err := first.Wait(0); err != nil {
				t.Fatal(err)
			}
			if err := p.Restore(taken); err != nil {
				t.Fatal(err)
			}
			p.untilReadable(taken)
			if got := p.LocalAddr(taken).String(); got != own {
				t.Errorf("it is at %s, and was at %s", got, own)
			}
			if _, err := p.Write(taken, []byte("answer")); err != nil {
				t.Error(err)
			}
			answer := make([]byte, 6)
			if _, err := io.ReadFull(peer, answer); err != nil || string(answer) != "answer" {
				t.Errorf("%q and %v", answer, err)
			}
		})
	}
}

// TestNoSuspend has the portable poller say that it has no such thing.
func TestNoSuspend(t *testing.T) {
	p := open(t, func() (poll.Poller, error) { return poll.NewPortable(), nil })
	h, _ := p.connect("tcp4")
	if _, err := p.Suspend(h); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Suspend: %v", err)
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[1])
	if _, err := p.Take(pipe[0]); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Take: %v", err)
	}
	if _, err := unix.Write(pipe[1], []byte("x")); err != unix.EPIPE {
		t.Errorf("%v: the descriptor is open", err)
	}
}

// TestPair has both ends of a pair say when the other stream has ended, and when all of it has.
func TestPair(t *testing.T) {
	p := open(t, poll.New)
	one, other, fd, err := p.Pair()
	if err != nil || fd < 0 {
		t.Fatal(fd, err)
	}
	for _, h := range []poll.Handle{one, other} {
		if err := p.Restore(h); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := p.Write(one, []byte("x")); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	p.untilReadable(other)
	if n, err := p.Read(other, make([]byte, 10)); n != 1 || err != nil || p.HungUp(other) {
		t.Errorf("%d bytes, %v, hung up: %v", n, err, p.HungUp(other))
	}
	if err := p.CloseWrite(one); err != nil {
		t.Fatal(err)
	}
	p.untilReadable(other)
	if _, err := p.Read(other, make([]byte, 10)); err != io.EOF || p.HungUp(other) {
		t.Errorf("after the end of a stream: %v, hung up: %v", err, p.HungUp(other))
	}
	p.Close(one, false)
	if _, err := p.Wait(0); err != nil || !p.HungUp(other) {
		t.Error("it does not notice that the other end has closed")
	}
}
