package simulation

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/lineman-go/lineman/push"
)

// node is a process with a Hub.
type node struct {
	name  string
	group *cluster
	hub   *push.Hub[*conn]
	conns map[uint64]*conn
	queue *wire    // of its loop
	due   []func() // that are under way there
	dead  bool
	link  *link // nil: no network joins it with others
	rolls listener
}

// newNode starts one.
func (g *cluster) newNode(name string) *node {
	n := &node{name: name, group: g, conns: make(map[uint64]*conn), queue: newWire(g.world, 2*time.Millisecond)}
	n.rolls.here = make(map[string]time.Time)
	namespace := push.Namespace{History: g.retention, Presence: push.PresenceEvents}
	o := push.Options[*conn]{
		Fanout: func(to iter.Seq[*conn], _ []byte, _ *push.Forms) int { return len(slices.Collect(to)) },
		Do:     n.do, After: n.after, Followers: n, MaxRecover: g.maxRecover,
		Namespaces:   map[string]push.Namespace{"chat": namespace},
		HistoryBytes: g.historyBytes, PresenceChanged: n.present, PresenceRenewed: n.renewed,
	}
	g.equip(&o)
	if g.disk != nil {
		o.Journal = &journal{disk: g.disk, node: &n}
	}
	if g.guests != nil {
		o.RollDelay = g.guests.delay
		o.RollChanged = func(_ push.Roll, uid string, here bool) { g.guests.changed(n, uid, here) }
	}
	var err error
	if n.hub, err = push.New(o); err != nil {
		g.world.fail("%s: %v", name, err)
	}
	if g.server != nil {
		n.link = g.server.links[len(g.server.links)-1]
	}
	g.world.note("%s starts", name)
	n.check()
	if g.guests != nil {
		g.guests.listen(n)
	}
	return n
}

// do runs a function on the loop of the node, in order.
func (n *node) do(f func()) bool {
	if n.dead {
		return false
	}
	n.due = append(n.due, f)
	n.queue.carry(func() {
		if len(n.due) > 0 { // else it was done in a handover
			f := n.due[0]
			n.due = n.due[1:]
			f()
		}
	})
	return true
}

// runDue runs all that is under way, and reports whether there was something.
func (n *node) runDue() (any bool) {
	for ; len(n.due) > 0; any = true {
		f := n.due[0]
		n.due = n.due[1:]
		f()
	}
	return any
}

// later is do for what comes from outside.
func (n *node) later(f func()) { n.do(f) }

func (n *node) after(d time.Duration, f func()) {
	n.group.world.after(d, func() { n.do(f) })
}

// check compares tails with the history, as the server does.
func (n *node) check() {
	n.after(time.Second, func() {
		n.hub.CheckTails(5)
		n.check()
	})
}

// die ends the process, and all that it has.
func (n *node) die() {
	n.group.world.note("%s dies", n.name)
	n.dead = true
	n.queue.lose()
	n.due = nil
	for uid := range n.rolls.here {
		n.group.guests.sees(uid)
	}
	for _, id := range slices.Sorted(maps.Keys(n.conns)) {
		if c := n.conns[id]; c.client.conn == c {
			c.client.leave()
			c.client.soon()
		}
	}
}

// soon comes back after a while.
func (c *client) soon() {
	w := c.group.world
	w.after(w.between(10*time.Millisecond, 3*time.Second), c.come)
}

// present takes who has come to a channel or gone.
func (n *node) present(to iter.Seq[*conn], in push.Target, e push.PresenceEvent) {
	for c := range to {
		c.say(func(client *client) { client.see(in, e) })
	}
}

// renewed takes who is in a channel.
func (n *node) renewed(to iter.Seq[*conn], in push.Target, p push.Presence) {
	for c := range to {
		c.say(func(client *client) { client.renew(in, p) })
	}
}

// What follows is push.Followers.

func (n *node) Since(c *conn, of push.Target) push.Since { return push.Since{Position: c.since[of]} }

func (n *node) Begun(c *conn, of push.Target, r push.Recovery) {
	if of == push.UID(c.client.name) {
		return
	}
	since := c.since[of]
	c.say(func(client *client) { client.begin(of, r, since) })
}

func (n *node) Published(to iter.Seq[*conn], of push.Target, s push.Stored) (count int) {
	s.Data = slices.Clone(s.Data)
	for c := range to {
		c.say(func(client *client) { client.get(of, s) })
		count++
	}
	return count
}

func (n *node) Passed(c *conn, of push.Target, at push.Position) {
	c.say(func(client *client) { client.pass(of, at) })
}

func (n *node) Missed(to iter.Seq[*conn], of push.Target, why push.Gap, top push.Position) {
	for c := range to {
		c.say(func(client *client) { client.gap(of, why, top) })
	}
}

func (n *node) Ended(c *conn, of push.Target) { n.group.world.fail("nobody is taken out") }
