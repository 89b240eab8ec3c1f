package push_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// model is what a Hub should be: every answer is looked for from the beginning.
type model map[uint64]*reference

type reference struct {
	uid              string
	groups, channels map[string]bool
	member           *member
	conn             *conn
}

// named reports whether a target names a connection.
func (r *reference) named(t push.Target) bool {
	switch kind, name := t.Split(); kind {
	case push.ToEveryone:
		return true
	case push.ToUID:
		return r.uid == name
	case push.ToGroup:
		return r.groups[name]
	case push.ToConn:
		return r.member.Target() == t
	default:
		return r.channels[name]
	}
}

func (m model) named(to ...push.Target) (ids []uint64) {
	for id, r := range m {
		if slices.ContainsFunc(to, r.named) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// targets are the names of all connections.
func (m model) targets() map[uint64]push.Target {
	all := make(map[uint64]push.Target)
	for id, r := range m {
		all[id] = r.member.Target()
	}
	return all
}

// handOver has another Hub have all connections.
func (m model) handOver(t *testing.T, from *hub) *hub {
	to := newHub(t, options())
	members := handOver(t, from, to)
	for _, r := range m {
		before := r.member
		r.member = members[r.conn]
		if r.member == nil || before.Target() != "" {
			t.Fatalf("connection %d has not crossed", r.conn.id)
		}
	}
	return to
}

// TestModel does thousands of random things to a Hub, which is handed over now and then, and compares all that it tells
// with the model.
func TestModel(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		h, m := newHub(t, options()), model{}
		next := uint64(0)
		name := func(prefix string, n int) string { return fmt.Sprint(prefix, random.IntN(n)) }
		pick := func() *reference {
			ids := slices.Sorted(maps.Keys(m))
			if len(ids) == 0 {
				return nil
			}
			return m[ids[random.IntN(len(ids))]]
		}
		target := func() push.Target {
			if r := pick(); r != nil && random.IntN(5) == 0 {
				return r.member.Target()
			}
			return []push.Target{
				push.Everyone, push.UID(name("uid", 20)), push.Group(name("group", 6)), push.Channel(name("news:", 6)),
			}[random.IntN(4)]
		}
		for step := range 3000 {
			r := pick()
			switch action := random.IntN(10); {
			case action < 2 || r == nil:
				next++
				uid := ""
				if random.IntN(5) > 0 {
					uid = name("uid", 20)
				}
				member, c := add(t, h, next, uid)
				m[next] = &reference{
					uid: uid, groups: map[string]bool{}, channels: map[string]bool{}, member: member, conn: c,
				}
			case action == 2:
				h.Remove(r.member)
				delete(m, r.conn.id)
			case action == 3:
				group := name("group", 6)
				if err := r.member.Join(group); err != nil {
					t.Fatal(err)
				}
				r.groups[group] = true
			case action == 4:
				group := name("group", 6)
				r.member.Leave(group)
				delete(r.groups, group)
			case action == 5:
				channel := name("news:", 6)
				if err := r.member.Subscribe(channel); err != nil {
					t.Fatal(err)
				}
				r.channels[channel] = true
			case action == 6:
				channel := name("news:", 6)
				r.member.Unsubscribe(channel)
				delete(r.channels, channel)
			case action == 8 && random.IntN(50) == 0:
				names := m.targets()
				h = m.handOver(t, h)
				if got := m.targets(); !maps.Equal(got, names) {
					t.Fatalf("seed %d, step %d: connections are called %v, and were %v", seed, step, got, names)
				}
			case action == 7 && random.IntN(10) == 0:
				uid := name("uid", 20)
				want := m.named(push.UID(uid))
				if n := h.KickUID(uid, 4000, ""); n != len(want) {
					t.Fatalf("seed %d, step %d: %d connections of %s were kicked, want %d", seed, step, n,
						uid, len(want))
				}
				for _, id := range want {
					delete(m, id)
				}
			default:
				to := []push.Target{target()}
				if other := target(); other != to[0] && random.IntN(2) == 0 {
					to = append(to, other)
				}
				checkPublish(t, h, m, r, to)
			}
			if step%50 == 0 {
				checkAnswers(t, h, m)
			}
		}
		for _, r := range m {
			h.Remove(r.member)
		}
		checkAnswers(t, h, model{})
	}
}

// checkPublish publishes for some targets, without r at times, and looks at who got it.
func checkPublish(t *testing.T, h *hub, m model, r *reference, to []push.Target) {
	t.Helper()
	want := m.named(to...)
	var except push.Target
	if r.conn.id%2 == 0 {
		except = r.member.Target()
		want = slices.DeleteFunc(want, func(id uint64) bool { return id == r.conn.id })
	}
	if n := publish(t, h, message{To: to, Data: []byte("x"), Except: except}); n != len(want) {
		t.Fatalf("%v reached %d, want %d", to, n, len(want))
	}
	for id, r := range m {
		got := r.conn.take()
		if n := len(got); n > 1 || (n == 1) != slices.Contains(want, id) {
			t.Fatalf("%v: connection %d got it %d times; it is for %v", to, id, n, want)
		}
	}
}

// checkAnswers compares every count and list.
func checkAnswers(t *testing.T, h *hub, m model) {
	t.Helper()
	targets := []push.Target{push.Everyone}
	uids, groups, channels := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range m {
		if r.uid != "" {
			uids[r.uid] = true
		}
		maps.Copy(groups, r.groups)
		maps.Copy(channels, r.channels)
	}
	for i := range 20 {
		targets = append(targets, push.UID(fmt.Sprint("uid", i)), push.Group(fmt.Sprint("group", i)),
			push.Channel(fmt.Sprint("news:", i)))
	}
	counts := h.Counts(targets)
	for i, target := range targets {
		want := m.named(target)
		var got []uint64
		for member := range h.Members(target) {
			got = append(got, member.Conn().id)
		}
		slices.Sort(got)
		if counts[i] != len(want) || !slices.Equal(got, want) {
			t.Fatalf("%s: %d, %v; want %v", target, counts[i], got, want)
		}
		wantUIDs := map[string]bool{}
		for _, id := range want {
			if uid := m[id].uid; uid != "" {
				wantUIDs[uid] = true
			}
		}
		if got := h.UIDs(target); !slices.Equal(got, slices.Sorted(maps.Keys(wantUIDs))) {
			t.Fatalf("uids of %s: %v, want %v", target, got, wantUIDs)
		}
	}
	if s := h.Stats(); s.Conns != len(m) || s.UIDs != len(uids) || s.Groups != len(groups) ||
		s.Channels != len(channels) {
		t.Fatalf("the counts are %+v: want %d, %d, %d, %d", s, len(m), len(uids), len(groups), len(channels))
	}
	if got := h.UIDs(push.Everyone); !slices.Equal(got, slices.Sorted(maps.Keys(uids))) {
		t.Fatalf("uids: %v", got)
	}
	for i, online := range h.Online(slices.Sorted(maps.Keys(uids))) {
		if !online {
			t.Fatalf("uid %d of %v is not online", i, uids)
		}
	}
	if got := h.Groups(); !slices.Equal(got, slices.Sorted(maps.Keys(groups))) {
		t.Fatalf("groups: %v, want %v", got, groups)
	}
	if got := h.Channels(); !slices.Equal(got, slices.Sorted(maps.Keys(channels))) {
		t.Fatalf("channels: %v, want %v", got, channels)
	}
	for _, r := range m {
		if got := r.member.Groups(); !slices.Equal(got, slices.Sorted(maps.Keys(r.groups))) {
			t.Fatalf("groups of %d: %v", r.conn.id, got)
		}
	}
}

// BenchmarkPublish is what a publication to one uid of many costs beside what the loop does.
func BenchmarkPublish(b *testing.B) {
	o := options()
	o.Fanout = count
	benchmarkPublish(b, o)
}

func benchmarkPublish(b *testing.B, o push.Options[*conn]) {
	h, err := push.New(o)
	if err != nil {
		b.Fatal(err)
	}
	const n = 10_000
	to := make([][]push.Target, n)
	for i := range n {
		uid := fmt.Sprint("user-", i)
		if _, err := h.Add(&conn{id: uint64(i)}, uid); err != nil {
			b.Fatal(err)
		}
		to[i] = []push.Target{push.UID(uid)}
	}
	data := []byte("hello")
	b.ReportAllocs()
	for i := range b.N {
		if err := h.Publish(message{To: to[i%n], Data: data}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFanout is what a publication to a group of 10,000 costs for each of them, beside what the loop does.
func BenchmarkFanout(b *testing.B) {
	o := options()
	o.Fanout = count
	h, err := push.New(o)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		m, err := h.Add(&conn{id: uint64(i)}, "")
		if err == nil {
			err = m.Join("room")
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	m := message{To: []push.Target{"g:room"}, Data: []byte("hello")}
	for range b.N {
		if err := h.Publish(m, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/connection")
}
