package events

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lineman-go/lineman/push"
)

// cluster joins the Dispatchers of several nodes. Each tells the others which groups have listeners there. A node that
// has none of a group relays its events to one that has some. What is about no connection is told by one node for each
// group: that with the lowest name among those that have listeners of it. Owned by the loop.
type cluster struct {
	dispatcher *Dispatcher
	id         string
	tell       func(node string, what json.RawMessage, done func(error))
	stale      func() // this node was taken for dead
	peers      map[string]*peer
	buried     map[string]bool // nodes whose connections were told as closed, as they seemed to be dead
	ward       ward
	linked     bool // others can be reached
	due        bool // others are to be told of the groups in the next tick
	still      bool // the loop stands still, or is about to: nobody is told anything
}

// peer is another node.
type peer struct {
	id     string
	heard  time.Time
	groups []notice
	relays map[string]*relay  // of events of this node, by the names of the groups
	came   map[string]*inflow // of events of that node, likewise
	wards  map[push.Target]string
}

func newPeer(id string) *peer {
	return &peer{id: id, relays: make(map[string]*relay), came: make(map[string]*inflow)}
}

// notice tells of a group that has listeners on a node.
type notice struct {
	Name   string   `json:"name"`
	Events []Kind   `json:"events"`
	Of     []string `json:"of,omitempty"`
	Hook   bool     `json:"hook,omitempty"`
}

// note is what nodes tell each other.
type note struct {
	Clock  uint64    `json:"clock"`            // the last number that was given
	Groups *[]notice `json:"groups,omitempty"` // all that there are
	Ask    bool      `json:"ask,omitempty"`    // the node wants to know those of the other
	Bye    bool      `json:"bye,omitempty"`    // it leaves: all its connections have closed
	Stale  bool      `json:"stale,omitempty"`  // the other was taken for dead

	Relay  *batch   `json:"relay,omitempty"`
	Ack    *receipt `json:"ack,omitempty"`
	Recall *receipt `json:"recall,omitempty"` // others are to have what was relayed
	Refuse *receipt `json:"refuse,omitempty"` // there is no listener any more, or it was recalled

	Ward     *ward  `json:"ward,omitempty"`
	Guardian string `json:"guardian,omitempty"` // with groups: who has all of the node's ward
}

// deadAfter is after how long without a word a node is taken for dead.
const deadAfter = 6 * time.Second

// doubtAfter is after how long what it has relayed is not sent to listeners any more: it may take this node for dead
// soon, and hand that to others.
const doubtAfter = 4 * time.Second

// Join has the Dispatcher be one of a cluster, in which the node is called id. tell is push.Hub.Tell; what others tell
// goes to Told. Beat is to be called each second. stale is told when the others had taken this node for dead, and have
// told its connections as closed.
func (d *Dispatcher) Join(
	id string, tell func(node string, what json.RawMessage, done func(error)), stale func(),
) {
	d.cluster = &cluster{dispatcher: d, id: id, tell: tell, stale: stale, peers: make(map[string]*peer),
		buried: make(map[string]bool)}
	d.cluster.say("", note{Ask: true})
}

// Told takes what another node tells.
func (d *Dispatcher) Told(node string, what json.RawMessage) {
	var n note
	if c := d.cluster; c != nil && json.Unmarshal(what, &n) == nil {
		d.clock.last = max(d.clock.last, n.Clock)
		c.told(node, &n)
	}
}

// Beat tells other nodes that this one is there, and finds out which of them are not. linked reports whether they can
// be reached: while this node is cut off, it takes nobody for dead.
func (d *Dispatcher) Beat(linked bool) {
	c := d.cluster
	if c == nil {
		return
	}
	if linked && !c.linked {
		for _, p := range c.peers {
			p.heard = d.options.Now()
		}
	}
	c.linked = linked
	for _, id := range slices.Sorted(maps.Keys(c.peers)) {
		p := c.peers[id]
		silent := d.options.Now().Sub(p.heard)
		if silent > deadAfter && linked {
			c.bury(p)
			continue
		}
		if silent > doubtAfter {
			for _, in := range p.came {
				c.letGo(in)
			}
		}
		for _, r := range p.relays {
			r.send()
		}
	}
	if len(c.peers) > 0 || len(d.groups) > 0 {
		c.sayWard()
		c.sayGroups("")
	}
}

// Bye tells other nodes that this one leaves, and has no connections any more.
func (d *Dispatcher) Bye() {
	if d.cluster != nil {
		d.cluster.sayWard()
		d.cluster.say("", note{Bye: true})
	}
}

// say tells a node something, or all others. What is lost is told again.
func (c *cluster) say(node string, n note) { c.sayThen(node, n, func(error) {}) }

func (c *cluster) sayThen(node string, n note, done func(error)) {
	if c.still {
		done(errStill)
		return
	}
	n.Clock = c.dispatcher.clock.last
	text, err := json.Marshal(n)
	if err != nil { // it can always be written
		return
	}
	c.tell(node, text, done)
}

// changed tells others soon which groups there are.
func (c *cluster) changed() {
	if c == nil || c.due {
		return
	}
	c.due = true
	c.dispatcher.options.Do(func() {
		c.due = false
		c.sayGroups("")
		c.elect()
	})
}

// sayGroups tells which groups have listeners here.
func (c *cluster) sayGroups(node string) {
	groups := []notice{}
	for _, g := range c.dispatcher.groups {
		if g.isServedHere() && !g.observes {
			groups = append(groups, notice{g.name, g.kinds, g.of, g.hook})
		}
	}
	c.say(node, note{Groups: &groups, Guardian: c.guardian()})
}

// told does what a note says.
func (c *cluster) told(node string, n *note) {
	p := c.peers[node]
	if n.Bye {
		if p != nil {
			c.bury(p)
		}
		return
	}
	if p == nil {
		p = newPeer(node)
		c.peers[node] = p
		defer c.sayGroups(node)
		c.say(node, note{Ask: true})
		if c.buried[node] {
			delete(c.buried, node)
			c.say(node, note{Stale: true})
		}
	}
	p.heard = c.dispatcher.options.Now()
	switch {
	case n.Groups != nil:
		p.groups = *n.Groups
		if n.Guardian != "" && n.Guardian != c.id {
			p.wards = nil // it was this node, perhaps
		}
		c.adopt(p)
		c.elect()
	case n.Ask:
		c.sayGroups(node)
		c.ward.guardian = "" // it may have to be told all
	case n.Stale:
		c.ward.guardian = ""
		c.stale()
	case n.Relay != nil:
		c.take(p, n.Relay)
	case n.Ack != nil:
		p.acknowledged(n.Ack)
	case n.Recall != nil:
		c.recalled(p, n.Recall)
	case n.Refuse != nil:
		p.refused(n.Refuse)
	case n.Ward != nil:
		p.take(n.Ward)
	}
}

// adopt relays to a node what its groups want, and no longer what they do not.
func (c *cluster) adopt(p *peer) {
	for name, r := range p.relays {
		if !slices.ContainsFunc(p.groups, func(n notice) bool { return n.Name == name }) {
			r.recall()
		}
	}
	for _, n := range p.groups {
		if n.Hook {
			continue // each node has it
		}
		if r := p.relays[n.Name]; r == nil {
			c.relay(p, n)
		} else if !r.group.isServedHere() {
			c.dispatcher.rewant(r.group, n.Events, n.Of)
		}
	}
}

// elect finds out which groups this node tells of what is about no connection.
func (c *cluster) elect() {
	for _, g := range c.dispatcher.groups {
		tells := g.isServedHere()
		for _, p := range c.peers {
			if p.id < c.id && slices.ContainsFunc(p.groups, func(n notice) bool { return n.Name == g.name }) {
				tells = false
			}
		}
		if was := !g.mute; was != tells {
			if g.mute = !tells; tells {
				g.sync()
			}
		}
	}
}

// bury tells the connections of a node that has died, or left in a hurry, as closed, if this is the node that knows
// them. That node may have told so itself, and not that it had.
func (c *cluster) bury(p *peer) {
	wards := p.wards
	c.part(p)
	for _, conn := range slices.Sorted(maps.Keys(wards)) {
		c.dispatcher.Emit(&Event{
			Kind: Close, Conn: conn, UID: wards[conn], Code: abnormal, Why: "its node has died", Again: true,
		}, nil)
		c.dispatcher.Gone(conn)
	}
	if len(wards) == 0 {
		return
	}
	if len(c.buried) >= maxBuried {
		clear(c.buried) // most do not come back
	}
	c.buried[p.id] = true
}

// maxBuried is how many nodes are remembered that seemed to be dead.
const maxBuried = 1000

// abnormal is the code of a connection that has ended without a goodbye (RFC 6455, section 7.1.5).
const abnormal = 1006

// part forgets a node. What it was relayed and has not acknowledged goes elsewhere.
func (c *cluster) part(p *peer) {
	delete(c.peers, p.id)
	for _, r := range p.relays {
		r.end()
	}
	for _, in := range p.came {
		c.letGo(in)
	}
	for _, g := range c.dispatcher.groups {
		for conn := range g.bindings {
			if strings.HasPrefix(conn, nodePrefix(p.id)) {
				g.closed(push.Target(conn))
			}
		}
	}
	c.elect()
}

// isServedHere reports whether the group has a listener on this node.
func (g *group) isServedHere() bool { return g.listenersHere() > 0 }

// listenersHere is how many listeners of the group are on this node.
func (g *group) listenersHere() (n int) {
	for _, l := range g.listeners {
		if l.relay == nil {
			n++
		}
	}
	return n
}
