package push_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/push"
)

// act does something at random.
func (w *world) act() {
	n := w.nodes[w.random.IntN(len(w.nodes))]
	channel := worldChannels[w.random.IntN(len(worldChannels))]
	if len(n.conns) == 0 || w.random.IntN(6) == 0 {
		w.last++
		c := &worldConn{
			conn: &conn{id: w.last}, uid: worldUIDs[w.random.IntN(len(worldUIDs))], channels: make(map[string]bool),
			others: make(map[string]string), lists: make(map[string]map[string]string), counts: make(map[string]int),
		}
		var err error
		if c.member, err = n.hub.AddFollower(c.conn, c.uid); err != nil {
			w.fatal(err)
		}
		n.conns = append(n.conns, c)
		return
	}
	c := n.conns[w.random.IntN(len(n.conns))]
	switch w.random.IntN(12) {
	case 0, 1, 2, 3:
		n.comes(c, channel)
	case 4, 5:
		c.member.Unsubscribe(channel)
		n.leaves(c, channel)
	case 6:
		n.hub.Remove(c.member)
		n.goes(c)
	case 7:
		if w.random.IntN(3) == 0 {
			n.hub.KickUID(c.uid, 4010, "")
			for _, other := range slices.Clone(n.conns) {
				if other.uid == c.uid {
					n.goes(other)
				}
			}
		}
	case 8:
		n.tells(c, func() { c.token = w.json(c.member.SetInfo) })
	case 9:
		n.tells(c, func() {
			c.session = w.json(func(info json.RawMessage) error {
				if info == nil {
					c.member.SetValue(nil)
				} else {
					c.member.SetValue(json.RawMessage(fmt.Sprintf(`{"info":%s,"more":1}`, info)))
				}
				return nil
			})
		})
	case 10:
		n.ask(c, channel)
	case 11:
		w.tick(n)
	}
}

// json gives some info, or none, to what sets it.
func (w *world) json(set func(json.RawMessage) error) (info string) {
	var raw json.RawMessage
	if n := w.random.IntN(4); n > 0 {
		info = fmt.Sprint(n)
		raw = json.RawMessage(info)
	}
	if err := set(raw); err != nil {
		w.fatal(err)
	}
	return info
}

// ask has a connection ask who is in a channel.
func (n *worldNode) ask(c *worldConn, channel string) {
	if !c.channels[channel] || channel == "news" {
		return
	}
	if err := n.hub.Presence(push.Channel(channel), func(p push.Presence, err error) {
		if err != nil {
			n.world.fatal(err)
		}
		c.lists[channel] = listed(p)
	}); err != nil {
		n.world.fatal(err)
	}
}

// tick has a loop do what waits for it.
func (w *world) tick(n *worldNode) {
	queue := n.queue
	n.queue = nil
	for _, f := range queue {
		f()
	}
	for _, c := range n.conns {
		stale := c.stale
		c.stale = nil
		for _, channel := range stale {
			n.ask(c, channel)
		}
	}
}

// settle has all loops do all that waits for them.
func (w *world) settle() {
	waits := func(n *worldNode) bool {
		return len(n.queue) > 0 || slices.ContainsFunc(n.conns, func(c *worldConn) bool { return len(c.stale) > 0 })
	}
	for slices.ContainsFunc(w.nodes, waits) {
		for _, n := range w.nodes {
			w.tick(n)
		}
	}
}

// pass has some time pass.
func (w *world) pass() {
	w.passes(w.random.IntN(4))
}

// passes has so many seconds pass.
func (w *world) passes(seconds int) {
	w.settle()
	w.now += seconds
	time.Sleep(time.Duration(seconds) * time.Second)
	for _, n := range w.nodes {
		due := func(t timer) bool { return t.at <= w.now }
		for _, t := range slices.Clone(n.timers) {
			if due(t) {
				t.run()
			}
		}
		n.timers = slices.DeleteFunc(n.timers, due)
	}
	w.forget()
	w.settle()
}

// die has a node leave with all that it has, and another one take its place.
func (w *world) die() {
	i := w.random.IntN(len(w.nodes))
	if w.random.IntN(2) == 0 {
		w.settle()
	}
	w.lossy = w.lossy || len(w.nodes[i].queue) > 0
	w.nodes[i].hub.Close()
	if len(w.nodes) == 1 {
		clear(w.there) // there is nobody to be told
	}
	w.nodes[i] = w.node()
	w.forget()
}

// handOver has other nodes, perhaps more of them, or less, have all connections, but for some that close.
func (w *world) handOver() {
	w.settle()
	before := w.nodes
	var from, to []*hub
	for _, n := range before {
		from = append(from, n.hub)
	}
	leaves := make(map[*conn]bool)
	for _, n := range before {
		for _, c := range n.conns {
			leaves[c.conn] = w.random.IntN(8) == 0
		}
	}
	crosses := func(c *conn) bool { return !leaves[c] }
	x := save(w.t, from, crosses)
	if w.random.IntN(3) == 0 {
		return // it has failed
	}
	w.silent = true
	w.broker, w.nodes = nil, nil
	n := 1 + w.random.IntN(3)
	if n > 1 {
		w.broker = push.NewMemory()
	}
	for range n {
		w.nodes = append(w.nodes, w.node())
		to = append(to, w.nodes[len(w.nodes)-1].hub)
	}
	members := x.restore(to)
	for i, n := range before {
		w.nodes[i%len(w.nodes)].takeOver(n, members)
	}
	for _, n := range before {
		n.hub.HandedOver(crosses)
		n.end()
	}
	if w.random.IntN(2) == 0 { // the links are up before, or after
		w.settle()
	}
	for _, n := range w.nodes {
		n.hub.Restored()
	}
	w.settle()
	w.silent = false
}

// takeOver has the node have what another one has.
func (n *worldNode) takeOver(from *worldNode, members map[*conn]*member) {
	for s, left := range from.gone {
		n.gone[s] = max(left, n.gone[s])
	}
	for _, c := range from.conns {
		c.member = members[c.conn]
		n.conns = append(n.conns, c)
	}
	for _, c := range slices.Clone(n.conns) {
		if c.member == nil {
			n.goes(c)
		}
	}
}

// end has the node do all that is left: nobody is told anything of it.
func (n *worldNode) end() {
	for m := range n.hub.Members(push.Everyone) {
		n.hub.Remove(m)
	}
	for len(n.queue)+len(n.timers) > 0 {
		queue, timers := n.queue, n.timers
		n.queue, n.timers = nil, nil
		for _, f := range queue {
			f()
		}
		for _, t := range timers {
			t.run()
		}
	}
	n.hub.Close()
}

// check compares who is present, and the lists of all connections, with who should be.
func (w *world) check() {
	w.t.Helper()
	w.settle()
	for _, channel := range worldChannels[:2] {
		want := w.present(channel)
		for _, uid := range worldUIDs {
			n := w.there[seat{channel, uid}]
			if _, is := want[uid]; (n != 0 && !is || n != 1 && is) && !w.lossy {
				w.fatalf("%s has come %d times to %s, and is there: %t", uid, n, channel, is)
			}
		}
		for i, n := range w.nodes {
			if err := n.hub.Presence(push.Channel(channel), func(p push.Presence, err error) {
				if err != nil || p.N != len(want) || p.More != (p.N > mostPresent) ||
					!p.More && !maps.Equal(listed(p), want) {
					w.fatalf("node %d: %s is %s, %v; want %v", i, channel, written(p), err, want)
				}
			}); err != nil {
				w.fatal(err)
			}
			for _, c := range n.conns {
				if list := c.lists[channel]; c.channels[channel] && (len(want) <= mostPresent || list != nil) &&
					!maps.Equal(list, want) {
					w.fatalf("node %d: a connection has %v of %s, want %v", i, list, channel, want)
				}
			}
		}
	}
}

// TestPresenceModel does thousands of random things to nodes in virtual time, and compares who is present, and who
// those who follow think is, with the model. Now and then all nodes are handed over.
func TestPresenceModel(t *testing.T) { synctest.Test(t, testPresenceModel) }

func testPresenceModel(t *testing.T) {
	for seed := range uint64(60) {
		w := &world{
			t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 15)), infos: make(map[seat]string),
			there: make(map[seat]int), counts: make(map[string]int),
		}
		nodes := 1
		if seed%4 > 0 {
			w.broker, nodes = push.NewMemory(), int(seed%4)
		}
		for range nodes {
			w.nodes = append(w.nodes, w.node())
		}
		for w.step = range 600 {
			switch r := w.random.IntN(60); {
			case r < 4:
				w.pass()
			case r == 4 && w.broker != nil && w.step%3 == 0:
				w.die()
			case r == 5:
				w.handOver()
			case r == 6:
				w.passes(1)
			default:
				w.act()
			}
			if w.step%7 == 0 {
				w.check()
			}
			if w.step%101 == 0 {
				w.checkCounts()
			}
		}
	}
}
