package events

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

func TestGroups(t *testing.T) {
	w := newWorld(t, Options{})
	a, b, other := w.listen("chat", Message), w.listen("chat", Message), w.listen("audit", Message)
	said := w.say("c:1.1", "7", "one")
	w.say("c:1.2", "8", "two")
	w.say("c:1.1", "7", "three")
	check(t, texts(a.got), []string{"one", "three"})
	check(t, texts(b.got), []string{"two"})
	check(t, texts(other.got), []string{"one", "two", "three"})
	if a.got[0].Seq >= b.got[0].Seq || b.got[0].Seq >= a.got[1].Seq {
		t.Error("the numbers do not grow")
	}
	if err := a.Ack(1); err != nil {
		t.Fatal(err)
	}
	w.tick()
	check(t, *said, "pending")
	_ = other.Ack(1)
	w.tick()
	check(t, *said, nil)
	if a.Ack(3) == nil {
		t.Error("what was not sent was acknowledged")
	}
}

func TestHandedOver(t *testing.T) {
	w := newWorld(t, Options{})
	a := &listener{w: w, room: -1}
	w.begin(a, Listen{Group: "chat", Events: []Kind{Message}, Window: 3})
	for _, text := range []string{"1", "2", "3", "4"} {
		w.say("c:1.1", "7", text)
	}
	_ = a.Ack(1)
	check(t, texts(a.got), []string{"1", "2", "3", "4"})
	b := w.listen("chat", Message)
	w.say("c:1.1", "7", "5")
	check(t, len(b.got), 0)
	a.Close()
	a.Close()
	check(t, texts(b.got), []string{"2 again", "3 again", "4 again", "5"})
	w.say("c:1.1", "7", "6")
	check(t, b.got[4].Text, "6")
	b.Close()
	w.say("c:1.1", "7", "7")
	c := w.listen("chat", Message)
	check(t, texts(c.got), []string{"2 again", "3 again", "4 again", "5 again", "6 again", "7"})
}

func TestLeastLoaded(t *testing.T) {
	w := newWorld(t, Options{})
	a, b := w.listen("chat", Connect), w.listen("chat", Connect)
	connect := func(conn push.Target) { w.Emit(&Event{Kind: Connect, Conn: conn}, nil) }
	connect("c:1.1")
	connect("c:1.2")
	connect("c:1.3")
	check(t, []int{len(a.got), len(b.got)}, []int{2, 1})
	w.Gone("c:1.1")
	w.Gone("c:1.3")
	_ = a.Ack(2)
	connect("c:1.4")
	check(t, []int{len(a.got), len(b.got)}, []int{3, 1})
	_ = b.Ack(1)
	_ = a.Ack(3)
	w.Gone("c:1.2")
	w.Gone("c:1.4")
	check(t, w.Stats()[0].Conns, 0)
}

// A page is held while its listener has too much to do, and others are not.
func TestBackPressure(t *testing.T) {
	w := newWorld(t, Options{})
	slow := &listener{w: w, room: -1}
	w.begin(slow, Listen{Group: "chat", Events: []Kind{Message}, Window: 2})
	w.say("c:1.1", "7", "1")
	fast := w.listen("chat", Message)
	w.say("c:1.2", "8", "1")
	for range 3 {
		w.say("c:1.1", "7", "more")
	}
	check(t, w.held, map[push.Target]bool{"c:1.1": true})
	w.say("c:1.2", "8", "2")
	check(t, len(fast.got), 2)
	_ = slow.Ack(2)
	check(t, w.held["c:1.1"], true)
	_ = slow.Ack(3)
	check(t, w.held["c:1.1"], false)
}

func TestRoom(t *testing.T) {
	w := newWorld(t, Options{})
	l := &listener{w: w, room: 1}
	w.begin(l, Listen{Group: "chat", Events: []Kind{Message}})
	w.say("c:1.1", "7", "1")
	w.say("c:1.1", "7", "2")
	check(t, texts(l.got), []string{"1"})
	l.room = -1
	l.Resume()
	check(t, texts(l.got), []string{"1", "2"})
	check(t, l.got[1].N, 2)
}

// Events wait for a listener within bounds of their number, their bytes and time, and what is dropped is told.
func TestWaiting(t *testing.T) {
	w := newWorld(t, Options{Waiting: 3, Keep: time.Minute})
	w.uids = []string{"7", "8"}
	l := w.listen("chat", Message, Join)
	check(t, l.got[0].UIDs, []string{"7", "8"})
	_ = l.Ack(1)
	l.Close()
	for _, text := range []string{"1", "2", "3"} {
		check(t, *w.say("c:1.1", "7", text), "pending")
	}
	check(t, *w.say("c:1.1", "7", "4"), ErrDropped)
	l = w.listen("chat", Message, Join)
	_ = l.Ack(3)
	w.tick()
	last := l.got[len(l.got)-2:]
	check(t, []any{last[0].Type, last[0].Events, last[1].Type, last[1].First, last[1].Last},
		[]any{Dropped, 1, Sync, true, true})
	l.Close()
	late := w.say("c:1.1", "7", "5")
	w.pass(time.Minute)
	check(t, *late, ErrDropped)
	check(t, len(w.Stats()), 0)
	check(t, w.Forgotten().Late, 3)
	check(t, w.Forgotten().Dropped, 4) // one had no room, two were not acknowledged, one came late
}

// What nobody wants yet waits for the first who does.
func TestUnclaimed(t *testing.T) {
	w := newWorld(t, Options{Keep: time.Minute})
	check(t, w.IsIdle(), true)
	said := w.say("c:1.1", "7", "1")
	w.Emit(&Event{Kind: Connect, Conn: "c:1.1"}, nil)
	other := w.listen("other", Join)
	l := w.listen("chat", Message)
	check(t, texts(l.got), []string{"1"})
	check(t, len(other.got), 1) // the Sync
	_ = l.Ack(1)
	w.tick()
	check(t, *said, nil)
	l.Close()
	other.Close()
	w.pass(time.Minute)
	said = w.say("c:1.1", "7", "2")
	w.pass(time.Minute)
	check(t, *said, ErrDropped)
	check(t, w.IsIdle(), true)
}

func TestOf(t *testing.T) {
	w := newWorld(t, Options{})
	w.uids = []string{"7", "8"}
	l := &listener{w: w, room: -1}
	w.begin(l, Listen{Group: "chat", Events: []Kind{Message, Join}, Of: []string{"u:7", "chat:*"}})
	check(t, l.got[0].UIDs, []string{"7"})
	w.say("c:1.1", "7", "of 7")
	check(t, *w.say("c:1.2", "8", "of 8"), ErrNobody)
	w.Emit(&Event{
		Kind: Message, Conn: "c:1.2", UID: "8", Data: []byte("of 8 in chat"), Form: Text,
		About: func() []push.Target { return []push.Target{"chat:1"} },
	}, nil)
	check(t, texts(l.got[1:]), []string{"of 7", "of 8 in chat"})
}

func TestRPC(t *testing.T) {
	w := newWorld(t, Options{})
	b, a := w.listen("b", RPC), w.listen("a", RPC)
	w.Emit(&Event{Kind: RPC, Conn: "c:1.1", Call: "x", Method: "m", Data: []byte("[1]")}, nil)
	check(t, []int{len(a.got), len(b.got)}, []int{1, 0})
	_ = a.Ack(1)
	a.Close()
	w.pass(time.Hour)
	w.Emit(&Event{Kind: RPC, Conn: "c:1.1", Call: "x", Method: "m", Data: []byte("[1]")}, nil)
	check(t, len(b.got), 1)
}

// TestObserver has an observer be told of everything, and nothing depend on it.
func TestObserver(t *testing.T) {
	w := newWorld(t, Options{})
	tap := &listener{w: w, room: 5}
	w.begin(tap, Listen{Group: "a tap", Events: []Kind{Message, RPC, Close}, Observe: true})
	said := w.say("c:1.1", "7", "nobody wants it yet")
	check(t, *said, "pending")
	l := w.listen("chat", Message, RPC)
	check(t, texts(l.got), []string{"nobody wants it yet"})
	_ = l.Ack(1)
	w.tick()
	check(t, *said, nil)
	asked := error(nil)
	w.Emit(&Event{Kind: RPC, Conn: "c:1.1", Call: "x", Method: "m"}, func(err error) { asked = err })
	check(t, len(l.got), 2)
	w.Emit(&Event{Kind: Close, Conn: "c:1.1"}, func(err error) { asked = err })
	w.tick()
	check(t, asked, ErrNobody)
	_ = l.Ack(2)
	check(t, []Kind{tap.got[0].Type, tap.got[1].Type, tap.got[2].Type}, []Kind{Message, RPC, Close})
	for range 3 * MaxWindow {
		w.say("c:1.1", "7", "much")
		_ = l.Ack(uint64(len(l.got)))
	}
	check(t, w.held["c:1.1"], false)
	if s := w.Stats()[0]; !s.Observes || s.Events != MaxWindow || s.Dropped == 0 {
		t.Errorf("%+v", s)
	}
	if _, err := w.Dispatcher.Listen(Listen{Group: "a tap", Events: []Kind{Message}, Sink: l}); err == nil {
		t.Error("another one is in the group of an observer")
	}
	if _, err := w.Dispatcher.Listen(Listen{Group: "chat", Events: []Kind{Message}, Observe: true}); err == nil {
		t.Error("an observer is in the group of others")
	}
	tap.Close()
	check(t, len(w.Stats()), 1)
	check(t, w.Forgotten(), Counters{})
}

func TestLeave(t *testing.T) {
	w := newWorld(t, Options{})
	a := w.listen("chat", Message)
	w.Leave(true)
	check(t, a.got[0].Type, Leaving)
	a.Close()
	b := w.listen("chat", Message)
	check(t, len(b.got), 1) // its own, not that of the other
	check(t, b.got[0].Again, false)
}

func TestWrong(t *testing.T) {
	w := newWorld(t, Options{})
	for _, want := range []Listen{
		{}, {Group: "chat"}, {Group: "a\nb", Events: []Kind{Message}}, {Group: "chat", Events: []Kind{Sync}},
		{Group: "chat", Events: []Kind{Message}, Window: -1},
		{Group: "chat", Events: []Kind{Message}, Window: MaxWindow + 1},
	} {
		if _, err := w.Dispatcher.Listen(want); err == nil {
			t.Errorf("%+v was accepted", want)
		}
	}
	for i := range maxGroups {
		w.listen(fmt.Sprint(i), Message)
	}
	if _, err := w.Dispatcher.Listen(Listen{Group: "more", Events: []Kind{Message}}); !errors.Is(err, push.ErrLimit) {
		t.Errorf("one group too many: %v", err)
	}
}

// Whatever listeners do, each event of a connection is done at least once, in order, and twice only where that is
// marked.
func TestRandom(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		w := newWorld(t, Options{})
		var all []*listener
		said, done := map[string]int{}, map[string][]told{}
		work := func(l *listener, n int) {
			for _, e := range l.got[:n] {
				done[e.Conn] = append(done[e.Conn], e)
			}
		}
		for range 200 {
			switch i := r.IntN(10); {
			case i < 5:
				conn := fmt.Sprintf("c:1.%d", r.IntN(5))
				said[conn]++
				w.say(conn, "7", fmt.Sprint(said[conn]))
			case i < 7 && len(all) < 4:
				l := &listener{w: w, room: r.IntN(4) - 1}
				w.begin(l, Listen{Group: "chat", Events: []Kind{Message}, Window: 1 + r.IntN(4)})
				all = append(all, l)
			case i < 9 && len(all) > 0:
				l := all[r.IntN(len(all))]
				n := r.IntN(len(l.got) + 1)
				if n > 0 {
					at := l.got[n-1].N
					work(l, n)
					l.got = l.got[n:]
					_ = l.Ack(at)
				}
				l.room = r.IntN(4)
				l.Resume()
			case len(all) > 0:
				at := r.IntN(len(all))
				work(all[at], r.IntN(len(all[at].got)+1)) // it has done these, and nobody knows
				all[at].Close()
				all = slices.Delete(all, at, at+1)
			}
		}
		for _, l := range all {
			l.Close()
		}
		last := w.listen("chat", Message)
		work(last, len(last.got))
		for conn, n := range said {
			at := 0
			for _, e := range done[conn] {
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
	}
}

func TestNoListener(t *testing.T) {
	w := newWorld(t, Options{})
	if n := testing.AllocsPerRun(100, func() {
		if w.Wants(Message) {
			t.Fail()
		}
		w.Gone("c:1.1")
	}); n > 0 {
		t.Errorf("%v allocations where nobody listens", n)
	}
}

// drain is a Sink that takes everything.
type drain struct{}

func (drain) Send([]byte) bool { return true }

func TestAllocations(t *testing.T) {
	w := newWorld(t, Options{})
	l, err := w.Dispatcher.Listen(Listen{Group: "chat", Events: []Kind{Message}, Sink: drain{}})
	if err != nil {
		t.Fatal(err)
	}
	e := Event{Kind: Message, Conn: "c:5f3a000000000000.1", UID: "7", Data: []byte(`{"say":"hello"}`)}
	n := uint64(0)
	if allocs := testing.AllocsPerRun(1000, func() {
		e.Seq, e.At = 0, time.Time{}
		w.Emit(&e, nil)
		n++
		_ = l.Ack(n)
	}); allocs > 1 {
		t.Errorf("%v allocations an event, want that of its text", allocs)
	}
}

func BenchmarkEmit(b *testing.B) {
	w := newWorld(nil, Options{})
	l, _ := w.Dispatcher.Listen(Listen{Group: "chat", Events: []Kind{Message}, Sink: drain{}})
	e := Event{Kind: Message, Conn: "c:5f3a000000000000.1", UID: "7", Data: []byte(`{"say":"hello"}`)}
	b.ReportAllocs()
	for n := uint64(1); b.Loop(); n++ {
		e.Seq, e.At = 0, time.Time{}
		w.Emit(&e, nil)
		_ = l.Ack(n)
	}
}

// A process that has a successor tells no more who is there: its pages leave it, and nobody is gone for that.
func TestNoSyncWhenLeaving(t *testing.T) {
	w := newWorld(t, Options{})
	var listed func()
	w.options.State = func(_, _ bool, done func(u, c []string, err error)) {
		listed = func() { done(nil, nil, nil) }
	}
	l := w.listen("a", Join, Leave)
	w.Leave(true)
	listed()
	w.SyncAll()
	check(t, len(l.got), 1)
	check(t, l.got[0].Type, Leaving)
}
