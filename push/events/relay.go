package events

import (
	"time"

	"github.com/lineman-go/lineman/push"
)

// relay is a listener of a group on another node, as this node sees it: what is bound to it goes there in batches, one
// at a time. A batch that may not have come is sent again.
//
//	events ──▶ queue of the Listener ──▶ batch ──▶ the other node ──▶ its listener ──▶ ack ──▶ Listener.Ack
type relay struct {
	*Listener
	cluster *cluster
	peer    *peer
	run     uint64 // told apart from earlier ones to the same node by it
	due     bool   // it sends in the next tick
	busy    bool   // a batch is under way
	// the other node has been told to let go of what it has
	recalled bool
	arrived  uint64   // number of the last event that is there
	gone     []string // connections that have closed, and of which nothing more comes
}

// batch is what a node relays.
type batch struct {
	receipt
	Items []relayed `json:"items,omitempty"` // the last one is that of the number
	Gone  []string  `json:"gone,omitempty"`  // connections that have closed, and of which nothing more comes
}

// receipt names events that were relayed, up to one.
type receipt struct {
	Group string `json:"group"`
	Run   uint64 `json:"run"`
	N     uint64 `json:"n"`
}

// relayed is an event.
type relayed struct {
	Conn  string `json:"conn"`
	Text  []byte `json:"text"` // without its last brace
	Again bool   `json:"again,omitempty"`
}

const (
	relayWindow = 2000
	maxRelayed  = 200 // events of a batch
	relayAgain  = 300 * time.Millisecond
)

// relay begins to relay events of a group to a node.
func (c *cluster) relay(p *peer, n notice) {
	r := &relay{cluster: c, peer: p}
	c.dispatcher.stampRun(r)
	l, err := c.dispatcher.listen(Listen{Group: n.Name, Events: n.Events, Of: n.Of, Window: relayWindow, Sink: r}, r)
	if err != nil {
		return // there are too many groups, or an observer has this name
	}
	r.Listener = l
	p.relays[n.Name] = r
	r.Send(nil)
}

// stampRun gives a relay its run.
func (d *Dispatcher) stampRun(r *relay) { r.run = d.clock.next(d.options.Now()) }

// Send is that of Sink: the event is in the queue, and is sent from there.
func (r *relay) Send([]byte) bool {
	if !r.due {
		r.due = true
		r.cluster.dispatcher.options.Do(func() {
			r.due = false
			r.send()
		})
	}
	return true
}

// send sends the next batch, if none is under way.
func (r *relay) send() {
	if r.Listener == nil || r.closed || r.busy || r.recalled {
		return
	}
	from := int(r.arrived - r.acked)
	n := min(r.sent-from, maxRelayed)
	if n <= 0 && len(r.gone) == 0 {
		return
	}
	b := batch{receipt: receipt{r.group.name, r.run, r.arrived + uint64(n)}, Gone: r.gone}
	for i := range n {
		it := r.queue.at(from + i)
		b.Items = append(b.Items, relayed{it.conn(), it.text, it.again})
	}
	r.busy, r.gone = true, nil
	r.cluster.sayThen(r.peer.id, note{Relay: &b}, func(err error) {
		r.busy = false
		switch {
		case r.closed:
		case err != nil:
			r.gone = append(b.Gone, r.gone...)
			r.cluster.dispatcher.options.After(relayAgain, r.send)
		default:
			r.arrived = max(r.arrived, b.N)
			r.send()
		}
	})
}

// forget has the other node forget a connection.
func (r *relay) forget(conn string) {
	if !r.closed {
		r.gone = append(r.gone, conn)
		r.Send(nil)
	}
}

// recall has the other node let go of what it has not sent to a listener. Until it says so, or is taken for dead,
// nobody else gets it: else it might come twice without a mark.
func (r *relay) recall() {
	if r.recalled {
		return
	}
	r.recalled = true
	r.cluster.sayThen(r.peer.id, note{Recall: &receipt{r.group.name, r.run, 0}}, func(err error) {
		if r.recalled = err == nil; err != nil && !r.closed {
			r.cluster.dispatcher.options.After(relayAgain, r.recall)
		}
	})
}

// end ends it: what was not acknowledged goes elsewhere.
func (r *relay) end() {
	delete(r.peer.relays, r.group.name)
	r.Close()
}

// acknowledged takes the acknowledgement of what was relayed to the node.
func (p *peer) acknowledged(a *receipt) {
	if r := p.relays[a.Group]; r != nil && r.run == a.Run && a.N >= r.acked {
		r.arrived = max(r.arrived, a.N)
		_ = r.Ack(a.N) // it was sent
	}
}

// refused takes that the node has no listener of a group any more.
func (p *peer) refused(a *receipt) {
	if r := p.relays[a.Group]; r != nil && r.run == a.Run {
		r.end()
	}
}

// recalled lets go of what a node has relayed, and says so.
func (c *cluster) recalled(p *peer, a *receipt) {
	in := p.came[a.Group]
	switch {
	case in != nil && in.Run > a.Run: // it has been let go of before
		c.say(p.id, note{Refuse: a})
		return
	case in == nil || in.Run < a.Run: // nothing of it has come: what comes later is refused
		in = &inflow{receipt: receipt{a.Group, a.Run, 0}}
		p.came[a.Group] = in
	}
	c.turnAway(p, in)
}

// inflow is what another node relays to a group of this one. Owned by the loop.
type inflow struct {
	receipt        // the last event that has come
	done    uint64 // up to this one all were acknowledged here
	ahead   map[uint64]bool
	due     bool // that is told in the next tick
	open    int  // events that have come, and are neither acknowledged nor let go of
	refused bool // it is let go of, and when none is open any more, that is said
	leaving bool // that is said, or about to be
}

// take gives what a node relays to the listeners here.
func (c *cluster) take(p *peer, b *batch) {
	in := p.came[b.Group]
	if in != nil && in.Run > b.Run {
		return // it has been recalled
	}
	if in == nil || in.Run < b.Run {
		first := b.N - uint64(len(b.Items))
		in = &inflow{receipt: receipt{b.Group, b.Run, first}, done: first, ahead: make(map[uint64]bool)}
		p.came[b.Group] = in
	}
	g, _, known := c.dispatcher.find(b.Group)
	if !known || !g.isServedHere() || in.refused {
		c.turnAway(p, in)
		return
	}
	for i, e := range b.Items {
		n := b.N - uint64(len(b.Items)-1-i)
		if n != in.N+1 {
			continue // it has come already
		}
		in.N = n
		in.open++
		g.counters.Emitted++
		done := &completion{left: 1, done: func(err error) { c.settled(p, in, n, err) }}
		g.enqueue(item{text: e.Text, done: done, again: e.Again, from: in, number: n}, e.Conn)
	}
	for _, conn := range b.Gone {
		g.closed(push.Target(conn))
	}
	if in.done == in.N { // all of it had come and was done, and that was not heard
		c.acknowledge(p, in)
	}
}

// settled notes that a relayed event was acknowledged.
func (c *cluster) settled(p *peer, in *inflow, n uint64, err error) {
	in.open--
	if err != nil { // its listeners have been gone for too long: those elsewhere are to have it
		c.turnAway(p, in)
		return
	}
	in.ahead[n] = true
	for in.ahead[in.done+1] {
		in.done++
		delete(in.ahead, in.done)
	}
	c.acknowledge(p, in)
	if in.refused {
		c.sayRefused(p, in)
	}
}

// acknowledge tells the node in the next tick how far its events are done.
func (c *cluster) acknowledge(p *peer, in *inflow) {
	if in.due || in.leaving {
		return
	}
	in.due = true
	c.dispatcher.options.Do(func() {
		in.due = false
		n := in.done
		c.sayThen(p.id, note{Ack: &receipt{in.Group, in.Run, n}}, func(err error) {
			if err != nil && c.peers[p.id] == p {
				c.dispatcher.options.After(relayAgain, func() { c.acknowledge(p, in) })
			}
		})
	})
}

// refuse has other nodes keep what they have relayed to a group that has no listener here any more: they hand it to
// others.
func (c *cluster) refuse(g *group) {
	if c == nil {
		return
	}
	for _, p := range c.peers {
		if in := p.came[g.name]; in != nil {
			c.turnAway(p, in)
		}
	}
	c.changed()
}

// turnAway tells a node that what it relays is not taken any more, when listeners have done what they were sent: it
// hands the rest to others.
func (c *cluster) turnAway(p *peer, in *inflow) {
	c.letGo(in)
	c.sayRefused(p, in)
}

// sayRefused says so, behind the last acknowledgement.
func (c *cluster) sayRefused(p *peer, in *inflow) {
	if in.open > 0 || in.leaving {
		return
	}
	in.leaving = true
	c.dispatcher.options.Do(func() {
		c.sayThen(p.id, note{Refuse: &in.receipt}, func(err error) {
			if in.leaving = false; err != nil && c.peers[p.id] == p && p.came[in.Group] == in {
				c.dispatcher.options.After(relayAgain, func() { c.sayRefused(p, in) })
			}
		})
	})
}

// letGo has what a node has relayed, and no listener was sent yet, not be sent: that node hands it to others.
func (c *cluster) letGo(in *inflow) {
	in.refused = true
	g, _, known := c.dispatcher.find(in.Group)
	if !known {
		return
	}
	isOf := func(it *item) bool {
		if it.from != in {
			return false
		}
		g.drop(*it)
		return true
	}
	g.waiting.remove(0, isOf)
	for _, l := range g.listeners {
		l.queue.remove(l.sent, isOf)
	}
}

// nodePrefix begins the names of the connections of a node.
func nodePrefix(node string) string { return "c:" + node + "." }
