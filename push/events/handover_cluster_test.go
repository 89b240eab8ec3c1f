package events

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// handOver hands a node over while the others go on, and returns the world that is it then. results are those of what
// connections have said, by receipts. It may fail: then the node goes on.
func (x *wires) handOver(id string, fails bool, listeners []*listener, results map[string]string) *world {
	from := x.all[id]
	from.StandStill()
	for busy := true; busy; { // what is under way comes to an end
		busy = x.hear(id)
		for _, other := range x.ids() {
			if other != id {
				busy = x.hear(other) || len(x.all[other].due) > 0 || busy
				x.all[other].tick()
			}
		}
	}
	state := from.AppendState(nil)
	if fails {
		from.tick()
		return from
	}
	to := newWorld(x.t, Options{})
	to.now, to.uids = from.now, from.uids
	x.join(to, "a name of its own")
	if err := to.RestoreState(state); err != nil {
		x.t.Fatal(err)
	}
	for _, l := range listeners {
		if l.w != from {
			continue
		}
		var err error
		if l.Listener, err = to.Reattach(l.Number(), l); err != nil {
			x.t.Fatal(err)
		}
		l.w = to
	}
	for receipt, result := range results {
		if result == "pending" && receipt[2:3] == id && !to.Await(receipt, settledIn(results, receipt)) {
			x.t.Fatalf("%s does not wait", receipt)
		}
	}
	x.all[id], to.name = to, id
	from.HandedOver()
	from.tick()
	if from.pass(time.Hour); len(from.timers) > 0 {
		x.t.Error("the predecessor is still at something")
	}
	to.Restored()
	return to
}

func settledIn(results map[string]string, receipt string) func(error) {
	return func(err error) { results[receipt] = fmt.Sprint(err) }
}

// TestHandoverCluster hands nodes over at random while pages and listeners are at work on all of them: each event comes
// once, in order, with a number behind the last one, each page is answered, and what is about no connection is told
// once. What was relayed, and not acknowledged, is not sent again.
func TestHandoverCluster(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 18))
		x := newWires(t)
		var all []*listener
		for _, id := range []string{"a", "b", "c"} {
			w := x.node(id)
			for i := range int(seed % 3) {
				l := &listener{w: w, room: -1}
				w.begin(l, Listen{
					Group: fmt.Sprint("g", i), Events: []Kind{Message, Close, Join}, Window: 1 + r.IntN(20),
				})
				all = append(all, l)
			}
			x.run()
		}
		if len(all) == 0 {
			l := x.all["b"].listen("g0", Message, Close, Join)
			all = append(all, l)
			x.run()
		}
		said, results, joins := map[string]int{}, map[string]string{}, 0
		for range 300 {
			id := x.ids()[r.IntN(3)]
			switch i := r.IntN(12); {
			case i < 5:
				conn := fmt.Sprintf("c:%s.%d", id, r.IntN(4))
				said[conn]++
				receipt := fmt.Sprint(conn, " ", said[conn])
				results[receipt] = "pending"
				x.all[id].Emit(&Event{
					Kind: Message, Conn: push.Target(conn), UID: "7", Data: []byte(fmt.Sprint(said[conn])), Form: Text,
					Receipt: receipt,
				}, settledIn(results, receipt))
			case i < 8:
				l := all[r.IntN(len(all))]
				_ = l.Ack(l.acked + uint64(r.IntN(l.sent+1)))
			case i == 8:
				x.all[id].tick()
			case i == 9:
				x.hear(id)
			case i == 10 && r.IntN(4) == 0:
				joins++
				for _, w := range x.all {
					w.Emit(&Event{Kind: Join, UID: fmt.Sprint(joins)}, nil)
				}
			default:
				x.handOver(id, r.IntN(4) == 0, all, results)
			}
		}
		for range 100 { // the last ones
			x.pass(time.Second)
			for _, l := range all {
				_ = l.Ack(l.acked + uint64(l.sent))
			}
		}
		checkHeard(t, all, said, joins)
		for receipt, result := range results {
			if result != "<nil>" {
				t.Errorf("%s: %s", receipt, result)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// checkHeard checks that each group has heard all that was said once, and in order.
func checkHeard(t *testing.T, all []*listener, said map[string]int, joins int) {
	t.Helper()
	heard, joined := map[string]map[string]int{}, map[string]int{}
	for _, l := range all {
		name := l.group.name
		if heard[name] == nil {
			heard[name] = map[string]int{}
		}
		for i, e := range l.got {
			if e.N != uint64(i+1) || e.Again {
				t.Errorf("%+v is event %d", e, i+1)
			}
			switch e.Type {
			case Message:
				if heard[name][e.Conn]++; e.Text != fmt.Sprint(heard[name][e.Conn]) {
					t.Errorf("group %s: %s has said %s as number %d", name, e.Conn, e.Text, heard[name][e.Conn])
				}
			case Join:
				joined[name]++
			}
		}
	}
	for name, of := range heard {
		if !maps.Equal(of, said) {
			t.Errorf("group %s has heard %v, said was %v", name, of, said)
		}
		check(t, joined[name], joins)
	}
}

// TestHandoverDeadNode has a successor know the connections of other nodes, and others those of its own: when a node
// dies they are told as closed, once.
func TestHandoverDeadNode(t *testing.T) {
	x := newWires(t)
	a, b := x.node("a"), x.node("b")
	l := b.listen("chat", Close)
	c := x.node("c")
	x.run()
	a.Came("c:a.1", "7")
	a.Came("c:a.2", "8")
	c.Came("c:c.1", "9")
	x.pass(2 * time.Second)
	for _, id := range x.ids() {
		x.handOver(id, false, []*listener{l}, nil)
		x.run()
	}
	x.all["c"].Bye()
	x.all["a"].Went("c:a.2")
	x.pass(2 * time.Second)
	x.cut["a"] = true
	x.pass(10 * time.Second)
	var closed []string
	for _, e := range l.got {
		closed = append(closed, fmt.Sprint(e.Conn, " of ", e.UID, ", again: ", e.Again))
	}
	check(t, closed, []string{"c:c.1 of 9, again: true", "c:a.1 of 7, again: true"})
	x.handOver("b", false, []*listener{l}, nil)
	x.cut["a"] = false
	x.pass(3 * time.Second)
	check(t, x.all["a"].stale, 1)
}

// TestHandoverRecall has a node that was told to let go of what was relayed to it do so after its handover, and one
// that is handed over while it waits for that wait for it still.
func TestHandoverRecall(t *testing.T) {
	x := newWires(t)
	a, b := x.node("a"), x.node("b")
	l := b.listen("chat", Message)
	x.run()
	said := map[string]string{"c:a.1 1": "pending"}
	a.Emit(&Event{
		Kind: Message, Conn: "c:a.1", Data: []byte("1"), Form: Text, Receipt: "c:a.1 1",
	}, settledIn(said, "c:a.1 1"))
	x.run()
	check(t, texts(l.got), []string{"1"})
	x.handOver("a", false, nil, said)
	l.Close()
	a = x.handOver("a", false, nil, said)
	x.handOver("b", false, nil, nil)
	x.run()
	other := a.listen("chat", Message)
	x.pass(3 * time.Second)
	check(t, texts(other.got), []string{"1 again"})
	_ = other.Ack(1)
	x.run()
	check(t, said["c:a.1 1"], nil)
}

// TestHandoverDue has what nodes were about to tell each other be told by the successor, without anything that happens.
func TestHandoverDue(t *testing.T) {
	x := newWires(t)
	a, b := x.node("a"), x.node("b")
	l := b.listen("chat", Message)
	x.run()
	said := map[string]string{}
	say := func(w *world, conn string) {
		said[conn+" 1"] = "pending"
		w.Emit(&Event{
			Kind: Message, Conn: push.Target(conn), Data: []byte("1"), Form: Text, Receipt: conn + " 1",
		}, settledIn(said, conn+" 1"))
	}
	say(a, "c:a.1")
	a = x.handOver("a", false, nil, said)
	x.run()
	check(t, texts(l.got), []string{"1"})
	_ = l.Ack(1)
	b = x.handOver("b", false, []*listener{l}, said)
	x.run()
	check(t, said["c:a.1 1"], nil)

	other := &listener{w: a, room: -1}
	a.begin(other, Listen{Group: "other", Events: []Kind{Message}})
	x.handOver("a", false, []*listener{other}, said)
	x.run()
	say(b, "c:b.1")
	x.run()
	check(t, len(other.got), 1)

	l.Close()
	lost := 0
	x.loses = func() bool { lost++; return lost == 1 } // that nobody listens any more
	b.tick()
	x.loses = func() bool { return false }
	a = x.handOver("a", false, []*listener{other}, said)
	x.run()
	check(t, len(a.cluster.peers["b"].relays), 0)
}

// TestStandStill has a node whose loop stands still tell others nothing, and go on if no successor comes.
func TestStandStill(t *testing.T) {
	x := newWires(t)
	a, b := x.node("a"), x.node("b")
	l := &listener{w: b, room: -1}
	b.begin(l, Listen{Group: "chat", Events: []Kind{Message}, Window: MaxWindow})
	x.run()
	for i := range 2 * maxRelayed {
		a.say("c:a.1", "7", fmt.Sprint(i))
	}
	x.hear("b")
	check(t, len(l.got), 1) // with the others, a batch is under way
	a.StandStill()
	for range 3 {
		x.hear("a")
		x.hear("b")
	}
	check(t, len(l.got), 1)
	a.tick()
	x.run()
	check(t, len(l.got), 2*maxRelayed)
}

// TestHandoverHook has a hook not be told who is there by a node that does not tell it of that.
func TestHandoverHook(t *testing.T) {
	x := newWires(t)
	hook := Listen{Group: "hook:x", Events: []Kind{Join}, Hook: true}
	for _, id := range []string{"a", "b"} {
		l := &listener{w: x.node(id), room: -1}
		l.w.begin(l, hook)
		_ = l.Ack(1) // who was there at the start
	}
	x.run()
	state := x.all["b"].AppendState(nil)
	to := newWorld(t, Options{})
	x.join(to, "b")
	var told func(uids, channels []string, err error)
	to.options.State = func(_, _ bool, done func(u, c []string, err error)) { told = done }
	l := &listener{w: to, room: -1}
	to.begin(l, hook)
	if err := to.RestoreState(state); err != nil {
		t.Fatal(err)
	}
	to.Restored()
	to.tick()
	told([]string{"7"}, nil, nil)
	to.Emit(&Event{Kind: Join, UID: "7"}, nil)
	check(t, fmt.Sprint(l.got), "[]")
}

// goldenNode is the state of a node with all that it may have of other nodes.
func goldenNode(t testing.TB) []byte {
	x := newWires(t)
	a, b := x.node("a"), x.node("b")
	here, there := &listener{w: a, room: -1}, &listener{w: b, room: -1}
	a.begin(here, Listen{Group: "here", Events: []Kind{Message}, Of: []string{"u:8"}})
	b.begin(there, Listen{Group: "there", Events: []Kind{Message}, Of: []string{"u:7"}})
	x.run()
	b.Came("c:b.1", "8")
	x.pass(time.Second)
	a.say("c:a.1", "7", "out")
	b.say("c:b.1", "8", "done")
	b.say("c:b.1", "8", "in")
	x.run()
	_ = here.Ack(1)
	a.tick()
	a.Came("c:a.1", "7")
	c := a.cluster
	c.buried["c"], c.ward.Went = true, []push.Target{"c:a.3"}
	c.peers["b"].came["here"].ahead[3] = true
	c.peers["b"].relays["there"].gone = []string{"c:a.3"}
	return a.AppendState(nil)
}

// TestGoldenNode has what each version tells of other nodes be read for ever.
func TestGoldenNode(t *testing.T) {
	want := readGolden(t, "golden_node", stateVersion)
	if got := goldenNode(t); !bytes.Equal(got, want) {
		t.Errorf("the state is %q, want %q: what is written otherwise is another version", got, want)
	}
	for version := byte(1); version <= stateVersion; version++ {
		testGoldenNode(t, readGolden(t, "golden_node", version), want)
	}
}

func testGoldenNode(t *testing.T, state, want []byte) {
	x := newWires(t)
	w, b := newWorld(t, Options{}), x.node("b")
	x.join(w, "none")
	err := w.RestoreState(state)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.AppendState(nil); !bytes.Equal(got, want) {
		t.Errorf("what was restored is %q, want %q", got, want)
	}
	l := &listener{w: w, room: -1}
	if l.Listener, err = w.Reattach(1, l); err != nil {
		t.Fatal(err)
	}
	x.all["a"], w.name = w, "a"
	w.Restored()
	check(t, w.cluster.id, "a")
	_ = l.Ack(2)
	there := b.listen("there", Message)
	x.run()
	check(t, len(there.got), 0) // what the predecessor has relayed does not come again
	in := w.cluster.peers["b"].came["here"]
	check(t, []int{int(in.done), len(in.ahead), in.open}, []int{3, 0, 0})
}
