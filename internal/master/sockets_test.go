//go:build unix

package master

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// outer and inner are addresses that processes ask for.
func outer(worker, target string) channel.Address {
	return channel.Address{Worker: worker, Outer: true, Network: "tcp", Target: target}
}

func inner(target string) channel.Address {
	return channel.Address{Worker: "inner", Network: "tcp", Target: target}
}

// asks has a process ask for an address, or release it.
func (t *trial) asks(pid int, op channel.Op, a channel.Address) error {
	_, _, err := t.process(pid).ask(op, func(v any) error {
		*v.(*channel.Address) = a
		return nil
	})
	return err
}

// mustAsk is asks where nothing can fail.
func (t *trial) mustAsk(pid int, op channel.Op, a channel.Address) {
	t.Helper()
	if err := t.asks(pid, op, a); err != nil {
		t.Fatalf("%s of %s: %v", op, a.Target, err)
	}
}

// open is the socket of an address, nil if none is.
func (t *trial) open(target string) *fakeSocket {
	t.serving() // everything has settled
	t.machine.mu.Lock()
	defer t.machine.mu.Unlock()
	return t.sockets[target]
}

// TestListeningInOrder tells the addresses in the order in which they were opened, the worker's own first.
func TestListeningInOrder(t *testing.T) {
	try(t, two(1), func(t *trial) {
		t.start()
		first := t.serving()["a/0"]
		before := t.s.Listening()["a"]
		want := slices.Clone(before)
		for i := range 20 {
			target := fmt.Sprintf("x%02d", (i*7)%20)
			t.mustAsk(first, channel.Listen, inner(target))
			want = append(want, "://"+target)
		}
		if got := t.s.Listening()["a"]; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestRelease closes the socket of an inner listener that was closed: its address is free for others.
func TestRelease(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		first, second := t.serving()["a/0"], t.serving()["a/1"]
		t.mustAsk(first, channel.Listen, inner("x"))
		if err := t.asks(second, channel.Listen, inner("x")); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("the address of another: %v", err)
		}
		t.mustAsk(second, channel.Release, inner("x")) // which it does not have
		if t.open("x") == nil {
			t.Fatal("a process released what another has")
		}
		t.mustAsk(first, channel.Release, inner("x"))
		if t.open("x") != nil {
			t.Fatal("it stays open")
		}
		t.mustAsk(second, channel.Listen, inner("x"))
	})
}

// TestReleaseShared closes a worker's own socket when all its processes have closed it, and opens it again.
func TestReleaseShared(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		first, second := t.serving()["a/0"], t.serving()["a/1"]
		own := outer("a", "one")
		t.mustAsk(first, channel.Listen, own)
		t.mustAsk(second, channel.Listen, own)
		t.mustAsk(first, channel.Release, own)
		t.mustAsk(first, channel.Listen, own)
		t.mustAsk(second, channel.Release, own)
		if t.open("one") == nil {
			t.Fatal("it was closed, though one process has it")
		}
		t.mustAsk(first, channel.Release, own)
		if t.open("one") != nil {
			t.Fatal("it stays open")
		}
		t.mustAsk(second, channel.Listen, own)
		if t.open("one") == nil {
			t.Error("it was not opened again")
		}
	})
}

// TestReleaseByPredecessor leaves the successor what a process closes as it leaves; what the successor closes is
// closed, though the predecessor may still have it.
func TestReleaseByPredecessor(t *testing.T) {
	for _, predecessorReleases := range []bool{true, false} {
		try(t, two(1), func(t *trial) {
			addresses := []channel.Address{inner("x"), outer("b", "two")}
			t.next(op(channel.Start, func(f *fake) (err error) {
				for _, a := range addresses {
					if f.name == "b/0" {
						err = errors.Join(err, t.asks(f.pid, channel.Listen, a))
					}
				}
				return err
			}))
			t.next(deaf)
			t.start()
			before := t.serving()["b/0"]
			t.reload()
			for _, a := range addresses {
				if predecessorReleases {
					t.mustAsk(before, channel.Release, a)
				}
				if t.open(a.Target) == nil {
					t.Errorf("the predecessor closed %s, which its successor has", a.Target)
				}
				t.mustAsk(t.serving()["b/0"], channel.Release, a)
				if t.open(a.Target) != nil {
					t.Errorf("%s stays open, predecessor %v", a.Target, predecessorReleases)
				}
			}
		})
	}
}

// TestSocketsOutlive keeps the sockets of a process that dies until it serves again, however long that takes.
func TestSocketsOutlive(t *testing.T) {
	try(t, two(1), func(t *trial) {
		t.start()
		plain := t.behave
		t.mustAsk(t.serving()["b/0"], channel.Listen, inner("x"))
		kept := t.open("x")
		t.behaveLike(plain, op(channel.Prepare, perish))
		t.kill("b/0")
		time.Sleep(10 * time.Second)
		if t.open("x") != kept || t.open("two") == nil {
			t.Fatal("they were closed with their process")
		}
		t.behaveLike(plain, op(channel.Start, func(f *fake) error { return t.asks(f.pid, channel.Listen, inner("x")) }))
		time.Sleep(10 * time.Second)
		if t.serving()["b/0"] == 0 || t.open("x") != kept {
			t.Error("the replacement did not get the same socket")
		}
	})
}

// TestSweepPredecessor has a predecessor go at last while its successor has been killed and the next one is not there
// yet: that one gets the socket all the same.
func TestSweepPredecessor(t *testing.T) {
	try(t, two(1), func(t *trial) {
		t.start()
		plain := t.behave
		t.mustAsk(t.serving()["b/0"], channel.Listen, inner("x"))
		kept := t.open("x")
		t.change(t.serving()["b/0"], func(f *fake) { f.deaf = true })
		asks := op(channel.Start, func(f *fake) error {
			if f.name != "b/0" {
				return nil
			}
			return t.asks(f.pid, channel.Listen, inner("x"))
		})
		t.behaveLike(plain, asks)
		t.reload()
		t.behaveLike(plain, asks, op(channel.Prepare, func(*fake) error { time.Sleep(10 * time.Second); return nil }))
		t.kill("b/0")
		time.Sleep(30 * time.Second)
		if t.serving()["b/0"] == 0 || t.open("x") != kept {
			t.Error("the socket was closed before the next process had asked for it")
		}
	})
}

// TestSweepVacant closes what a program that crashes has left, when another succeeds it that does not ask for it.
func TestSweepVacant(t *testing.T) {
	try(t, two(1), func(t *trial) {
		t.start()
		plain := t.behave
		t.mustAsk(t.serving()["b/0"], channel.Listen, inner("x"))
		t.behaveLike(plain, op(channel.Prepare, perish))
		t.kill("b/0")
		time.Sleep(10 * time.Second)
		t.behaveLike(plain)
		t.reload()
		if t.serving()["b/0"] == 0 || t.open("x") != nil {
			t.Errorf("%v serve, and the socket is %v", t.serving(), t.open("x"))
		}
	})
}

// lendings are the processes that were asked to accept in another's place, or no longer.
func (t *trial) lendings() (all []string) {
	for _, e := range t.seen() {
		if strings.HasPrefix(e, "adopt ") || strings.HasPrefix(e, "return ") {
			all = append(all, e)
		}
	}
	return all
}

// TestReusePortLending has siblings stand in for a process that waits, as long as it does: not at the start, the next
// one if the first dies, and its successor if that is reloaded.
func TestReusePortLending(t *testing.T) {
	workers := []channel.Worker{{Name: "a", Addr: "one", Count: 3, ReusePort: true}}
	try(t, workers, func(t *trial) {
		t.start()
		if got := t.lendings(); len(got) > 0 {
			t.Errorf("at the start: %v", got)
		}
		plain := t.behave
		t.behaveLike(plain, op(channel.Start, func(f *fake) error {
			if f.name == "a/2" {
				return perish(f)
			}
			return nil
		}))
		t.kill("a/2")
		time.Sleep(time.Millisecond)
		chosen := t.serving()["a/1"]
		if got, want := t.lendings(), []string{fmt.Sprintf("adopt a/1 %d", chosen)}; !slices.Equal(got, want) {
			t.Errorf("a/2 waits: %v, want %v", got, want)
		}
		t.kill("a/1")
		time.Sleep(time.Millisecond)
		next := t.lendings()[1:]
		if len(next) == 0 || !strings.HasPrefix(next[0], "adopt a/") ||
			slices.Contains(next, fmt.Sprintf("return a/1 %d", chosen)) {
			t.Errorf("its stand-in has died: %v", next)
		}
		t.behaveLike(plain)
		t.reload()
		adopted := make(map[string]bool)
		for _, e := range t.lendings() {
			op, who, _ := strings.Cut(e, " ")
			adopted[who] = op == "adopt"
		}
		for name, pid := range t.serving() {
			if adopted[fmt.Sprintf("%s %d", name, pid)] {
				t.Errorf("%s still stands in, though all serve: %v", name, t.lendings())
			}
		}
	})
}
