package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/redis"
)

// handedOver hands a node over to another process, which it returns. Both loops stand still meanwhile.
func (n *node) handedOver(o redis.Options, with push.Node) *node {
	n.t.Helper()
	with.ID, with.Succeeds = "new", true
	next := enterWith(n.t, o, with)
	n.loop.Await(func() {
		from, to := n.link.(push.HandoverLink), next.link.(push.HandoverLink)
		if err := from.Settle(); err != nil {
			n.t.Error(err)
			return
		}
		state := from.AppendState(nil)
		next.loop.Await(func() {
			to.Rename(n.id)
			if err := to.RestoreState(state); err != nil {
				n.t.Error(err)
			}
			next.id, next.number = n.id, n.number
			for _, uid := range n.seated {
				to.Seat("x", uid, from.Seated("x", uid))
			}
			to.Subscribe(n.topics, func(error) {})
			to.Restored()
		})
		from.Abandon()
	})
	return next
}

// TestHandover hands a node over while others publish: what they publish reaches it once, in order, and is answered.
func TestHandover(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	o := redis.Options{Addresses: []string{s.address()}}
	a, b := join(t, "a", o), join(t, "b", o)
	b.subscribe("x", "y")
	b.topics = []push.Target{"x", "y"}
	const rounds, each = 5, 200
	var got []string
	for round := range rounds {
		outcomes := make(chan outcome, each)
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for i := range each {
				outcomes <- <-a.publish(fmt.Sprint(round, ".", i), []push.Target{"x", "y"}[i%2])
			}
		}()
		before := b
		b = b.handedOver(o, push.Node{})
		b.topics = before.topics
		<-stop
		for i := range each {
			if o := <-outcomes; o.err != nil || o.others != 1 {
				t.Fatalf("round %d: publication %d reached %d others, %v", round, i, o.others, o.err)
			}
		}
		before.broker.Wait()
		before.loop.Await(func() { got = append(got, before.got...) })
		b.reaches(0, "nobody")
	}
	b.loop.Await(func() { got = append(got, b.got...) })
	var want []string
	for round := range rounds {
		for i := range each {
			want = append(want, fmt.Sprintf("%s %d.%d", []string{"x", "y"}[i%2], round, i))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("it got %d, want %d:\n%q", len(got), len(want), got)
	}
	if b.downs > 0 || b.ups != 1 {
		t.Errorf("its link was down %d times", b.downs)
	}
	linemantest.Until(t, "not one connection is subscribed",
		func() bool { return subscribers(t, s, "lineman.{0}.x") == 1 })
}

// TestHandoverWhileSubscribing has nobody wait until the successor is subscribed to everything: what is published for
// the node reaches it meanwhile, and what it publishes reaches others.
func TestHandoverWhileSubscribing(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	o := redis.Options{Addresses: []string{s.address()}}
	a, b := join(t, "a", o), join(t, "b", o)
	a.subscribe("y")
	b.subscribe("x")
	b.topics = []push.Target{"x"}
	slow := newProxy(t, s.address())
	slow.Hold("SUBSCRIBE\r\n$13\r\nlineman.{0}.")
	before := b
	b = b.handedOver(redis.Options{Addresses: []string{slow.address()}}, push.Node{})
	for range 3 {
		a.reaches(1, "x")
		b.reaches(1, "y")
		b.reaches(0, "x") // itself, and no others
	}
	subscribed := make(chan error, 1)
	b.loop.Await(func() { b.link.Subscribe([]push.Target{"z"}, func(err error) { subscribed <- err }) })
	b.reaches(1, "y") // one that waits for z is no reason to wait
	behind := b.publish("behind", "z")
	next := b.publish("next", "y")
	a.reaches(1, "x")
	select {
	case err := <-subscribed:
		t.Fatalf("it is subscribed already, %v", err)
	case o := <-behind:
		t.Fatalf("what is for z overtook its subscription: %v", o)
	case o := <-next:
		t.Fatalf("what was published later overtook it: %v", o)
	default:
	}
	slow.Hold("")
	if err := <-subscribed; err != nil {
		t.Fatal(err)
	}
	if b, y := <-behind, <-next; b.err != nil || y.err != nil || y.others != 1 {
		t.Errorf("what waited: %v, %v", b, y)
	}
	before.broker.Wait()
	a.reaches(1, "x", "z")
	b.wants("x x", "x x", "x x", "x x", "x x", "x x", "x x", "z behind", "x x")
	a.wants("y x", "y x", "y x", "y x", "y next")
	if b.downs > 0 {
		t.Errorf("its link was down %d times", b.downs)
	}
}

// TestHandoverPresence has nobody hear of a handover who is present, and nobody stay who is not.
func TestHandoverPresence(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	a, b := knowing(t, "a", s.address()), knowing(t, "b", s.address())
	a.subscribe("x")
	const n = 1200 // more than are said at a time
	for i := range n {
		b.enters(fmt.Sprint("uid", i), "")
	}
	b.enters("ann", `{"n":1}`)
	b.enters("gone", "")
	b.leaves("gone")
	a.until("all have come", func() bool { return len(a.got) == n+3 })
	b.seated = append(b.seated, "ann")
	for i := range n - 1 { // the last one has not crossed
		b.seated = append(b.seated, fmt.Sprint("uid", i))
	}
	before := b
	b = b.handedOver(redis.Options{Addresses: []string{s.address()}},
		push.Node{PresenceEvents: func(push.Target) bool { return true }})
	before.broker.Wait()
	b.leaves("ann")
	a.until("two have gone", func() bool { return len(a.got) == n+5 })
	a.loop.Await(func() {
		got := slices.Sorted(slices.Values(a.got[n+3:]))
		if len(got) != 2 || !strings.HasPrefix(got[0], "x -ann ") || !strings.HasPrefix(got[1], "x -uid1199 ") {
			t.Errorf("it hears %q", got)
		}
	})
	linemantest.Until(t, "what the predecessor has said is still there", func() bool {
		m := do(t, s.address(), "KEYS", "lineman.{0}:seats:*")
		left, err := m.AsStrSlice()
		return err == nil && len(left) == 1
	})
}
