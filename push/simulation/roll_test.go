package simulation

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// TestRolls has the list of each node that asks who is there be right when all is calm, and nobody be told as gone who
// has been there for longer than the delay, whatever breaks.
func TestRolls(t *testing.T) {
	first, count := uint64(1), *seeds/2
	if *seed != 0 {
		first, count = *seed, 1
	}
	for n := range count {
		simulateWith(t, first+uint64(n), func(g *cluster) { g.guests = newGuests(g) })
		if t.Failed() {
			return
		}
	}
}

// guests are uids that come to nodes and go. Which of them are there, the hubs of the nodes that live say.
type guests struct {
	group *cluster
	delay time.Duration
	all   []*guest
	seen  map[string]time.Time // when a uid was there last, that has gone from a node
	told  int                  // changes
}

// sees notes that a uid is there, or was just now.
func (s *guests) sees(uid string) {
	if s != nil {
		s.seen[uid] = time.Now()
	}
}

// guest is a uid with at most one connection.
type guest struct {
	name string
	node *node
	conn *conn
}

// listener is what a node knows of who is there.
type listener struct {
	list map[string]bool      // nil: it is not known
	here map[string]time.Time // who is at the node itself, and since when
}

func newGuests(g *cluster) *guests {
	all := &guests{group: g, delay: g.world.between(time.Second, 6*time.Second), seen: make(map[string]time.Time)}
	for i := range 2 + g.world.random.IntN(6) {
		all.all = append(all.all, &guest{name: string(rune('a' + i))})
	}
	return all
}

// listen has a node ask for the roll, at times, and give it up again.
func (s *guests) listen(n *node) {
	w := s.group.world
	on := !w.chance(3)
	n.later(func() {
		n.hub.Roll(push.RollUIDs, on)
		if n.rolls.list = nil; on {
			s.ask(n)
		}
	})
	n.after(w.between(time.Second, 20*time.Second), func() { s.listen(n) })
}

// ask asks for the list until it is there.
func (s *guests) ask(n *node) {
	n.hub.ListRoll(push.RollUIDs, func(names []string, err error) {
		if err != nil {
			if err != push.ErrRollOff {
				n.after(time.Second, func() { s.ask(n) })
			}
			return
		}
		n.rolls.list = make(map[string]bool)
		for _, name := range names {
			n.rolls.list[name] = true
		}
	})
}

// changed takes who has come or gone.
func (s *guests) changed(n *node, name string, here bool) {
	s.told++
	w, list := s.group.world, n.rolls.list
	if list != nil && list[name] == here {
		w.fail("%s is told twice of %s: here %v", n.name, name, here)
	}
	if list != nil {
		list[name] = here
	}
	if here {
		return
	}
	if n.link != nil && !n.hub.Linked() {
		w.fail("%s is told that %s has gone while it cannot hear whether that holds", n.name, name)
	}
	if away := time.Since(s.seen[name]); s.group.server == nil && away < s.delay {
		w.fail("%s is told that %s has gone, who was there %v ago", n.name, name, away)
	}
	for _, other := range s.group.nodes {
		since, is := other.rolls.here[name]
		if link := other.link; link != nil && (!link.up || link.deaf || since.Before(link.since)) {
			since = link.since
			is = is && link.up && !link.deaf
		}
		if stayed := time.Since(since); is && stayed > s.delay+time.Second {
			w.fail("%s is told that %s has gone, who has been at %s for %v", n.name, name, other.name, stayed)
		}
	}
}

// act has a guest come or go.
func (s *guests) act() {
	w := s.group.world
	g := s.all[w.random.IntN(len(s.all))]
	if n := g.node; n != nil {
		gone := g.conn
		g.node, g.conn = nil, nil
		n.later(func() {
			if m := n.hub.Member(gone.id); m != nil {
				n.hub.Remove(m)
				n.note(g.name)
			}
		})
		if w.chance(2) {
			return // else it comes to another node at once
		}
	}
	n := s.group.someNode()
	if n == nil {
		return
	}
	s.group.conns++
	c := &conn{id: s.group.conns}
	g.node, g.conn = n, c
	n.later(func() {
		if g.conn != c {
			return
		}
		if _, err := n.hub.Add(c, g.name); err != nil {
			w.fail("%s: %v", g.name, err)
		}
		n.note(g.name)
	})
}

// note notes whether a uid is here.
func (n *node) note(uid string) {
	_, known := n.rolls.here[uid]
	switch is := n.hub.Count(push.UID(uid)) > 0; {
	case is && !known:
		n.rolls.here[uid] = time.Now()
	case !is && known:
		delete(n.rolls.here, uid)
		n.group.guests.sees(uid)
	}
}

// check compares the lists with who is there, when all has been calm for a while.
func (s *guests) check() {
	w := s.group.world
	want := make(map[string]bool)
	for _, n := range s.group.nodes {
		for _, uid := range n.hub.UIDs(push.Everyone) {
			want[uid] = true
		}
	}
	for _, n := range s.group.nodes {
		n.hub.ListRoll(push.RollUIDs, func(names []string, err error) {
			if err == push.ErrRollOff {
				return
			}
			if err != nil || !slices.Equal(names, slices.Sorted(maps.Keys(want))) {
				w.fail("%s lists %q, %v, and there are %v", n.name, names, err, want)
			}
			maps.DeleteFunc(n.rolls.list, func(_ string, here bool) bool { return !here })
			if !maps.Equal(n.rolls.list, want) {
				w.fail("%s has been told %v, and there are %v", n.name, n.rolls.list, want)
			}
		})
	}
	w.note("%d changes were told", s.told)
}
