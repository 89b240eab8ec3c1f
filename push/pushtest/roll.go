package pushtest

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// This file tests rolls, which are what Hubs make of the presence of a Broker.

// rollNode is a node with a Hub.
type rollNode struct {
	t    *testing.T
	loop *Loop

	// Owned by the loop.
	hub  *push.Hub[*rollConn]
	last uint64
	told []string            // as RollChanged has told it, since it was looked at
	list map[string]struct{} // as it has told it since the roll was read
}

// rollConn is a connection that gets nothing.
type rollConn struct{ id uint64 }

func (c *rollConn) ID() uint64 { return c.id }

// rollNode makes one, and waits until it is linked.
func (c *cluster) rollNode() *rollNode {
	c.t.Helper()
	n := &rollNode{t: c.t, loop: NewLoop(c.t), list: make(map[string]struct{})}
	o := push.Options[*rollConn]{
		Fanout: func(iter.Seq[*rollConn], []byte, *push.Forms) int { return 0 },
		Do:     n.loop.Do, Broker: c.Broker(), RollDelay: c.rollDelay, RollChanged: n.changed,
		After: func(d time.Duration, f func()) {
			timer := time.AfterFunc(d, func() { n.loop.Do(f) })
			c.t.Cleanup(func() { timer.Stop() })
		},
	}
	n.loop.Await(func() {
		var err error
		if n.hub, err = push.New(o); err != nil {
			c.t.Error(err)
		}
	})
	if c.t.Failed() {
		c.t.FailNow()
	}
	c.t.Cleanup(func() { n.loop.Do(n.hub.Close) })
	n.until("the link is up", n.hub.Linked)
	return n
}

func (n *rollNode) changed(_ push.Roll, name string, here bool) {
	_, was := n.list[name]
	if was == here {
		n.t.Errorf("%q is told twice: here %v", name, here)
	}
	if here {
		n.told = append(n.told, "+"+name)
		n.list[name] = struct{}{}
	} else {
		n.told = append(n.told, "-"+name)
		delete(n.list, name)
	}
}

// until waits until something holds on the loop.
func (n *rollNode) until(what string, holds func() bool) {
	n.t.Helper()
	var told []string
	if !until(func() (held bool) { n.loop.Await(func() { held, told = holds(), n.told }); return held }) {
		n.t.Fatalf("it never holds: %s; told %q", what, told)
	}
}

// begins turns the roll of uids on, and wants those that are there already to be listed and not told.
func (n *rollNode) begins(list ...string) {
	n.t.Helper()
	n.loop.Await(func() { n.hub.Roll(push.RollUIDs, true) })
	n.lists(list...)
	n.hears()
}

// lists asks for the list, and has what is told from then on be added to it.
func (n *rollNode) lists(want ...string) {
	n.t.Helper()
	n.loop.Await(func() {}) // what was told before
	done := make(chan error, 1)
	n.loop.Await(func() {
		n.hub.ListRoll(push.RollUIDs, func(names []string, err error) {
			if err == nil && !slices.Equal(names, want) {
				err = fmt.Errorf("listed %q, want %q", names, want)
			}
			clear(n.list)
			for _, name := range names {
				n.list[name] = struct{}{}
			}
			done <- err
		})
	})
	select {
	case err := <-done:
		if err != nil {
			n.t.Fatal(err)
		}
	case <-time.After(patience):
		n.t.Fatal("the list is never told")
	}
}

// hears wants what was told since it was asked last, and nothing else.
func (n *rollNode) hears(want ...string) {
	n.t.Helper()
	n.until(fmt.Sprintf("%q is told", want), func() bool { return len(n.told) >= len(want) })
	n.loop.Await(func() {
		if slices.Sort(n.told); !slices.Equal(n.told, want) {
			n.t.Errorf("told %q, want %q", n.told, want)
		}
		n.told = nil
	})
}

// comes adds a connection; the function removes it.
func (n *rollNode) comes(uid string) (goes func()) {
	n.t.Helper()
	var m *push.Member[*rollConn]
	n.loop.Await(func() {
		n.last++
		var err error
		if m, err = n.hub.Add(&rollConn{n.last}, uid); err != nil {
			n.t.Error(err)
		}
	})
	return func() { n.loop.Await(func() { n.hub.Remove(m) }) }
}

// testRoll tells who has come to the cluster and who has gone, on each node that asks: once, wherever and however often
// it is there.
func testRoll(t *testing.T, c *cluster) {
	c.knowsPresence()
	a, b, d := c.rollNode(), c.rollNode(), c.rollNode()
	ann := a.comes("ann")
	bob := b.comes("bob")
	b.comes("ann")
	a.begins("ann", "bob")
	d.begins("ann", "bob")
	eve := d.comes("eve")
	a.hears("+eve")
	d.hears("+eve")
	ann() // is still at b
	bob()
	eve()
	a.hears("-bob", "-eve")
	d.hears("-bob", "-eve")
	a.loop.Await(func() { a.hub.Roll(push.RollUIDs, false) })
	b.comes("dan")
	d.hears("+dan")
	a.hears()
	d.lists("ann", "dan")
	a.begins("ann", "dan")
}

// testRollMoves tells nothing of a uid that goes at one node and comes to another.
func testRollMoves(t *testing.T, c *cluster) {
	c.knowsPresence()
	c.rollDelay = 3 * time.Second // a move is to be shorter, on a busy machine too
	a, b := c.rollNode(), c.rollNode()
	a.begins()
	goes := a.comes("ann")
	a.hears("+ann")
	for range 10 {
		goes()
		goes = b.comes("ann")
		goes()
		goes = a.comes("ann")
	}
	b.comes("end")
	a.hears("+end")
	goes()
	a.hears("-ann")
	a.lists("end")
}

// testRollLate has a node that joins when a roll is on say who is there, and be able to ask.
func testRollLate(t *testing.T, c *cluster) {
	c.knowsPresence()
	a := c.rollNode()
	a.begins()
	b := c.rollNode()
	b.comes("bob")
	a.hears("+bob")
	b.begins("bob")
}

// testRollGone tells that those of a node have gone which has, unless they are elsewhere.
func testRollGone(t *testing.T, c *cluster) {
	c.knowsPresence()
	a, b := c.rollNode(), c.rollNode()
	a.begins()
	a.comes("ann")
	b.comes("ann")
	b.comes("bob")
	a.hears("+ann", "+bob")
	b.loop.Await(b.hub.Close)
	a.hears("-bob")
	a.lists("ann")
}

// testRollBroken has who is there be told as gone by no break of links, and who has come meanwhile be told afterwards.
func testRollBroken(t *testing.T, c *cluster) {
	c.knowsPresence()
	if c.Cut == nil {
		t.Skip("nothing can break")
	}
	a, b := c.rollNode(), c.rollNode()
	a.begins()
	a.comes("ann")
	b.comes("bob")
	a.hears("+ann", "+bob")
	c.Cut()
	for _, n := range []*rollNode{a, b} {
		n.until("it learns that the link is down", func() bool { return !n.hub.Linked() })
	}
	a.comes("dan")
	b.comes("eve")
	c.Mend()
	for _, n := range []*rollNode{a, b} {
		n.until("the link is up again", n.hub.Linked)
	}
	a.hears("+dan", "+eve")
	a.lists("ann", "bob", "dan", "eve")
	b.begins("ann", "bob", "dan", "eve")
}

// testRollHidden has what rolls need be in no statistics of channels.
func testRollHidden(t *testing.T, c *cluster) {
	c.knowsPresence()
	a := c.join()
	a.enter("c:uids", "ann", "bob")
	a.enter("x", "ann")
	a.has("x", "ann")
	a.has("c:uids", "ann bob")
	if s, err := a.stats(); err != nil || s != (push.PresenceStats{Channels: 1, Users: 1}) {
		t.Errorf("the stats are %+v, %v", s, err)
	}
}
