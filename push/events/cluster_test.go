package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// wires join worlds. What is told arrives in the next tick, unless it is lost.
type wires struct {
	t     testing.TB
	all   map[string]*world
	inbox map[string][]func() // what has come to a node, and what it hears of what it has told
	loses func() bool         // a message that nobody hears of
	doubt func() bool         // one that arrives, and whose sender does not hear that
	cut   map[string]bool
}

func newWires(t testing.TB) *wires {
	never := func() bool { return false }
	return &wires{
		t: t, all: make(map[string]*world), inbox: make(map[string][]func()), loses: never, doubt: never,
		cut: make(map[string]bool),
	}
}

var errLost = errors.New("lost")

// node adds a world.
func (x *wires) node(id string) *world {
	w := newWorld(x.t, Options{})
	x.all[id], w.name = w, id
	x.join(w, id)
	return w
}

// join has a world be a node, as long as it is the one of its name.
func (x *wires) join(w *world, id string) {
	w.Join(id, func(to string, what json.RawMessage, done func(error)) {
		id, what := w.name, slices.Clone(what)
		heard := func(err error) {
			if to != "" {
				x.inbox[id] = append(x.inbox[id], func() { done(err) })
			}
		}
		if x.all[id] != w { // it is not linked yet
			done(errLost)
			return
		}
		for _, other := range x.ids() {
			there := x.all[other]
			if other == id || to != "" && to != other || x.cut[other] || x.cut[id] || x.loses() {
				continue
			}
			x.inbox[other] = append(x.inbox[other], func() { there.Told(id, what) })
			if to != "" && !x.doubt() {
				heard(nil)
				return
			}
		}
		heard(errLost)
	}, func() { w.stale++ })
}

// ids are those of the nodes, in order.
func (x *wires) ids() []string { return slices.Sorted(maps.Keys(x.all)) }

// run lets all worlds do what is due.
func (x *wires) run() {
	for busy := true; busy; {
		busy = false
		for _, id := range x.ids() {
			busy = x.hear(id) || len(x.all[id].due) > 0 || busy
			x.all[id].tick()
		}
	}
}

// hear has a node do what its inbox has, and reports whether there was something.
func (x *wires) hear(id string) bool {
	came := x.inbox[id]
	x.inbox[id] = nil
	for _, f := range came {
		f()
	}
	return len(came) > 0
}

// pass lets time go by, a beat a second.
func (x *wires) pass(d time.Duration) {
	for ; d > 0; d -= time.Second {
		for _, id := range x.ids() {
			w := x.all[id]
			w.pass(time.Second)
			w.Beat(!x.cut[id])
		}
		x.run()
	}
}

func TestRelay(t *testing.T) {
	x := newWires(t)
	a, b := x.node("a"), x.node("b")
	l := b.listen("chat", Message, Close)
	x.run()
	said := a.say("c:a.1", "7", "1")
	a.Emit(&Event{Kind: Close, Conn: "c:a.1", UID: "7"}, nil)
	a.Gone("c:a.1")
	x.run()
	check(t, texts(l.got), []string{"1", ""})
	check(t, *said, "pending")
	_ = l.Ack(2)
	x.run()
	check(t, *said, nil)
	check(t, []int{a.Stats()[0].Conns, a.Stats()[0].Events, b.Stats()[0].Conns}, []int{0, 0, 0})
	here := a.listen("chat", Message)
	x.run()
	a.say("c:a.2", "7", "2")
	x.run()
	check(t, texts(here.got), []string{"2"})
	check(t, len(l.got), 2)
	check(t, []int{a.Stats()[0].Listeners, b.Stats()[0].Listeners}, []int{1, 1}) // and no relay
}

// What waits for somebody is for the first listener on whatever node.
func TestRelayUnclaimed(t *testing.T) {
	x := newWires(t)
	a, b := x.node("a"), x.node("b")
	a.say("c:a.1", "7", "1")
	l := b.listen("chat", Message)
	x.run()
	check(t, texts(l.got), []string{"1"})
}

// A listener that ends, and a node that dies, leave what they had to others.
func TestRelayEnds(t *testing.T) {
	for name, end := range map[string]func(x *wires, l *listener){
		"the listener": func(_ *wires, l *listener) { l.Close() },
		"the node":     func(x *wires, _ *listener) { x.cut["b"] = true },
	} {
		t.Run(name, func(t *testing.T) {
			x := newWires(t)
			a, b := x.node("a"), x.node("b")
			l := b.listen("chat", Message)
			x.run()
			said := a.say("c:a.1", "7", "1")
			x.run()
			check(t, texts(l.got), []string{"1"})
			c := x.node("c")
			other := c.listen("chat", Message)
			x.run()
			end(x, l)
			x.pass(10 * time.Second)
			a.say("c:a.1", "7", "2")
			x.run()
			check(t, texts(other.got), []string{"1 again", "2"})
			_ = other.Ack(2)
			x.run()
			check(t, *said, nil)
		})
	}
}

// What is about no connection is told once for each group.
func TestStateOnce(t *testing.T) {
	x := newWires(t)
	a, b, c := x.node("a"), x.node("b"), x.node("c")
	first, second, hook := b.listen("chat", Join), c.listen("chat", Join), &listener{w: c, room: -1}
	c.begin(hook, Listen{Group: "hook:x", Events: []Kind{Join}, Hook: true})
	x.run()
	told := len(first.got) + len(second.got)
	join := func() {
		for _, w := range x.all {
			w.Emit(&Event{Kind: Join, UID: "7"}, nil)
		}
		x.run()
	}
	join()
	check(t, len(first.got)+len(second.got), told+1)
	check(t, len(hook.got), 2)
	first.Close()
	x.run()
	check(t, second.got[len(second.got)-1].Type, Sync)
	join()
	check(t, second.got[len(second.got)-1].Type, Join)
	check(t, len(a.Stats()), 1)
}

// A node that dies is told as the closing of its connections, once, and one that was only away says so.
func TestDeadNode(t *testing.T) {
	x := newWires(t)
	a, b, c := x.node("a"), x.node("b"), x.node("c")
	l, other := b.listen("chat", Close), c.listen("chat", Close)
	x.run()
	a.Came("c:a.1", "7")
	a.Came("c:a.2", "8")
	x.pass(2 * time.Second)
	a.Went("c:a.2")
	x.pass(2 * time.Second)
	x.cut["a"] = true
	x.pass(10 * time.Second)
	got := append(l.got, other.got...)
	if len(got) != 1 || got[0].Conn != "c:a.1" || got[0].UID != "7" || got[0].Code != abnormal || !got[0].Again {
		t.Errorf("told %+v", got)
	}
	x.cut["a"] = false
	x.pass(3 * time.Second)
	check(t, a.stale, 1)
	a.Went("c:a.1")
	a.Bye()
	x.run()
	check(t, len(b.cluster.peers), 1)
	check(t, len(l.got)+len(other.got), 1)
}

// One that leaves before its listeners have heard of all that has closed has others tell it.
func TestHastyNode(t *testing.T) {
	x := newWires(t)
	a, b := x.node("a"), x.node("b")
	l := b.listen("chat", Close)
	x.run()
	a.Came("c:a.1", "7")
	a.Came("c:a.2", "8")
	a.Went("c:a.2")
	a.Bye()
	x.run()
	if len(l.got) != 1 || l.got[0].Conn != "c:a.1" || !l.got[0].Again {
		t.Errorf("told %+v", l.got)
	}
}

// One that is no guardian any more does not tell what another one tells.
func TestFormerGuardian(t *testing.T) {
	x := newWires(t)
	a, c := x.node("a"), x.node("c")
	l := c.listen("chat", Close)
	x.run()
	a.Came("c:a.1", "7")
	x.pass(2 * time.Second)
	x.node("b") // is its guardian from now on
	x.pass(3 * time.Second)
	x.cut["a"] = true
	x.pass(10 * time.Second)
	check(t, len(l.got), 1)
}

// Nodes that cannot be reached by anybody take nobody for dead.
func TestAllCutOff(t *testing.T) {
	x := newWires(t)
	a, b := x.node("a"), x.node("b")
	l := b.listen("chat", Close)
	x.run()
	a.Came("c:a.1", "7")
	x.pass(2 * time.Second)
	x.cut["a"], x.cut["b"] = true, true
	x.pass(20 * time.Second)
	x.cut["a"], x.cut["b"] = false, false
	x.pass(5 * time.Second)
	check(t, len(l.got), 0)
	check(t, a.stale, 0)
}

// Whatever is lost on the way, and whichever node is handed over, each event of a connection is done at least once, in
// order, and twice only where that is marked.
func TestRelayRandom(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 1))
		x := newWires(t)
		x.loses, x.doubt = func() bool { return r.IntN(10) == 0 }, func() bool { return r.IntN(10) == 0 }
		names := []string{"a", "b", "c"}
		for _, id := range names {
			x.node(id)
		}
		var all []*listener
		said, done := map[string]int{}, map[string][]told{}
		work := func(l *listener, n int) {
			for _, e := range l.got[:n] {
				done[e.Conn] = append(done[e.Conn], e)
			}
		}
		for range 200 {
			switch i := r.IntN(13); {
			case i < 5:
				at := r.IntN(3)
				conn := fmt.Sprintf("c:%c.%d", 'a'+at, r.IntN(3))
				said[conn]++
				x.all[names[at]].say(conn, "7", fmt.Sprint(said[conn]))
			case i < 7 && len(all) < 3:
				w := x.all[names[r.IntN(3)]]
				l := &listener{w: w, room: -1}
				w.begin(l, Listen{Group: "chat", Events: []Kind{Message}, Window: 1 + r.IntN(4)})
				all = append(all, l)
			case i < 9 && len(all) > 0:
				l := all[r.IntN(len(all))]
				if n := r.IntN(len(l.got) + 1); n > 0 {
					at := l.got[n-1].N
					work(l, n)
					l.got = l.got[n:]
					_ = l.Ack(at)
				}
			case i == 9 && len(all) > 0:
				at := r.IntN(len(all))
				work(all[at], r.IntN(len(all[at].got)+1)) // it has done these, and nobody knows
				all[at].Close()
				all = slices.Delete(all, at, at+1)
			case i == 10:
				x.pass(time.Second)
			case i == 11:
				x.handOver(names[r.IntN(3)], r.IntN(4) == 0, all, nil)
			default:
				x.run()
			}
		}
		for _, l := range all {
			l.Close()
		}
		last := x.all["a"].listen("chat", Message)
		for range 20 {
			x.pass(2 * time.Second)
			if n := len(last.got); n > 0 {
				at := last.got[n-1].N
				work(last, n)
				last.got = nil
				_ = last.Ack(at)
			}
		}
		for conn, n := range said {
			verify(t, seed, push.Target(conn), done[conn], n)
		}
	}
}

// verify checks what was done of a connection.
func verify(t *testing.T, seed uint64, conn push.Target, done []told, n int) {
	t.Helper()
	at := 0
	for _, e := range done {
		switch {
		case e.Text == fmt.Sprint(at+1):
			at++
		case !e.Again:
			t.Fatalf("seed %d: %s did %s after %d, and it was not marked", seed, conn, e.Text, at)
		}
	}
	if at != n {
		t.Fatalf("seed %d: %s said %d, and %d were done in order", seed, conn, n, at)
	}
}
