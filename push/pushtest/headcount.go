package pushtest

import (
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// This file tests headcounts, which are what Hubs make of the presence of a Broker.

// countNode is a node with a Hub whose connections are told how many there are in a channel.
type countNode struct {
	t    *testing.T
	loop *Loop

	// Owned by the loop.
	hub   *push.Hub[*rollConn]
	last  uint64
	count int // as its connections were told last
}

// silent are Followers who are told nothing else.
type silent struct{}

func (silent) Since(*rollConn, push.Target) push.Since                          { return push.Since{} }
func (silent) Begun(*rollConn, push.Target, push.Recovery)                      {}
func (silent) Published(iter.Seq[*rollConn], push.Target, push.Stored) int      { return 0 }
func (silent) Passed(*rollConn, push.Target, push.Position)                     {}
func (silent) Missed(iter.Seq[*rollConn], push.Target, push.Gap, push.Position) {}
func (silent) Ended(*rollConn, push.Target)                                     {}

// countNode makes one, and waits until it is linked.
func (c *cluster) countNode() *countNode {
	c.t.Helper()
	n := &countNode{t: c.t, loop: NewLoop(c.t)}
	o := push.Options[*rollConn]{
		Fanout: func(iter.Seq[*rollConn], []byte, *push.Forms) int { return 0 },
		Do:     n.loop.Do, Broker: c.Broker(), Followers: silent{},
		Namespaces: map[string]push.Namespace{"room": {TellSubscribers: true}},
		SubscribersChanged: func(_ iter.Seq[*rollConn], _ push.Target, count int, _ bool) {
			n.count = count
		},
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

// until waits until something holds on the loop.
func (n *countNode) until(what string, holds func() bool) {
	n.t.Helper()
	var count int
	if !until(func() (held bool) { n.loop.Await(func() { held, count = holds(), n.count }); return held }) {
		n.t.Fatalf("it never holds: %s; told %d", what, count)
	}
}

// hears waits until connections are told so many.
func (n *countNode) hears(count int) {
	n.t.Helper()
	n.until(fmt.Sprintf("%d are told", count), func() bool { return n.count == count })
}

// comes adds a connection; the function removes it.
func (n *countNode) comes() (goes func()) {
	n.t.Helper()
	var m *push.Member[*rollConn]
	n.loop.Await(func() {
		n.last++
		var err error
		if m, err = n.hub.AddFollower(&rollConn{n.last}, ""); err == nil {
			err = m.Subscribe("room:1.x")
		}
		if err != nil {
			n.t.Error(err)
		}
	})
	return func() { n.loop.Await(func() { n.hub.Remove(m) }) }
}

// testHeadcount tells the connections of a channel how many they are on all nodes, also when some go, or a node does.
func testHeadcount(t *testing.T, c *cluster) {
	c.knowsPresence()
	a, b, d := c.countNode(), c.countNode(), c.countNode()
	a.comes()
	goes := b.comes()
	b.comes()
	a.hears(3)
	b.hears(3)
	d.comes()
	for _, n := range []*countNode{a, b, d} {
		n.hears(4)
	}
	goes()
	a.hears(3)
	d.loop.Await(d.hub.Close)
	a.hears(2)
	b.hears(2)
}

// testHeadcountBroken tells them afterwards what has changed while the link was down.
func testHeadcountBroken(t *testing.T, c *cluster) {
	c.knowsPresence()
	if c.Cut == nil {
		t.Skip("nothing can break")
	}
	a, b := c.countNode(), c.countNode()
	a.comes()
	goes := b.comes()
	b.comes()
	a.hears(3)
	c.Cut()
	for _, n := range []*countNode{a, b} {
		n.until("it learns that the link is down", func() bool { return !n.hub.Linked() })
	}
	goes()
	a.comes()
	a.comes()
	c.Mend()
	a.hears(4)
	b.hears(4)
}
