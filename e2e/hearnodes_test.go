package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// nodeURL is what pages ask for.
var nodeURL = &url.URL{Scheme: "ws", Host: "127.0.0.1", Path: "/"}

// earshot are three nodes with listeners of two groups, and pages.
type earshot struct {
	*hearsay
	t     *testing.T
	nodes []*mortal
	ears  []*lineEar
	all   []*talker
	pages int // that there were
}

const (
	earshotDebounce = 2 * time.Second
	earshotSettings = `
dev: true
limits: {logins_per_uid: 1000, messages_per_connection: 1000}
events: {messages: back end, debounce: 2s}
namespaces: {room: {subscribe: all}}
`
)

// TestHearNodes has listeners of two groups at one of three nodes, at two, and at all, which hear of the pages of all
// nodes; they are killed at random, users go from node to node, and at last a node is killed.
func TestHearNodes(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	h := &earshot{hearsay: newHearsay("one", "two"), t: t}
	for range 3 {
		h.nodes = append(h.nodes, newMortalOf(t, earshotSettings, "--redis-addresses", r.addr))
	}
	t.Cleanup(func() {
		h.report()
		for _, e := range h.ears {
			e.kill()
		}
		for _, k := range h.all {
			k.conn.Close()
		}
	})
	for i := range h.nodes {
		h.listen(i, "one")
		h.listen(i, "two")
		h.known()
		h.heardOnce(fmt.Sprint("listeners at ", i+1, " nodes"))
	}
	h.called()
	h.moves()
	h.listenersDie()
	h.nodeDies()
}

// report tells of what is not as it should be.
func (h *earshot) report() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, complaint := range h.complaints {
		h.t.Error(complaint)
	}
	for name, g := range h.groups {
		for _, k := range h.all {
			if p := g.pages[k.uid]; p == nil || p.said != k.said {
				h.t.Logf("group %s: %s of level %d at node %d has said %d; heard is %+v",
					name, k.uid, k.level, k.node, k.said, p)
			}
		}
		h.t.Logf("group %s: %d pages, events by node %v, %d of them again, %d syncs",
			name, len(g.pages), g.at, g.again, g.syncs)
	}
}

// listen adds a listener at a node.
func (h *earshot) listen(node int, group string) {
	h.t.Helper()
	e, err := listenAt(h.hearsay, node, h.nodes[node].backend, group)
	if err != nil {
		h.t.Fatal(err)
	}
	h.ears = append(h.ears, e)
}

// come adds pages at each node, half of them of level 1.
func (h *earshot) come(each int) (all []*talker) {
	h.t.Helper()
	for node, m := range h.nodes {
		for i := range each {
			k := &talker{uid: fmt.Sprint("p", h.pages), level: i % 2}
			h.pages++
			if err := k.comeTo(node, m.pages); err != nil {
				h.t.Fatal(err)
			}
			all, h.all = append(all, k), append(h.all, k)
		}
	}
	return all
}

// known waits until all nodes know that there are listeners of both groups: what is said at another node before that is
// not for them.
func (h *earshot) known() {
	h.t.Helper()
	linemantest.Until(h.t, "nodes do not know of listeners", func() bool {
		all := h.come(2)
		h.talk(all, 1, time.Now().Add(patience)) // those of level 1 are answered by all groups that there are
		h.all = h.all[:len(h.all)-len(all)]
		for _, k := range all {
			k.leave()
		}
		return h.every(func(g *hearers) bool {
			for _, k := range all {
				if k.level == 1 && (g.pages[k.uid] == nil || g.pages[k.uid].connects == 0) {
					return false
				}
			}
			return true
		})
	})
}

// talk has pages say something, all at once, until each has said so much more, or the time is over.
func (h *earshot) talk(all []*talker, times int, until time.Time) {
	h.t.Helper()
	var talking sync.WaitGroup
	for _, k := range all {
		talking.Go(func() {
			for i := 0; i < times && time.Now().Before(until); i++ {
				if err := k.say(); err != nil {
					h.t.Errorf("%s at node %d: %v", k.uid, k.node, err)
					return
				}
				<-time.After(10 * time.Millisecond)
			}
		})
	}
	talking.Wait()
}

// heardOnce has pages at all nodes come, talk and go: each group hears all of it, in order and once.
func (h *earshot) heardOnce(when string) {
	h.t.Helper()
	all := h.come(6)
	h.talk(all, 20, time.Now().Add(patience))
	linemantest.Until(h.t, when+": the groups do not hear all", func() bool { return h.has(all, false) })
	for _, k := range all {
		k.leave()
	}
	linemantest.Until(h.t, when+": the groups do not hear that they went", func() bool { return h.has(all, true) })
	h.every(func(g *hearers) bool {
		for _, k := range all {
			if p := g.pages[k.uid]; p.connects != 1 || p.closes != 1 || p.code != 1001 {
				h.t.Errorf("%s: told of %s: %+v", when, k.uid, *p)
			}
		}
		if g.again > 0 {
			h.t.Errorf("%s: %d events came again", when, g.again)
		}
		return true
	})
}

// called has pages of all nodes ask listeners that are elsewhere.
func (h *earshot) called() {
	h.t.Helper()
	for _, e := range h.ears[2:] { // only the first node has listeners
		e.kill()
	}
	h.ears = h.ears[:2]
	for _, k := range h.come(2) {
		if k.level == 0 {
			continue
		}
		answer, err := k.ask(map[string]any{"op": "rpc", "method": "where", "data": k.uid})
		if want := fmt.Sprintf(`{"node":0,"asked":%q}`, k.uid); err != nil || string(answer.Data) != want {
			h.t.Errorf("node %d: a call is answered by %+v, %v", k.node, answer, err)
		}
	}
	for node := 1; node < 3; node++ {
		h.listen(node, "one")
		h.listen(node, "two")
	}
}

// moves has a user and its channel go from node to node within the debounce, which nobody is told, and then go.
func (h *earshot) moves() {
	h.t.Helper()
	const uid, channel = mover, "room:1"
	told := func(what ...string) func() bool {
		return func() bool {
			return h.every(func(g *hearers) bool {
				var want []string
				for _, w := range what {
					want = append(want, map[string]string{"join": "occupied", "leave": "vacated"}[w])
				}
				return slices.Equal(g.moves[uid], what) && slices.Equal(g.moves[channel], want)
			})
		}
	}
	k := &talker{uid: uid, level: 1}
	for i := range 4 {
		if i > 0 {
			k.leave()
		}
		*k = talker{uid: uid, level: 1}
		if err := k.comeTo(i%3, h.nodes[i%3].pages); err != nil {
			h.t.Fatal(err)
		}
		if answer, err := k.ask(map[string]any{"op": "sub", "ch": channel}); err != nil || answer.Op == "err" {
			h.t.Fatalf("sub: %+v, %v", answer, err)
		}
		linemantest.Until(h.t, "it is not told that the user and the channel are there", told("join"))
	}
	<-time.After(earshotDebounce + inFlight)
	if !told("join")() {
		h.t.Error("it is told that a user has gone who went from node to node")
	}
	k.leave()
	linemantest.Until(h.t, "it is not told that they have gone", told("join", "leave"))
	<-time.After(inFlight)
	if !told("join", "leave")() {
		h.t.Error("that is told more than once")
	}
}

// listenersDie kills listeners, and starts others at random nodes, while pages talk: nothing is lost, all is in order,
// and what comes again is marked.
func (h *earshot) listenersDie() {
	h.t.Helper()
	all, until := h.come(6), time.Now().Add(6*time.Second)
	talked := make(chan struct{})
	go func() { defer close(talked); h.talk(all, 1<<30, until) }()
	random := rand.New(rand.NewPCG(7, 7))
	for time.Now().Before(until) {
		<-time.After(time.Duration(random.IntN(50)) * time.Millisecond)
		i := random.IntN(len(h.ears))
		e := h.ears[i]
		e.goDeaf() // what it does now, it dies before it can say
		<-time.After(time.Duration(random.IntN(50)) * time.Millisecond)
		e.kill()
		h.ears = slices.Delete(h.ears, i, i+1)
		h.listen(random.IntN(len(h.nodes)), e.group)
	}
	<-talked
	linemantest.Until(h.t, "listeners that die lose events", func() bool { return h.has(all, false) })
	for _, k := range all {
		k.leave()
	}
	linemantest.Until(h.t, "listeners that die lose closings", func() bool { return h.has(all, true) })
	said := 0
	for _, k := range all {
		said += k.said
	}
	h.every(func(g *hearers) bool {
		if g.again == 0 {
			h.t.Error("nothing came again: that was no ordeal")
		}
		return true
	})
	h.t.Logf("%d messages to listeners that die", said)
}
