package poll_test

import (
	"errors"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/poll"
)

// TestRenew has a poller tell of all that is open, for what is armed, and no more of what only another process has.
func TestRenew(t *testing.T) {
	p := open(t, poll.New)
	ln, addr := p.listen("tcp4")
	gone, far := p.connect("tcp4")
	stays, near := p.connect("tcp4")
	writes, _ := p.connect("tcp4")
	p.arm(writes, false, true)
	defer unix.Close(dup(t, p, gone))
	p.Close(gone, false)
	p.send(far, "x")
	p.untilReadable(gone)
	if err := p.Renew(); err != nil {
		t.Fatal(err)
	}
	p.dial(addr)
	p.send(near, "x")
	p.Wake()
	told := map[poll.Handle]poll.Event{}
	p.until("is the last of three", func(ev poll.Event) bool {
		told[ev.Handle] = ev
		return told[ln].Read && told[stays].Read && told[writes].Write
	})
	if ev, ok := told[gone]; ok || told[writes].Read {
		t.Errorf("it tells of what has gone: %+v; or of more than was armed: %+v", ev, told[writes])
	}
}

// dup is what a process gets that a stream is given to.
func dup(t *testing.T, p *poller, h poll.Handle) (fd int) {
	t.Helper()
	own, err := p.Descriptor(h)
	if err != nil {
		t.Fatal(err)
	}
	if fd, err = unix.FcntlInt(uintptr(own), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	return fd
}

// take gives a stream of one poller to another one.
func take(t *testing.T, from *poller, h poll.Handle, to *poller) poll.Handle {
	t.Helper()
	taken, err := to.Take(dup(t, from, h))
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

// TestWatch has what is armed of a stream that was taken hold from Watch on, be it that it is armed beside that.
func TestWatch(t *testing.T) {
	first, second := open(t, poll.New), open(t, poll.New)
	h, peer := first.connect("tcp4")
	first.send(peer, "x")
	for range 300 {
		taken := take(t, first, h, second)
		var begun atomic.Bool
		watched := make(chan error)
		go func() {
			begun.Store(true)
			watched <- second.Watch(taken)
		}()
		for !begun.Load() {
			runtime.Gosched()
		}
		second.arm(taken, false, true)
		if err := <-watched; err != nil {
			t.Fatal(err)
		}
		if events := second.wait(patience); len(events) != 1 || events[0].Read || !events[0].Write {
			t.Fatalf("%+v, want that %d is writable", events, taken)
		}
		if err := second.Unwatch(taken); err != nil {
			t.Fatal(err)
		}
		second.Close(taken, false)
	}
}

// TestUnwatch has a stream close that another process keeps: nothing is told of it.
func TestUnwatch(t *testing.T) {
	first, second := open(t, poll.New), open(t, poll.New)
	h, peer := first.connect("tcp4")
	taken := take(t, first, h, second)
	if err := second.Watch(taken); err != nil {
		t.Fatal(err)
	}
	if err := second.Unwatch(taken); err != nil {
		t.Fatal(err)
	}
	second.Close(taken, false)
	first.send(peer, "x")
	first.untilReadable(h)
	second.silent(taken)
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
			taken := take(t, first, h, second)
			p := second
			p.send(peer, "before")
			if events, err := p.Wait(10 * time.Millisecond); err != nil || len(events) > 0 {
				t.Errorf("%v and %v before Watch", events, err)
			}
			first.Close(h, false)
			if _, err := first.Wait(0); err != nil {
				t.Fatal(err)
			}
			if err := p.Watch(taken); err != nil {
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

// TestNoDescriptor has the portable poller say that it has no such thing.
func TestNoDescriptor(t *testing.T) {
	p := open(t, func() (poll.Poller, error) { return poll.NewPortable(), nil })
	h, _ := p.connect("tcp4")
	if _, err := p.Descriptor(h); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Descriptor: %v", err)
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
		if err := p.Watch(h); err != nil {
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
