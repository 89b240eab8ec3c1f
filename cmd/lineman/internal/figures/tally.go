package figures

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/lineman-go/lineman/push"
)

// Tally finds the targets that most is published for, or delivered to. It takes a bounded memory, whatever the targets
// are. For one loop.
type Tally struct {
	sketches [push.ToConn]*sketch // by kind; connections, and all, are not counted
	seconds  int                  // that have passed
}

// NewTally makes one that has counted nothing.
func NewTally() *Tally {
	t := &Tally{}
	for k := range t.sketches {
		t.sketches[k] = newSketch()
	}
	return t
}

// Add counts publications for a target, and messages that connections got by it.
func (t *Tally) Add(to push.Target, published, delivered int) {
	if kind, name := to.Split(); kind < push.ToConn && published+delivered > 0 {
		t.sketches[kind].add(name, float64(published), float64(delivered))
	}
}

// Pass has a second pass.
func (t *Tally) Pass() {
	t.seconds++
	for _, s := range t.sketches {
		s.decay()
	}
}

// Counts is what a Tally has counted, apart from it.
type Counts struct {
	byKind [push.ToConn]map[string]Busy
}

// Counts tells of the busiest.
func (t *Tally) Counts() (c Counts) {
	// What comes at a rate is, once decayed for ever, that rate divided by the part that goes in a second. Before that
	// it is as much less as the part that has not come yet.
	perSecond := 1/aSecond - 1
	if t.seconds > 0 {
		perSecond /= 1 - math.Pow(aSecond, float64(t.seconds))
	}
	for k, s := range t.sketches {
		c.byKind[k] = make(map[string]Busy, len(s.slots))
		for _, one := range s.slots {
			c.byKind[k][string(one.name)] = Busy{
				Name: string(one.name), Published: one.published * perSecond, Delivered: one.delivered * perSecond,
			}
		}
	}
	return c
}

// Add counts in what the loop of another Tally has counted.
func (c *Counts) Add(other Counts) {
	for k, all := range other.byKind {
		for name, more := range all {
			one := c.byKind[k][name]
			c.byKind[k][name] = Busy{name, one.Published + more.Published, one.Delivered + more.Delivered}
		}
	}
}

// shown is how many of each kind are told.
const shown = 10

// Top are the busiest.
func (c *Counts) Top() Top {
	return Top{
		Channels: busiest(c.byKind[push.ToChannel]), Groups: busiest(c.byKind[push.ToGroup]),
		UIDs: busiest(c.byKind[push.ToUID]),
	}
}

// busiest are those with most deliveries, which come first.
func busiest(of map[string]Busy) []Busy {
	all := slices.DeleteFunc(slices.Collect(maps.Values(of)), func(b Busy) bool {
		return b.Published+b.Delivered < 0.001 // so long ago that it is none
	})
	slices.SortFunc(all, func(a, b Busy) int {
		return cmp.Or(cmp.Compare(b.Delivered, a.Delivered), cmp.Compare(b.Published, a.Published),
			cmp.Compare(a.Name, b.Name))
	})
	return all[:min(shown, len(all))]
}
