package figures

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Node is one of the processes that are joined with others, or one of the loops of a process.
type Node struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"` // for people: the machine and the port of its dashboard, or the number of the loop
	Version string  `json:"version"`
	State   State   `json:"state"` // as another one sees it, but for Leaving
	Heard   int64   `json:"heard"` // when it was heard of, in milliseconds of Unix time
	Now     Figures `json:"now"`
	Groups  []Group `json:"groups"` // of the process, as is Hooks; empty for its other loops
	Hooks   []Hook  `json:"hooks"`
}

// State is what is known of a Node.
type State string

// The States.
const (
	Live    State = "live"
	Leaving State = "leaving" // it says that it stops
	Away    State = "away"    // this one does not reach the others
	Gone    State = "gone"    // it has not answered for a while
)

// Word is what a Node tells of itself.
type Word struct {
	Node     Node      `json:"node"`
	Clock    int64     `json:"clock"` // of its machine, in milliseconds of Unix time
	Top      Top       `json:"top"`
	Slow     SlowPages `json:"slow"`
	Refusals []Refusal `json:"refusals"`
	Past     *Series   `json:"past,omitempty"` // if it was asked for
}

// Nodes are those that one has heard of: no more than mostNodes, none longer than forgetAfter. For one loop.
type Nodes struct {
	words map[string]*Word
}

const (
	mostNodes   = 100
	goneAfter   = 5 * time.Second
	forgetAfter = 10 * time.Minute
)

// NewNodes makes one that has heard of none.
func NewNodes() *Nodes { return &Nodes{make(map[string]*Word)} }

// Hear takes what a Node tells at some time.
func (n *Nodes) Hear(w *Word, at time.Time) {
	w.Node.Heard = at.UnixMilli()
	if n.words[w.Node.ID] == nil && len(n.words) == mostNodes {
		oldest := slices.MinFunc(slices.Collect(maps.Values(n.words)), func(a, b *Word) int {
			return cmp.Compare(a.Node.Heard, b.Node.Heard)
		})
		if at.UnixMilli()-oldest.Node.Heard < goneAfter.Milliseconds() {
			return // all are there
		}
		delete(n.words, oldest.Node.ID)
	}
	n.words[w.Node.ID] = w
}

// Leave forgets a Node that says that it has gone.
func (n *Nodes) Leave(id string) { delete(n.words, id) }

// Words are what all have told lately, in the order of their names. reached tells since when others can be reached:
// zero if they cannot.
func (n *Nodes) Words(now, reached time.Time) []Word {
	all := []Word{}
	for id, w := range n.words {
		silent := now.Sub(time.UnixMilli(w.Node.Heard))
		if silent > forgetAfter {
			delete(n.words, id)
			continue
		}
		one := *w
		switch {
		case silent <= goneAfter:
			one.Node.State = cmp.Or(one.Node.State, Live)
		case reached.IsZero() || now.Sub(reached) <= goneAfter:
			one.Node.State = Away
		default:
			one.Node.State = Gone
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Word) int {
		return cmp.Or(cmp.Compare(a.Node.Name, b.Node.Name), cmp.Compare(a.Node.ID, b.Node.ID))
	})
	return all
}

// mostRefusals is how many are told of all nodes.
const mostRefusals = 60

// Take completes a Report by what its nodes tell. The Figures of All are of the time of this process.
func (r *Report) Take(words []Word) {
	r.All, r.Nodes = Figures{}, make([]Node, 0, len(words))
	r.Groups, r.Hooks, r.Top, r.Slow, r.Refusals = []Group{}, []Hook{}, Top{}, SlowPages{}, []Refusal{}
	for i := range words {
		w := &words[i]
		r.Nodes = append(r.Nodes, w.Node)
		if w.Node.State != Live && w.Node.State != Leaving {
			continue
		}
		if r.All.At == 0 {
			r.All = w.Node.Now
			r.All.Rates = Rates{}
			r.All.Rates.add(&w.Node.Now.Rates) // with a map of its own
		} else {
			r.All.Add(&w.Node.Now)
		}
		r.Groups = addNamed(r.Groups, w.Node.Groups, func(g Group) string { return g.Name }, (*Group).add)
		r.Hooks = addNamed(r.Hooks, w.Node.Hooks, func(h Hook) string { return h.Name }, (*Hook).add)
		r.Top.add(&w.Top)
		r.Slow.Add(w.Slow...)
		for _, one := range w.Refusals {
			if len(words) > 1 {
				one.Node = w.Node.Name
			}
			r.Refusals = append(r.Refusals, one)
		}
	}
	r.All.At = r.Now.At
	slices.SortStableFunc(r.Refusals, func(a, b Refusal) int { return cmp.Compare(b.At, a.At) })
	r.Refusals = r.Refusals[:min(mostRefusals, len(r.Refusals))]
}

// addNamed counts in the groups or hooks of another node. They are in the order of their names.
func addNamed[T any](all, more []T, name func(T) string, add func(to, one *T)) []T {
	for _, one := range more {
		i, found := slices.BinarySearchFunc(all, name(one), func(other T, of string) int {
			return cmp.Compare(name(other), of)
		})
		if found {
			add(&all[i], &one)
		} else {
			all = slices.Insert(all, i, one)
		}
	}
	return all
}

// add counts in the busiest of another process.
func (t *Top) add(other *Top) {
	t.Channels = addBusy(t.Channels, other.Channels)
	t.Groups = addBusy(t.Groups, other.Groups)
	t.UIDs = addBusy(t.UIDs, other.UIDs)
}

func addBusy(all, more []Busy) []Busy {
	byName := make(map[string]Busy, len(all)+len(more))
	for _, b := range slices.Concat(all, more) {
		one := byName[b.Name]
		byName[b.Name] = Busy{b.Name, one.Published + b.Published, one.Delivered + b.Delivered}
	}
	return busiest(byName)
}
