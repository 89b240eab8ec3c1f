package poll_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/poll"
)

// batch makes a batch that ends with the test, which is skipped where the system forbids it.
func (p *poller) batch(t *testing.T) poll.Batch {
	t.Helper()
	b, err := p.Batch()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// overRing runs a test over the native poller, and every kind of stream.
func overRing(t *testing.T, f func(t *testing.T, p *poller, b poll.Batch, network string)) {
	for _, network := range []string{"tcp4", "tcp6", "unix"} {
		t.Run(network, func(t *testing.T) {
			needs(t, network)
			p := open(t, poll.New)
			f(t, p, p.batch(t), network)
		})
	}
}

// got fails the test if a write has another end.
func got(t *testing.T, what string, w poll.Write, n int, err error) {
	t.Helper()
	if w.N != n || w.Err != err {
		t.Errorf("%s: wrote %d, %v, want %d, %v", what, w.N, w.Err, n, err)
	}
}

// receives fails the test if the peer does not receive just this next.
func receives(t *testing.T, peer net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if _, err := io.ReadFull(peer, b); err != nil || string(b) != want {
		t.Errorf("%q came, %v, want %q", b, err, want)
	}
}

// TestBatch writes to more streams than the ring has places, twice, each something else. The bytes are used no more
// when Write returns: they are changed at once.
func TestBatch(t *testing.T) {
	overRing(t, func(t *testing.T, p *poller, b poll.Batch, network string) {
		const conns = 2*poll.BatchSize + 3
		var peers []net.Conn
		writes := make([]poll.Write, conns)
		for i := range writes {
			h, peer := p.connect(network)
			writes[i].Handle = h
			peers = append(peers, peer)
		}
		for round := range 2 {
			text := func(i int) string { return fmt.Sprintf("%d for connection %d", round, i) }
			for i := range writes {
				writes[i].Bytes = []byte(text(i))
			}
			b.Write(writes)
			for i, w := range writes {
				got(t, text(i), w, len(text(i)), nil)
				clear(w.Bytes)
			}
			for i, peer := range peers {
				receives(t, peer, text(i))
			}
		}
	})
}

// TestBatchMixed has writes of one batch end in different ways, and none of them disturb another one.
func TestBatchMixed(t *testing.T) {
	overRing(t, func(t *testing.T, p *poller, b poll.Batch, network string) {
		large, reader := p.connect(network)
		broken, gone := p.connect(network)
		ended, _ := p.connect(network)
		first, firstPeer := p.connect(network)
		last, lastPeer := p.connect(network)
		if network == "unix" {
			gone.Close()
		} else {
			p.reset(gone)
		}
		p.until("a connection broke", func(ev poll.Event) bool { return ev.Handle == broken })
		if err := p.CloseWrite(ended); err != nil {
			t.Fatal(err)
		}
		much := make([]byte, 32<<20)
		writes := []poll.Write{
			{Handle: first, Bytes: []byte("first")}, {Handle: large, Bytes: much}, {Handle: broken, Bytes: []byte("x")},
			{Handle: ended, Bytes: []byte("x")}, {Handle: last, Bytes: []byte("last")},
		}
		b.Write(writes)
		got(t, "the first", writes[0], 5, nil)
		if w := writes[1]; w.N == 0 || w.N == len(much) || w.Err != poll.ErrAgain {
			t.Errorf("of much: wrote %d, %v, want a part, and ErrAgain", w.N, w.Err)
		}
		got(t, "after a reset", writes[2], 0,
			map[bool]error{true: syscall.EPIPE, false: syscall.ECONNRESET}[network == "unix"])
		got(t, "after CloseWrite", writes[3], 0, syscall.EPIPE)
		got(t, "the last", writes[4], 4, nil)
		receives(t, firstPeer, "first")
		receives(t, lastPeer, "last")
		receives(t, reader, string(much[:writes[1].N]))
	})
}

// TestBatchAgain writes to a socket that is full, beside another one. What was refused is not sent later.
func TestBatchAgain(t *testing.T) {
	overRing(t, func(t *testing.T, p *poller, b poll.Batch, network string) {
		full, slow := p.connect(network)
		other, otherPeer := p.connect(network)
		var taken []byte
		for refused := false; !refused; {
			taken = append(taken, p.fill(full)...)
			writes := []poll.Write{{Handle: full, Bytes: []byte("late")}, {Handle: other, Bytes: []byte("other")}}
			b.Write(writes)
			got(t, "to the other one", writes[1], 5, nil)
			receives(t, otherPeer, "other")
			taken = append(taken, "late"[:writes[0].N]...) // the kernel may have made room meanwhile
			refused = writes[0].N == 0 && writes[0].Err == poll.ErrAgain
		}
		receives(t, slow, string(taken))
		if n, err := p.Write(full, []byte("again")); n != 5 || err != nil {
			t.Errorf("once there is room: wrote %d, %v", n, err)
		}
		receives(t, slow, "again")
	})
}

// TestBatchRefused writes what the kernel does not take from the ring, connection by connection.
func TestBatchRefused(t *testing.T) {
	p := open(t, poll.New)
	b := p.batch(t)
	if err := poll.BreakBatch(b); err != nil {
		t.Fatal(err)
	}
	h, peer := p.connect("tcp4")
	for _, text := range []string{"once", "again"} {
		writes := []poll.Write{{Handle: h, Bytes: []byte(text)}}
		b.Write(writes)
		got(t, text, writes[0], len(text), nil)
		receives(t, peer, text)
	}
}

// TestBatchLeavesNothing has the descriptor close with the batch, and with a program that the process becomes.
func TestBatchLeavesNothing(t *testing.T) {
	p := open(t, poll.New)
	before := descriptors(t)
	b, err := p.Batch()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	flags, err := unix.FcntlInt(uintptr(poll.BatchDescriptor(b)), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags of the descriptor are %#x, %v", flags, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors after Close, %d before", after, before)
	}
}

// TestBatchForbidden takes a system call that fails for a poller that has no batch.
func TestBatchForbidden(t *testing.T) {
	p := open(t, func() (poll.Poller, error) { return poll.NewPortable(), nil })
	if b, err := p.Batch(); b != nil || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v, %v, want ErrUnsupported", b, err)
	}
}
