package simulation

import (
	"maps"
	"slices"
	"time"

	"github.com/lineman-go/lineman/push"
)

// handOver has a new process take over all nodes of one, with all their connections: nobody gets anything else than he
// would have got. It fails if the disk is slow, and at times without a reason.
func (g *cluster) handOver() {
	w := g.world
	if g.server != nil || g.guests != nil || len(g.nodes) == 0 {
		return
	}
	standStill(g.nodes)
	first, before := g.nodes[0].hub, g.nodes
	var shared [][]byte
	err := first.SaveBrokerState(func(part []byte) error {
		shared = append(shared, slices.Clone(part))
		return nil
	})
	if err != nil || w.odds.IntN(3) == 0 {
		w.note("a handover fails: %v", err)
		return
	}
	if g.memory != nil {
		g.memory = push.NewMemory()
	}
	g.nodes = nil
	for range len(before) - w.odds.IntN(len(before)) {
		g.nodes = append(g.nodes, g.newNode("successor of "+before[len(g.nodes)].name))
	}
	for _, part := range shared {
		g.check(g.nodes[0].hub.RestoreBrokerState(part))
	}
	for i, n := range before {
		state, err := n.hub.AppendState(nil)
		g.check(err)
		g.check(g.nodes[i%len(g.nodes)].hub.RestoreState(state))
	}
	for i, n := range before {
		n.crossTo(g.nodes[i%len(g.nodes)])
	}
	for _, n := range before {
		n.hub.HandedOver(func(*conn) bool { return true })
		w.after(time.Second, func() { n.dead = true })
	}
	for _, n := range g.nodes {
		n.do(n.hub.Restored)
	}
}

func (g *cluster) check(err error) {
	if err != nil {
		g.world.fail("handover: %v", err)
	}
}

// crossTo has another node have the connections.
func (n *node) crossTo(to *node) {
	g := n.group
	for _, id := range slices.Sorted(maps.Keys(n.conns)) {
		c := n.conns[id]
		to.conns[id] = c
		if m := n.hub.Member(id); m != nil {
			state, err := n.hub.AppendMember(nil, m)
			g.check(err)
			_, err = to.hub.RestoreMember(c, state)
			g.check(err)
		}
	}
	n.conns = make(map[uint64]*conn)
}

// standStill has the loops of some nodes do what they have to, and then nothing.
func standStill(nodes []*node) {
	for again := true; again; {
		again = false
		for _, n := range nodes {
			again = n.runDue() || again
		}
	}
}
