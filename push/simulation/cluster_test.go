package simulation

import (
	"fmt"
	"slices"
	"time"

	"github.com/lineman-go/lineman/push"
)

// cluster is some nodes with their Broker, the clients that follow, and what was published.
type cluster struct {
	world        *world
	kind         kind
	retention    push.Retention
	historyBytes int
	maxRecover   int
	channels     []push.Target
	nodes        []*node
	named        int // nodes
	conns        uint64
	clients      []*client
	ledger       ledger
	gaps         map[push.Gap]int
	published    int
	acknowledged map[push.Target][]push.Position

	memory *push.Memory
	server *server
	disk   *disk
	guests *guests // nil: nobody asks for rolls
}

// kind is what joins the nodes.
type kind int

const (
	alone    kind = iota // one node
	journals             // one node with a journal
	memory               // some, by a Memory
	network              // some, by a server
	kinds
)

func (k kind) String() string { return [...]string{"alone", "journal", "memory", "network"}[k] }

func newCluster(w *world, equip func(*cluster)) *cluster {
	g := &cluster{
		world: w, kind: kind(w.random.IntN(int(kinds))), ledger: make(ledger), gaps: make(map[push.Gap]int),
		retention:    push.Retention{Size: 5 + w.random.IntN(200), TTL: w.between(2*time.Second, time.Minute)},
		historyBytes: 4000 + w.random.IntN(1_000_000), maxRecover: 3 + w.random.IntN(300),
		acknowledged: make(map[push.Target][]push.Position),
	}
	for i := range 1 + w.random.IntN(4) {
		g.channels = append(g.channels, push.Channel(fmt.Sprint("chat:", i)))
	}
	count := 1
	switch g.kind {
	case journals:
		g.disk = &disk{world: w, epoch: "d0"}
	case memory:
		g.memory, count = push.NewMemory(), 2+w.random.IntN(2)
	case network:
		g.server, count = newServer(g), 2+w.random.IntN(2)
	}
	w.note("%v, %d channels, %+v, %d bytes, recovers %d", g.kind, len(g.channels), g.retention, g.historyBytes,
		g.maxRecover)
	equip(g)
	for range count {
		g.start()
	}
	for i := range 2 + w.random.IntN(8) {
		c := &client{
			name: fmt.Sprint("client", i), group: g, at: make(map[push.Target]push.Position),
			began: make(map[push.Target]bool),
		}
		for _, of := range g.channels {
			if !w.chance(3) {
				c.channels = append(c.channels, of)
			}
		}
		g.clients = append(g.clients, c)
		c.soon()
	}
	return g
}

// equip gives a node what joins it with others, and what keeps its history.
func (g *cluster) equip(o *push.Options[*conn]) {
	switch g.kind {
	case memory:
		o.Broker = g.memory
	case network:
		o.Broker = g.server
	}
}

func (g *cluster) start() *node {
	g.named++
	n := g.newNode(fmt.Sprint("node", g.named))
	g.nodes = append(g.nodes, n)
	return n
}

// someNode is one to come to; nil if there is none.
func (g *cluster) someNode() *node {
	if len(g.nodes) == 0 {
		return nil
	}
	return g.nodes[g.world.random.IntN(len(g.nodes))]
}

func (g *cluster) nodeOf(c *conn) *node {
	for _, n := range g.nodes {
		if n.conns[c.id] == c {
			return n
		}
	}
	return nil
}

// publish publishes something for one channel or two, at some node.
func (g *cluster) publish() {
	n := g.someNode()
	if n == nil {
		return
	}
	g.published++
	to := []push.Target{g.channels[g.world.random.IntN(len(g.channels))]}
	except := push.Target("")
	if g.server != nil {
		to, except = g.more(to)
	}
	data := fmt.Appendf(nil, "%s %d", to, g.published)
	n.later(func() {
		err := n.hub.Publish(push.Message[*conn]{To: to, Data: data, Except: except}, func(o push.Outcome) {
			if o.Err != nil || o.Positions == nil {
				return
			}
			for i, at := range o.Positions {
				if !g.ledger.is(to[i], at, string(data)) {
					g.world.fail("%v of %s is %q, and was another message", at, to[i], data)
				}
				g.acknowledged[to[i]] = append(g.acknowledged[to[i]], at)
			}
		})
		if err != nil {
			g.world.fail("publish: %v", err)
		}
	})
}

// more is a second channel for a publication, and who is excepted, at times.
func (g *cluster) more(to []push.Target) ([]push.Target, push.Target) {
	w := g.world
	if other := g.channels[w.odds.IntN(len(g.channels))]; other != to[0] && w.odds.IntN(3) == 0 {
		to = append(to, other)
	}
	c := g.clients[w.odds.IntN(len(g.clients))].conn
	if c == nil || w.odds.IntN(3) > 0 {
		return to, ""
	}
	if n := g.nodeOf(c); n != nil {
		if m := n.hub.Member(c.id); m != nil {
			return to, m.Target()
		}
	}
	return to, ""
}

// unfounded is why there can be no such gap; empty: there can.
func (g *cluster) unfounded(of push.Target, why push.Gap, at push.Position) string {
	switch {
	case why == push.GapAhead:
		return "nobody tells positions that are not there"
	case why == push.GapEpoch && g.epochs() == 0:
		return "nothing was lost"
	case why != push.GapExpired || g.server == nil || at.Epoch != g.server.epoch:
		return ""
	}
	k := g.server.of(of)
	missed := int(k.top - at.Offset)
	if missed > len(k.messages) {
		return ""
	}
	oldest := k.messages[len(k.messages)-missed]
	if time.Since(oldest.At) < g.retention.TTL/2 {
		return "all of it is kept"
	}
	return ""
}

// epochs is how often something was lost, at most.
func (g *cluster) epochs() int {
	switch g.kind {
	case alone:
		return g.named - 1
	case journals:
		return g.disk.epochs
	case network:
		return g.server.epochs - 1
	}
	return 0
}

// mishap has something go wrong.
func (g *cluster) mishap() {
	w := g.world
	if g.server == nil && w.odds.IntN(4) == 0 {
		g.handOver()
	}
	switch w.random.IntN(6) {
	case 0, 1, 2:
		c := g.clients[w.random.IntN(len(g.clients))]
		if c.conn != nil {
			c.leave()
			c.soon()
		}
	case 3:
		if g.server != nil && len(g.server.links) > 0 {
			g.server.links[w.random.IntN(len(g.server.links))].breaks()
		}
	case 4:
		switch {
		case g.server != nil && w.chance(3):
			g.restart()
		case g.server != nil:
			g.server.save()
		case g.disk != nil:
			g.disk.full = !g.disk.full
			w.note("the disk is full: %v", g.disk.full)
		}
	case 5:
		if w.chance(3) {
			g.replace()
		}
	}
}

// lastBlow has the server restart once more: what a client loses now, it does not get by coming back again.
func (g *cluster) lastBlow() {
	if g.server != nil {
		g.restart()
	}
}

// restart has the server restart while clients come back and tails are compared.
func (g *cluster) restart() {
	w := g.world
	w.after(w.soon(50*time.Millisecond), g.server.restart)
	for _, c := range g.clients {
		if w.odds.IntN(2) == 0 {
			c.leave()
			w.after(w.soon(50*time.Millisecond), c.come)
		}
	}
	for _, n := range g.nodes {
		w.after(50*time.Millisecond+w.soon(50*time.Millisecond), func() { n.later(func() { n.hub.CheckTails(1) }) })
	}
}

// replace has a node die, and another one start.
func (g *cluster) replace() {
	w := g.world
	n := g.someNode()
	if n == nil {
		return
	}
	g.nodes = slices.DeleteFunc(g.nodes, func(other *node) bool { return other == n })
	n.die()
	if g.kind != journals {
		n.hub.Close() // its links end with the process
	}
	if g.disk != nil && w.chance(3) {
		w.after(10*time.Millisecond, g.disk.cutPower)
	}
	w.after(w.between(20*time.Millisecond, 2*time.Second), func() { g.start() })
}
