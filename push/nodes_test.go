package push_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
)

// TestAsk has each question be answered for the connections of all nodes.
func TestAsk(t *testing.T) {
	overBrokers(t, func(t *testing.T, o push.Options[*conn], _, _ func()) {
		var revoked []string // of the second node
		o.MaxPlaces = 3
		all := sites(t, 2, o)
		o.Revoked = func(uid string, at time.Time) { revoked = append(revoked, fmt.Sprint(uid, " ", at.Unix())) }
		all = append(all, sites(t, 1, o)...)
		a, b, d := all[0], all[1], all[2]
		_, phone := a.add("ann")
		laptop, laptopConn := b.add("ann")
		_, bob := d.add("bob")
		ann, room := []push.Target{"u:ann"}, []push.Target{"g:room"}
		want := func(q push.Question, want push.Answer) {
			t.Helper()
			got, err := a.ask(q)
			if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("%s: %+v, %v; want %+v", q.Verb, got, err, want)
			}
		}
		want(push.Question{Verb: push.Count, To: []push.Target{"u:ann", "*", "u:nobody"}},
			push.Answer{Counts: []int{2, 3, 0}})
		want(push.Question{Verb: push.Count, To: []push.Target{"u:nobody"}}, push.Answer{Counts: []int{0}})
		want(push.Question{Verb: push.Join, To: ann, Name: "room"}, push.Answer{N: 2})
		if o := d.publish(message{To: room, Data: []byte("1")}); o.Reached != 2 || o.Err != nil ||
			len(a.got(phone))+len(b.got(laptopConn)) != 2 {
			t.Errorf("the group has %+v", o)
		}
		want(push.Question{Verb: push.Subscribe, To: []push.Target{laptop.Target(), "u:bob"}, Name: "news"},
			push.Answer{N: 2})
		if got, err := a.ask(push.Question{Verb: push.ListNodes}); err != nil ||
			!slices.Equal(slices.Sorted(maps.Values(got.Nodes)), []int{1, 1, 1}) {
			t.Errorf("nodes: %v, %v", got.Nodes, err)
		}
		want(push.Question{Verb: push.ListGroups}, push.Answer{Names: []string{"room"}})
		want(push.Question{Verb: push.ListChannels}, push.Answer{Names: []string{"news"}})
		want(push.Question{Verb: push.ListChannels, Name: "new"}, push.Answer{Names: []string{"news"}})
		want(push.Question{Verb: push.ListChannels, Name: "old"}, push.Answer{})
		want(push.Question{Verb: push.SetSession, To: room, Data: []byte(`{"a":1}`)}, push.Answer{N: 2})
		if got, err := d.ask(push.Question{Verb: push.ListSessions, To: []push.Target{laptop.Target()}}); err != nil ||
			fmt.Sprint(got.Sessions) != fmt.Sprintf("map[%s:[123 34 97 34 58 49 125]]", laptop.Target()) {
			t.Errorf("the session is %+v, %v", got, err)
		}
		got, err := d.ask(push.Question{Verb: push.List, To: []push.Target{"u:ann", "g:room", "news"}})
		if err != nil || !slices.Equal(got.UIDs, []string{"ann", "bob"}) || len(got.Conns) != 3 ||
			!slices.IsSorted(got.Conns) || got.N != 3 {
			t.Errorf("list: %+v, %v", got, err)
		}
		want(push.Question{Verb: push.Leave, To: []push.Target{laptop.Target()}, Name: "room"}, push.Answer{N: 1})
		want(push.Question{Verb: push.Unsubscribe, To: []push.Target{"*"}, Name: "news"}, push.Answer{N: 3})
		want(push.Question{Verb: push.ListChannels}, push.Answer{})
		for i := range 3 {
			_, err = a.ask(push.Question{Verb: push.Join, To: []push.Target{"u:bob"}, Name: fmt.Sprint(i)})
		}
		if err != nil {
			t.Error(err)
		}
		if _, err := a.ask(push.Question{Verb: push.Join, To: []push.Target{"*"}, Name: "too many"}); !errors.Is(err,
			push.ErrLimit) || err.Error() != "push: a limit was reached: it is in 3 groups and channels" {
			t.Errorf("a fourth group: %v", err)
		}
		want(push.Question{Verb: push.Kick, To: room, Code: 4010, Reason: "enough"}, push.Answer{N: 1})
		if why := a.closed(phone); why != "4010 enough" {
			t.Errorf("the phone is closed by %q", why)
		}
		want(push.Question{Verb: push.Revoked, Name: "bob", At: 7}, push.Answer{N: 1})
		if why := d.closed(bob); why != "4001 the credential was revoked" {
			t.Errorf("bob is closed by %q", why)
		}
		d.loop.Await(func() {
			if !slices.Equal(revoked, []string{"bob 7"}) {
				t.Errorf("the node was told that %q were revoked", revoked)
			}
		})
	})
}

// TestAskWrong refuses what is wrong, and asks nobody.
func TestAskWrong(t *testing.T) {
	h := newHub(t, options())
	for _, q := range []push.Question{
		{Verb: "dance"}, {Verb: push.Count, To: []push.Target{"u:"}}, {Verb: push.Join, To: []push.Target{"*"}},
		{Verb: push.Subscribe, To: []push.Target{"*"}, Name: "g:x"}, {Verb: push.Revoked}, {Verb: push.Kick},
		{Verb: push.Count, To: []push.Target{}},
	} {
		if err := h.Ask(q, func(push.Answer, error) { t.Errorf("%+v was asked", q) }); err == nil {
			t.Errorf("%+v is taken", q)
		}
	}
}

// TestSingleLoginNodes leaves one connection of a uid, on whichever nodes logins come at a time.
func TestSingleLoginNodes(t *testing.T) {
	overBrokers(t, func(t *testing.T, o push.Options[*conn], cut, mend func()) {
		o.SingleLogin = true
		all := sites(t, 3, o)
		count := func(uid string) int {
			a, err := all[0].ask(push.Question{Verb: push.Count, To: []push.Target{push.UID(uid)}})
			if err != nil {
				return -1
			}
			return a.Counts[0]
		}
		for round := range 20 {
			uid := fmt.Sprint("uid", round)
			for _, s := range all {
				s.loop.Do(func() {
					for range 2 {
						s.last++
						add(t, s.hub, s.last, uid)
					}
				})
			}
			if cut != nil && round%5 == 4 {
				cut()
				mend()
			}
			all[0].until(func() bool { return true })
			linemantest.Until(t, fmt.Sprintf("round %d: not one connection is left", round),
				func() bool { return count(uid) == 1 })
		}
	})
}

// TestSingleLoginAway tells logins when the link is up again, and keeps nothing of those that have gone by then.
func TestSingleLoginAway(t *testing.T) {
	w := pushtest.NewNetwork()
	t.Cleanup(w.End)
	o := options()
	o.Broker, o.SingleLogin = w, true
	all := sites(t, 2, o)
	_, old := all[0].add("ann")
	w.Cut()
	all[1].until(func() bool { return !all[1].hub.Linked() })
	all[1].loop.Await(func() {
		for i := range uint64(10) {
			add(t, all[1].hub, i, fmt.Sprint("gone", i))
		}
		add(t, all[1].hub, 10, "ann")
	})
	all[1].until(func() bool { return all[1].hub.Arrivals() == 11 })
	all[1].loop.Await(func() {
		for i := range uint64(10) {
			all[1].hub.Remove(all[1].hub.Member(i))
		}
		if n := all[1].hub.Arrivals(); n != 1 {
			t.Errorf("%d logins are kept, want 1", n)
		}
	})
	w.Mend()
	all[0].until(func() bool { return old.closed == "4009 another login took its place" })
}

// TestModelNodes does random things to three nodes, and compares what they tell and deliver with the model.
func TestModelNodes(t *testing.T) {
	overBrokers(t, func(t *testing.T, o push.Options[*conn], _, _ func()) {
		random := rand.New(rand.NewPCG(7, 0))
		all := sites(t, 3, o)
		m := model{}
		home := map[uint64]*site{}
		next := uint64(0)
		name := func(prefix string, n int) string { return fmt.Sprint(prefix, random.IntN(n)) }
		for step := range 600 {
			s := all[random.IntN(len(all))]
			to := []push.Target{[]push.Target{
				push.Everyone, push.UID(name("uid", 5)), push.Group(name("group", 3)), push.Channel(name("news:", 3)),
			}[random.IntN(4)]}
			named := m.named(to...)
			ask := func(verb push.Verb, name string, apply func(*reference)) {
				a, err := s.ask(push.Question{Verb: verb, To: to, Name: name, Code: 4010})
				if err != nil || a.N != len(named) {
					t.Fatalf("step %d: %s of %v: %+v, %v; want %d", step, verb, to, a, err, len(named))
				}
				for _, id := range named {
					apply(m[id])
				}
			}
			switch action := random.IntN(12); {
			case action < 2:
				next++
				s.last = next
				uid := name("uid", 5)
				s.loop.Await(func() {
					member, c := add(t, s.hub, next, uid)
					m[next] = &reference{
						uid: uid, groups: map[string]bool{}, channels: map[string]bool{}, member: member, conn: c,
					}
				})
				home[next] = s
				// comes behind the subscription
				a, err := s.ask(push.Question{Verb: push.Count, To: []push.Target{push.UID(uid)}})
				if want := len(m.named(push.UID(uid))); err != nil || a.Counts[0] != want {
					t.Fatalf("step %d: %s has %v, %v; want %d", step, uid, a.Counts, err, want)
				}
			case action == 2:
				group := name("group", 3)
				ask(push.Join, group, func(r *reference) { r.groups[group] = true })
			case action == 3:
				group := name("group", 3)
				ask(push.Leave, group, func(r *reference) { delete(r.groups, group) })
			case action == 4:
				channel := name("news:", 3)
				ask(push.Subscribe, channel, func(r *reference) { r.channels[channel] = true })
			case action == 5:
				channel := name("news:", 3)
				ask(push.Unsubscribe, channel, func(r *reference) { delete(r.channels, channel) })
			case action == 6 && to[0] != push.Everyone:
				ask(push.Kick, "", func(r *reference) { delete(m, r.conn.id) })
			default:
				if other := push.Group(name("group", 3)); other != to[0] {
					to = append(to, other)
				}
				checkPublishNodes(t, s, m, home, to)
			}
		}
	})
}

// checkPublishNodes publishes from a node, and looks at who got it.
func checkPublishNodes(t *testing.T, s *site, m model, home map[uint64]*site, to []push.Target) {
	t.Helper()
	want := m.named(to...)
	o := s.publish(message{To: to, Data: []byte("x")})
	if o.Reached != len(want) || o.Err != nil {
		t.Fatalf("%v reached %+v, want %d", to, o, len(want))
	}
	for id, r := range m {
		wanted := 0
		if slices.Contains(want, id) {
			wanted = 1
		}
		home[id].until(func() bool { return len(r.conn.got) >= wanted })
		if got := home[id].got(r.conn); len(got) != wanted {
			t.Fatalf("%v: connection %d got it %d times, want %d", to, id, len(got), wanted)
		}
	}
}

// TestAway has messages be refused, wait, or be delivered where no other node is concerned, while the link is down.
func TestAway(t *testing.T) {
	w := pushtest.NewNetwork()
	t.Cleanup(w.End)
	o := options()
	o.Broker = w
	var links []bool
	o.Linked = func(up bool) { links = append(links, up) }
	s := sites(t, 1, o)[0]
	mine, c := s.add("ann")
	w.Cut()
	s.until(func() bool { return !s.hub.Linked() })
	if o := s.publish(message{To: []push.Target{"u:ann"}, Data: []byte("lost")}); !errors.Is(o.Err, push.ErrUnlinked) ||
		o.Reached != 0 {
		t.Errorf("to a uid: %+v", o)
	}
	if o := s.publish(message{To: []push.Target{mine.Target()}, Data: []byte("own")}); o.Reached != 1 || o.Err != nil {
		t.Errorf("to a connection of this node: %+v", o)
	}
	if o := s.publish(message{
		To: []push.Target{"u:ann"}, Data: []byte("late"), Wait: time.Millisecond,
	}); !errors.Is(o.Err, push.ErrUnlinked) {
		t.Errorf("after it has waited: %+v", o)
	}
	if _, err := s.ask(push.Question{Verb: push.Count, To: []push.Target{"u:ann"}}); !errors.Is(err, push.ErrUnlinked) {
		t.Errorf("asked: %v", err)
	}
	const room = 16 << 20 / 50_000 // messages of this size that may wait
	outcomes := make(chan push.Outcome, room+1)
	s.loop.Await(func() {
		for i := range room + 1 {
			m := message{To: []push.Target{"u:ann"}, Data: fmt.Appendf(nil, "%050000d", i), Wait: time.Minute}
			if err := s.hub.Publish(m, func(o push.Outcome) { outcomes <- o }); err != nil {
				t.Error(err)
			}
		}
	})
	if o := <-outcomes; !errors.Is(o.Err, push.ErrUnlinked) {
		t.Errorf("one more than may wait: %+v", o)
	}
	w.Mend()
	for range room {
		if o := <-outcomes; o.Err != nil {
			t.Fatalf("what has waited: %+v", o)
		}
	}
	s.until(func() bool { return len(c.got) == room+1 })
	got := s.got(c)
	if got[0] != "own" {
		t.Errorf("the first is %q", got[0])
	}
	for i, text := range got[1:] {
		if text != fmt.Sprintf("%050000d", i) {
			t.Fatalf("message %d is %.20q", i, strings.TrimLeft(text, "0"))
		}
	}
	s.loop.Await(func() {
		st := s.hub.Stats()
		if st.Breaks != 1 || st.Away <= 0 || st.Unlinked != 3 || !slices.Equal(links, []bool{true, false, true}) {
			t.Errorf("%+v, %v", st, links)
		}
	})
}

// parted is a Broker that a test delivers by.
type parted struct {
	node   push.Node
	closed bool
}

func (p *parted) Join(n push.Node) (push.Link, error)                                { p.node = n; return p, nil }
func (p *parted) Subscribe(_ []push.Target, done func(error))                        { done(nil) }
func (p *parted) Unsubscribe([]push.Target)                                          {}
func (p *parted) Publish([]push.Target, push.Publication, func(push.Receipt, error)) {}
func (p *parted) Ask([]push.Target, []byte, func([][]byte, error))                   {}
func (p *parted) Close()                                                             { p.closed = true }
func (p *parted) deliver(number uint64, to ...push.Target) int {
	return p.node.Deliver(to, push.Publication{Node: "other", Number: number, Parts: true, Data: []byte("x")})
}

// TestParts delivers a publication that comes in parts to each connection once, whatever comes between them.
func TestParts(t *testing.T) {
	p := &parted{}
	o := options()
	o.Broker, o.Do = p, func(f func()) bool { f(); return true }
	h := newHub(t, o)
	m1, c1 := add(t, h, 1, "ann")
	_, c2 := add(t, h, 2, "bob")
	if err := m1.Join("room"); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		number uint64
		to     push.Target
		want   int
	}{{1, "u:ann", 1}, {2, "*", 2}, {1, "g:room", 0}, {2, "u:bob", 0}, {1, "*", 1}, {3, "u:nobody", 0},
		{3, "g:room", 1}} {
		if n := p.deliver(step.number, step.to); n != step.want {
			t.Errorf("step %d reached %d, want %d", i, n, step.want)
		}
	}
	if len(c1.take()) != 3 || len(c2.take()) != 2 {
		t.Error("a connection got something twice, or not at all")
	}
	for i := range uint64(5000) {
		p.deliver(10+i, "*")
	}
	if n := p.deliver(5009, "u:ann"); n != 0 {
		t.Errorf("one of the last publications reached %d again", n)
	}
}

// TestTell has the programs of nodes tell each other something.
func TestTell(t *testing.T) {
	overBrokers(t, func(t *testing.T, o push.Options[*conn], _, _ func()) {
		var heard []string // by the second node
		first := sites(t, 1, o)[0]
		o.Told = func(node string, what json.RawMessage) { heard = append(heard, node+" "+string(what)) }
		second := sites(t, 1, o)[0]
		var id string
		second.loop.Await(func() { id = second.hub.ID() })
		if _, err := second.ask(push.Question{Verb: push.ListNodes}); err != nil { // comes behind its subscriptions
			t.Fatal(err)
		}
		tell := func(node, what string) error {
			told := make(chan error, 1)
			first.loop.Await(func() { first.hub.Tell(node, json.RawMessage(what), func(err error) { told <- err }) })
			return first.wait(told)
		}
		for _, test := range []struct {
			node, what string
			want       error
		}{{id, `{"a":1}`, nil}, {"", `[2]`, nil}, {"nobody", `3`, push.ErrUnanswered}} {
			if err := tell(test.node, test.what); !errors.Is(err, test.want) {
				t.Errorf("told %q: %v, want %v", test.node, err, test.want)
			}
		}
		second.loop.Await(func() {
			if from := first.hub.ID(); fmt.Sprint(heard) != fmt.Sprintf("[%s {\"a\":1} %s [2]]", from, from) {
				t.Errorf("the second node has heard %s", heard)
			}
		})
	})
}
