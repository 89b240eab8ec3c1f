package push_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/push"
)

// crossing is a process with Hubs that keep history, in a bubble: what its loops have to do waits until the test runs
// it. Another one, to which the same happens, is never handed over.
type crossing struct {
	alarms
	t       *testing.T
	random  *rand.Rand // of the handovers
	bytes   int
	journal *notebook // nil: there is none
	memory  *push.Memory
	hubs    []*hub
	queues  []*tasks
	told    *recorder
	conns   map[uint64]*conn
	members map[*conn]*member
	home    map[*conn]int // the Hub that had it first
	crossed int
	results []string // of what was published
	epoch   string
}

func newCrossing(t *testing.T, seed uint64) *crossing {
	x := &crossing{
		t: t, random: rand.New(rand.NewPCG(seed, 3)), bytes: 3000, told: &recorder{},
		conns: make(map[uint64]*conn), members: make(map[*conn]*member), home: make(map[*conn]int),
	}
	if seed%3 == 0 {
		x.journal, x.bytes = newNotebook(), 0
	}
	x.start(1 + int(seed%2))
	x.settle()
	x.history("chat:1")
	return x
}

// start has so many Hubs.
func (x *crossing) start(n int) {
	x.memory, x.hubs, x.queues = nil, nil, nil
	if n > 1 {
		x.memory = push.NewMemory()
	}
	for range n {
		queue := new(tasks)
		o := options()
		if x.memory != nil {
			o.Broker = x.memory
		}
		if x.journal != nil {
			o.Journal = x.journal
		}
		o.Do = queue.do
		o.After = x.after
		o.Followers, o.HistoryBytes, o.MaxRecover = x.told, x.bytes, 5
		o.UIDHistory = push.Retention{Size: 3}
		o.Namespaces = map[string]push.Namespace{
			"chat": {History: push.Retention{Size: 8, TTL: time.Minute}, MaxSubscribers: 6},
			"last": {History: push.Retention{Class: push.Latest}},
		}
		x.hubs, x.queues = append(x.hubs, newHub(x.t, o)), append(x.queues, queue)
	}
}

// settle has all loops do what waits for them.
func (x *crossing) settle() {
	for again := true; again; {
		synctest.Wait()
		again = false
		for _, queue := range x.queues {
			waiting := queue.take()
			for _, f := range waiting {
				f()
			}
			again = again || len(waiting) > 0
		}
		for run := x.due(); run != nil; run = x.due() {
			run()
			again = true
		}
	}
}

// add has a connection come to a Hub, or to that which has taken its place.
func (x *crossing) add(id uint64, hub int, uid string, follows bool) {
	c := &conn{id: id}
	h := x.hubs[hub%len(x.hubs)]
	add := h.Add
	if follows {
		add = h.AddFollower
	}
	m, err := add(c, uid)
	if err != nil {
		x.t.Fatal(err)
	}
	x.conns[id], x.members[c], x.home[c] = c, m, hub
}

func (x *crossing) hubOf(c *conn) *hub { return x.hubs[x.home[c]%len(x.hubs)] }

func (x *crossing) publish(hub int, m message) {
	n := len(x.results)
	x.results = append(x.results, "")
	if err := x.hubs[hub%len(x.hubs)].Publish(m, func(o push.Outcome) {
		x.results[n] = fmt.Sprint(o.Reached, o.Err)
		for _, at := range o.Positions {
			x.results[n] += fmt.Sprint(" ", at.Offset)
			x.sees(at)
		}
	}); err != nil {
		x.t.Fatal(err)
	}
}

// sees checks that there is one epoch.
func (x *crossing) sees(at push.Position) {
	if x.epoch == "" {
		x.epoch = at.Epoch
	}
	if at.Epoch != "" && at.Epoch != x.epoch {
		x.t.Fatalf("the epoch is %s, and was %s", at.Epoch, x.epoch)
	}
}

// got is what a connection got since, with the same epoch in all processes.
func (x *crossing) got(c *conn) []string {
	got := c.take()
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], x.epoch+".", "e.")
	}
	return got
}

// history is what is kept of a target.
func (x *crossing) history(of push.Target) (text string) {
	if err := x.hubs[0].History(of, push.Range{Limit: 100}, func(h push.History, err error) {
		x.sees(h.Top)
		text = fmt.Sprint(h.Top.Offset, err)
		for _, m := range h.Messages {
			text += fmt.Sprint(" ", m.Position.Offset, string(m.Data), m.At.Round(0))
		}
	}); err != nil {
		x.t.Fatal(err)
	}
	x.settle()
	return text
}

// handOver has another process have all, or fails.
func (x *crossing) handOver() {
	if x.random.IntN(2) == 0 {
		x.settle()
	}
	before := *x
	saved := save(x.t, x.hubs, everybody)
	if x.random.IntN(4) == 0 {
		return
	}
	if x.journal != nil {
		x.journal = &notebook{late: make(chan struct{})}
	}
	x.start(1 + x.random.IntN(3))
	members := saved.restore(x.hubs)
	for c, hub := range x.home {
		x.home[c], x.members[c] = hub%len(before.hubs), members[c]
	}
	for i, h := range before.hubs {
		h.HandedOver(everybody)
		if err := h.Publish(message{To: []push.Target{"chat:1"}, Data: []byte("late")}, func(o push.Outcome) {
			if !errors.Is(o.Err, push.ErrClosed) {
				x.t.Errorf("what the predecessor publishes ends with %v", o.Err)
			}
		}); err != nil {
			x.t.Error(err)
		}
		before.queues[i].take()
	}
	if x.journal != nil {
		if before.journal.closed == 0 {
			x.t.Fatal("the predecessor keeps the journal")
		}
		x.journal.had = before.journal.successor().had
		x.journal.batches = before.journal.batches
		close(x.journal.late)
	}
	for i, h := range x.hubs {
		x.queues[i].do(h.Restored)
	}
	x.crossed++
	x.settle()
}

// TestHandoverModel does thousands of random things to two processes, one of which is handed over now and then: all
// connections get the same, all publications have the same outcomes, and the same history is kept.
func TestHandoverModel(t *testing.T) {
	crossed := 0
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) { crossed += testHandoverModel(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d handovers", crossed)
}

func testHandoverModel(t *testing.T, seed uint64) (crossed int) {
	random := rand.New(rand.NewPCG(seed, 4))
	worlds := []*crossing{newCrossing(t, seed), newCrossing(t, seed)}
	last := uint64(0)
	for step := range 300 {
		actOnCrossings(worlds, random, &last)
		a, b := worlds[0], worlds[1]
		a.settle()
		if random.IntN(8) == 0 {
			b.handOver()
		}
		b.settle()
		if step%4 > 0 {
			continue
		}
		for id, c := range a.conns {
			if want, got := a.got(c), b.got(b.conns[id]); !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: connection %d got %q, want %q", seed, step, id, got, want)
			}
		}
		if !slices.Equal(a.results, b.results) {
			t.Fatalf("seed %d, step %d: the outcomes are %q, want %q", seed, step, b.results, a.results)
		}
		for _, of := range []push.Target{"chat:1", "chat:2", "chat:3", "last:1", "u:ann", "u:bob"} {
			if want, got := a.history(of), b.history(of); got != want {
				t.Fatalf("seed %d, step %d: the history of %s is %q, want %q", seed, step, of, got, want)
			}
		}
	}
	return worlds[1].crossed
}

// actOnCrossings does something at random to all of them.
func actOnCrossings(worlds []*crossing, random *rand.Rand, last *uint64) {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	channel := pick("chat:1", "chat:2", "chat:3", "last:1", "plain:1", "plain:2")
	hub, n := random.IntN(2), random.IntN(1000)
	ids := slices.Sorted(maps.Keys(worlds[0].conns))
	action := random.IntN(24)
	uid, follows, seconds := pick("ann", "bob", ""), random.IntN(3) > 0, time.Duration(random.IntN(30))*time.Second
	to := []push.Target{push.Channel(channel)}
	if random.IntN(3) == 0 {
		to = append(to, push.Target(pick("u:ann", "u:bob", "g:all", "chat:9")))
	}
	if action < 3 || len(ids) == 0 {
		*last++
	}
	var id uint64
	if len(ids) > 0 {
		id = ids[random.IntN(len(ids))]
	}
	if action == 11 {
		time.Sleep(seconds)
	}
	for _, x := range worlds {
		c := x.conns[id]
		switch {
		case action < 3 || c == nil:
			x.add(*last, hub, uid, follows)
		case action < 8:
			_ = x.members[c].Subscribe(channel) // there may be as many as may be
		case action == 8:
			x.members[c].Unsubscribe(channel)
		case action == 9 && n < 300:
			x.hubOf(c).Remove(x.members[c])
			delete(x.conns, id)
			delete(x.members, c)
			delete(x.home, c)
		case action == 10:
			_ = x.members[c].Join("all")
		case action == 11: // it has passed
		case action == 12 && n < 300:
			_ = x.hubs[0].Forget([]push.Target{"chat:1", "u:ann"}, func(error) {})
		default:
			var except push.Target
			if n%5 == 0 {
				except = x.members[c].Target()
			}
			for i := range 1 + n%3 {
				data := fmt.Sprint("m", n, " ", i, strings.Repeat("x", n%50))
				x.publish(x.home[c], message{To: to, Data: []byte(data), Except: except})
			}
		}
	}
}
