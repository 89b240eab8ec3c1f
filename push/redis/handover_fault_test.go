package redis_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/redis"
)

// fault is a handover in which something goes wrong. Node a publishes, without a fault; node b is handed over.
type fault struct {
	t        *testing.T
	server   *server
	a        site
	old, new *proxy // of the predecessor, and of the successor
	before   *process
	after    *process
	plain    *page
	follower *page
	stop     func() (published int) // ends publishing
}

// newFault begins to publish.
func newFault(t *testing.T) *fault {
	s := startServer(t)
	x := &fault{t: t, server: s, old: newProxy(t, s.address()), new: newProxy(t, s.address())}
	a := startProcess(t, redis.Options{Addresses: []string{s.address()}, Answer: time.Second}, false)
	x.before = startProcess(t, redis.Options{Addresses: []string{x.old.address()}}, false)
	x.a.now = a
	for _, p := range []*process{a, x.before} {
		p.until("the link is up", func() bool { return p.hub.Linked() })
	}
	x.plain = x.before.add(1, "ann", false, "chat:1")
	x.follower = x.before.add(2, "bob", true, "chat:1")
	early := 0
	x.before.until("all are there", func() bool {
		x.a.publish("early", early*len(kinds), 1)
		early++
		return len(x.follower.got) > 0 && len(x.plain.got) > 0
	})
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				stopped <- n
				return
			default:
				x.a.publish("x", len(kinds)*n, 1)  // for chat:1
				<-time.After(5 * time.Millisecond) // the history has all, however long it takes
			}
		}
	}()
	x.stop = func() int { close(stop); return <-stopped }
	return x
}

// handOver hands over. before is called when nothing is given up yet.
func (x *fault) handOver(before func()) {
	x.after = x.before.handOver(redis.Options{Addresses: []string{x.new.address()}}, func(*process) { before() })
}

// ends waits until all is well again, and compares what the follower has got with the history.
func (x *fault) ends(breaks int, gap bool) {
	t, p := x.t, x.after
	t.Helper()
	p.until("the link is up again", func() bool { return p.hub.Linked() && p.downs == breaks })
	a := x.a.process()
	a.until("the publisher is linked", func() bool { return a.hub.Linked() })
	t.Logf("%d were published", x.stop())
	x.a.publish("end", 0, 1)
	p.until("the end comes", func() bool {
		return slices.Contains(x.follower.got, "end 0") && slices.Contains(x.plain.got, "end 0")
	})
	var kept []string
	done := make(chan error, 1)
	a.loop.Await(func() {
		a.check(a.hub.History("chat:1", push.Range{Limit: 5000}, func(h push.History, err error) {
			for _, m := range h.Messages {
				kept = append(kept, string(m.Data))
			}
			done <- err
		}))
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	p.loop.Await(func() {
		got := x.follower.got
		if gap {
			got = got[max(0, len(got)-len(kept)):]
		} else {
			kept = kept[max(0, slices.Index(kept, got[0])):]
		}
		if gap != (x.follower.gaps > 0) || !gap && !slices.Equal(got, kept) {
			t.Errorf("the follower was told of %d gaps, and got %d messages; there are %d", x.follower.gaps, len(got),
				len(kept))
		}
		last := -1
		for _, text := range x.plain.got {
			n := -1
			if _, err := fmt.Sscanf(text, "x %d", &n); err == nil && n <= last {
				t.Errorf("%d came after %d", n, last)
			}
			last = max(last, n)
		}
	})
	isGone(t, x.before.broker)
	isTidy(t, x.server, 2)
}

// isGone waits until the links of a Broker have left.
func isGone(t *testing.T, b *redis.Broker) {
	t.Helper()
	gone := make(chan struct{})
	go func() { defer close(gone); b.Wait() }()
	select {
	case <-gone:
	case <-time.After(patience):
		t.Fatal("the predecessor does not leave")
	}
}

// TestHandoverPredecessorDies has the predecessor be gone when its successor would take over.
func TestHandoverPredecessorDies(t *testing.T) {
	t.Parallel()
	x := newFault(t)
	x.handOver(x.old.Cut)
	x.ends(1, false)
}

// TestHandoverServerDies has the server come back with nothing.
func TestHandoverServerDies(t *testing.T) {
	t.Parallel()
	x := newFault(t)
	x.handOver(x.server.kill)
	x.after.until("it notices", func() bool { return x.after.downs == 1 })
	if !x.server.start() {
		t.Fatal("redis-server does not start again")
	}
	x.ends(1, true)
}

// TestHandoverCut has the successor be cut off while it takes over.
func TestHandoverCut(t *testing.T) {
	t.Parallel()
	x := newFault(t)
	x.handOver(x.new.Cut)
	x.after.until("it notices", func() bool { return x.after.downs == 1 })
	x.new.Mend()
	x.ends(1, false)
}

// TestHandoverSwallowed has the successor reach nobody while it takes over, and not know it.
func TestHandoverSwallowed(t *testing.T) {
	t.Parallel()
	x := newFault(t)
	x.handOver(x.new.Swallow)
	x.after.until("it notices", func() bool { return x.after.downs == 1 })
	x.new.Cut()
	x.new.Mend()
	x.ends(1, false)
}

// TestHandoverDown hands over a node whose link is down.
func TestHandoverDown(t *testing.T) {
	t.Parallel()
	x := newFault(t)
	x.old.Cut()
	x.before.until("it notices", func() bool { return x.before.downs == 1 })
	x.handOver(func() {})
	x.ends(0, false)
}

// TestHandoverSuccessorDies has nobody take over: what the node has said is taken back, as of one that has died.
func TestHandoverSuccessorDies(t *testing.T) {
	t.Parallel()
	x := newFault(t)
	x.handOver(func() { x.new.Cut() })
	x.after.loop.Await(x.after.hub.Close)
	isGone(t, x.before.broker)
	isGone(t, x.after.broker)
	x.stop()
	a := x.a.process()
	linemantest.Until(t, "it is still present", func() bool {
		done := make(chan int, 1)
		a.loop.Await(func() {
			a.check(a.hub.Presence("chat:1", func(p push.Presence, err error) { done <- p.N }))
		})
		return <-done == 0
	})
	isTidy(t, x.server, 1)
}
