package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
	"github.com/lineman-go/lineman/push/redis"
)

// fault is a handover in which something goes wrong. Node a publishes, without a fault; node b is handed over.
type fault struct {
	t        *testing.T
	server   *server
	a        *pushtest.Site
	old, new *proxy        // of the predecessor, and of the successor
	from, to *redis.Broker // of the predecessor, and of the successor
	before   *pushtest.Site
	after    *pushtest.Site
	plain    *pushtest.Page
	follower *pushtest.Page
	stop     func() (published int) // ends publishing
}

// newFault begins to publish.
func newFault(t *testing.T) *fault {
	s := startServer(t)
	x := &fault{t: t, server: s, old: newProxy(t, s.address()), new: newProxy(t, s.address())}
	x.a = pushtest.NewSite(t, newBroker(t, redis.Options{Addresses: []string{s.address()}, Answer: time.Second}), false)
	x.from = newBroker(t, redis.Options{Addresses: []string{x.old.address()}})
	x.before = pushtest.NewSite(t, x.from, false)
	for _, p := range []*pushtest.Site{x.a, x.before} {
		p.Until("the link is up", func() bool { return p.Hub.Linked() })
	}
	x.plain = x.before.Add(1, "ann", false, "chat:1")
	x.follower = x.before.Add(2, "bob", true, "chat:1")
	early := 0
	x.before.Until("all are there", func() bool {
		x.publish(fmt.Sprint("early ", early))
		early++
		return len(x.follower.Got) > 0 && len(x.plain.Got) > 0
	})
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				stopped <- n
				return
			default:
				x.publish(fmt.Sprint("x ", n))
				<-time.After(5 * time.Millisecond) // the history has all, however long it takes
			}
		}
	}()
	x.stop = func() int { close(stop); return <-stopped }
	return x
}

// publish has node a publish.
func (x *fault) publish(text string) {
	x.a.Publish(pushtest.Note{To: []push.Target{"chat:1"}, Text: text})
}

// handOver hands over. before is called when nothing is given up yet.
func (x *fault) handOver(before func()) {
	x.to = newBroker(x.t, redis.Options{Addresses: []string{x.new.address()}})
	x.after = pushtest.HandOver([]*pushtest.Site{x.before}, x.to, before)[0]
}

// ends waits until all is well again, and compares what the follower has got with the history. breaks are those of the
// successor's link; negative: however many there were.
func (x *fault) ends(breaks int, gap bool) {
	t, p := x.t, x.after
	t.Helper()
	p.Until("the link is up again", func() bool { return p.Hub.Linked() && (breaks < 0 || p.Downs == breaks) })
	a := x.a
	a.Until("the publisher is linked", func() bool { return a.Hub.Linked() })
	t.Logf("%d were published", x.stop())
	linemantest.Until(t, "the end does not come", func() (came bool) {
		x.publish("end") // a link that has yet to break loses what is for plain pages
		p.Loop.Await(func() { came = slices.Contains(x.plain.Got, "end") })
		return came
	})
	x.publish("last")
	p.Until("the last one comes", func() bool { return slices.Contains(x.follower.Got, "last") })
	var kept []string
	done := make(chan error, 1)
	a.Loop.Await(func() {
		a.Check(a.Hub.History("chat:1", push.Range{Limit: 5000}, func(h push.History, err error) {
			for _, m := range h.Messages {
				kept = append(kept, string(m.Data))
			}
			done <- err
		}))
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	p.Loop.Await(func() {
		got := x.follower.Got
		if gap {
			got = got[max(0, len(got)-len(kept)):]
		} else {
			kept = kept[max(0, slices.Index(kept, got[0])):]
		}
		if gap != (x.follower.Gaps > 0) || !gap && !slices.Equal(got, kept) {
			t.Errorf("the follower was told of %d gaps, and got %d messages; there are %d", x.follower.Gaps, len(got),
				len(kept))
		}
		last := -1
		for _, text := range x.plain.Got {
			n := -1
			if _, err := fmt.Sscanf(text, "x %d", &n); err == nil && n <= last {
				t.Errorf("%d came after %d", n, last)
			}
			last = max(last, n)
		}
	})
	isGone(t, x.from)
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

// TestHandoverPredecessorDiesLater has it be gone while it says its last word, or when it has said it.
func TestHandoverPredecessorDiesLater(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			x := newFault(t)
			x.handOver(func() {})
			<-time.After(after)
			x.old.Cut()
			x.ends(-1, false)
		})
	}
}

// TestHandoverServerDies has the server come back with nothing.
func TestHandoverServerDies(t *testing.T) {
	t.Parallel()
	x := newFault(t)
	x.handOver(x.server.kill)
	x.after.Until("it notices", func() bool { return x.after.Downs == 1 })
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
	x.after.Until("it notices", func() bool { return x.after.Downs == 1 })
	x.new.Mend()
	x.ends(1, false)
}

// TestHandoverSwallowed has the successor reach nobody while it takes over, and not know it.
func TestHandoverSwallowed(t *testing.T) {
	t.Parallel()
	x := newFault(t)
	x.handOver(x.new.Swallow)
	x.after.Until("it notices", func() bool { return x.after.Downs == 1 })
	x.new.Cut()
	x.new.Mend()
	x.ends(1, false)
}

// TestHandoverDown hands over a node whose link is down.
func TestHandoverDown(t *testing.T) {
	t.Parallel()
	x := newFault(t)
	x.old.Cut()
	x.before.Until("it notices", func() bool { return x.before.Downs == 1 })
	x.handOver(func() {})
	x.ends(0, false)
}

// TestHandoverSuccessorDies has nobody take over: what the node has said is taken back, as of one that has died.
func TestHandoverSuccessorDies(t *testing.T) {
	t.Parallel()
	x := newFault(t)
	x.handOver(func() { x.new.Cut() })
	x.after.Loop.Await(x.after.Hub.Close)
	isGone(t, x.from)
	isGone(t, x.to)
	x.stop()
	a := x.a
	linemantest.Until(t, "it is still present", func() bool {
		done := make(chan int, 1)
		a.Loop.Await(func() {
			a.Check(a.Hub.Presence("chat:1", func(p push.Presence, err error) { done <- p.N }))
		})
		return <-done == 0
	})
	isTidy(t, x.server, 1)
}

// TestHandoverSlow has a successor take over slowly: it takes longer than either side has patience for, and nothing is
// lost meanwhile, as there is progress. Without progress the link breaks.
func TestHandoverSlow(t *testing.T) {
	t.Parallel()
	const patience = 2 * time.Second
	s := startServer(t)
	o := redis.Options{Addresses: []string{s.address()}}
	a := join(t, "a", o)
	o.Hurry(patience)
	b := join(t, "b", o)
	topics := []push.Target{"x"}
	for i := range 8_000 { // eight times as many as are subscribed to at once
		topics = append(topics, push.Target(fmt.Sprint("topic:", i)))
	}
	b.subscribe(topics...)
	b.topics = topics
	slow := newProxy(t, s.address())
	slow.Delay("\r\nSUBSCRIBE\r\n", patience/4)
	o.Addresses = []string{slow.address()}
	before, began := b, time.Now()
	b = b.handedOver(o, push.Node{})
	gone := make(chan struct{})
	go func() { defer close(gone); before.broker.Wait() }()
	n := 0
	for waits := true; waits; n++ {
		a.reaches(1, "x")
		select {
		case <-gone:
			waits = false
		default:
		}
	}
	if took := time.Since(began); took < patience {
		t.Errorf("it took %v only", took)
	}
	b.until("all have come", func() bool { return len(b.got) == n })
	if b.downs > 0 {
		t.Errorf("its link was down %d times", b.downs)
	}
	slow.Delay("", 0)
	b.topics = topics[:1]
	stuck := newProxy(t, s.address())
	stuck.Hold("SUBSCRIBE\r\n$13\r\nlineman.{0}.")
	o.Addresses = []string{stuck.address()}
	b = b.handedOver(o, push.Node{})
	b.until("it notices", func() bool { return b.downs == 1 })
	stuck.Hold("")
	b.until("it is up again", func() bool { return b.ups == 2 })
}

// isTidy waits until a server has what so many nodes need, and nothing else.
func isTidy(t *testing.T, s *server, nodes int) {
	t.Helper()
	count := func(words ...string) int {
		m := do(t, s.address(), words...)
		all, _ := m.AsStrSlice()
		return len(all)
	}
	linemantest.Until(t, "a connection is left", func() bool {
		m := do(t, s.address(), "CLIENT", "LIST")
		text, _ := m.ToString()
		return strings.Count(text, "\n") == 3*nodes+1 // and this one
	})
	if n := count("HKEYS", registryKey); n != nodes {
		t.Errorf("the registry has %d nodes, want %d", n, nodes)
	}
	if n := count("KEYS", "lineman.{0}:seats:*"); n > nodes {
		t.Errorf("%d connections have said who is present, of %d nodes", n, nodes)
	}
}
