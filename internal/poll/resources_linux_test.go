package poll_test

import (
	"net"
	"os"
	"slices"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/lineman-go/lineman/internal/poll"
)

// TestShutLeavesNothing counts goroutines and descriptors before and after: those of tests before may become fewer.
func TestShutLeavesNothing(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			goroutines := goleak.IgnoreCurrent()
			useAll(t, b.open) // the runtime and the first lookups keep descriptors of their own
			before := descriptors(t)
			useAll(t, b.open)
			goleak.VerifyNone(t, goroutines) // waits for those that still hold a descriptor
			if after := descriptors(t); after > before {
				t.Errorf("%d descriptors after Shut, %d before", after, before)
			}
		})
	}
}

// useAll opens sockets of all kinds, and leaves a connection in each state to Shut.
func useAll(t *testing.T, open func() (poll.Poller, error)) {
	t.Helper()
	raw, err := open()
	if err != nil {
		t.Fatal(err)
	}
	p := &poller{raw, t}
	for _, network := range []string{"tcp4", "unix"} {
		ln, addr := p.listen(network)
		for _, state := range []string{"idle", "readable", "ended", "written", "closed", "aborted", "queued"} {
			peer := p.dial(addr)
			defer peer.Close()
			if state == "queued" {
				p.untilReadable(ln)
				continue
			}
			h := p.accept(ln)
			switch state {
			case "readable":
				p.send(peer, "x")
				p.untilReadable(h)
			case "ended":
				peer.Close()
				p.untilReadable(h)
			case "written":
				if _, err := p.Write(h, make([]byte, 10_000)); err != nil {
					t.Error(err)
				}
			case "closed", "aborted":
				p.fill(h)
				p.Close(h, state == "aborted")
				peer.Close()
			}
		}
	}
	p.packet("udp4")
	p.Shut()
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestShortage accepts while no descriptor is free, and again when there is one. All clients are there before the first
// Wait: over package net, an accept under way holds a number for a moment, which is free after all were taken. So who
// is accepted meanwhile stays, what is free is taken again, and the next client waits.
func TestShortage(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		ln, addr := p.listen("tcp4")
		var peers []net.Conn
		for range 10 {
			peers = append(peers, p.dial(addr))
		}
		take, free := takeDescriptors(t, 1024)
		for refused := 0; refused < 3; {
			p.untilReadable(ln)
			_, _, err := acceptFrom(p, ln)
			switch {
			case err == nil && len(peers) > 1:
				peers, refused = peers[1:], 0
				take()
			case err == error(syscall.EMFILE) && poll.IsShortage(err):
				refused++
			default:
				t.Fatalf("got %v, want EMFILE", err)
			}
		}
		p.arm(ln, false, false)
		p.silent(ln)
		free(4)
		p.arm(ln, true, false)
		h := p.acceptAfterShortage(ln)
		p.send(peers[0], "x")
		if got := p.read(h, 10); got != "x" {
			t.Errorf("read %q", got)
		}
	})
}

// acceptAfterShortage leaves out what an Accept under way had found before there were descriptors again.
func (p *poller) acceptAfterShortage(ln poll.Handle) poll.Handle {
	p.Helper()
	for {
		p.untilReadable(ln)
		h, _, err := acceptFrom(p, ln)
		if err == nil {
			return h
		}
		if !poll.IsShortage(err) && err != poll.ErrAgain {
			p.Fatal(err)
		}
	}
}

// takeDescriptors takes all below most until the test ends; take does so again, and free gives some back, the highest
// first.
func takeDescriptors(t *testing.T, most uint64) (take func(), free func(n int)) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	lowered := old
	lowered.Cur = min(old.Cur, most)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lowered); err != nil {
		t.Fatal(err)
	}
	var taken []int
	take = func() {
		for fd, err := syscall.Dup(0); err == nil; fd, err = syscall.Dup(0) {
			taken = append(taken, fd)
		}
	}
	free = func(n int) {
		for ; n > 0 && len(taken) > 0; n-- {
			syscall.Close(taken[len(taken)-1])
			taken = taken[:len(taken)-1]
		}
	}
	t.Cleanup(func() {
		free(len(taken))
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	})
	take()
	return take, free
}

// TestManyHandles opens more sockets than a block of the table has slots, while others take descriptors too: what is
// known of the first outlives the growth of the table, and handles are dense, and used again.
func TestManyHandles(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		const many = 1100
		low, lowPeer := p.connect("tcp4")
		packets, to := p.packet("udp4")
		want := p.LocalAddr(low).String()
		var handles []poll.Handle
		for range many {
			h, _ := p.packet("udp4")
			handles = append(handles, h)
			other, err := syscall.Dup(0)
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Close(other)
		}
		high, highPeer := p.connect("tcp4")
		if most := slices.Max(append(handles, high)); int(most) > many+10 {
			t.Errorf("handles go up to %d for %d sockets", most, many)
		}
		if got := p.LocalAddr(low); got == nil || got.String() != want {
			t.Errorf("local address %v, want %s", got, want)
		}
		if err := p.WriteTo(packets, []byte("x"), poll.Ends{Peer: to}); err != nil {
			t.Error(err)
		}
		for h, peer := range map[poll.Handle]net.Conn{low: lowPeer, high: highPeer} {
			p.send(peer, "x")
			if got := p.read(h, 10); got != "x" {
				t.Errorf("read %q", got)
			}
			p.Close(h, true)
		}
		for _, h := range handles {
			p.Close(h, false)
		}
		p.wait(0)
		if h, _ := p.connect("tcp4"); int(h) > many+10 {
			t.Errorf("handle %d after all were closed", h)
		}
	})
}

// TestSecondShut finds that it closes no descriptor that others have opened since the first.
func TestSecondShut(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		p.listen("tcp4")
		p.Shut()
		var files []*os.File
		for range 10 {
			f, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			files = append(files, f)
		}
		p.Shut()
		for _, f := range files {
			if _, err := f.Stat(); err != nil {
				t.Error(err)
			}
		}
	})
}
