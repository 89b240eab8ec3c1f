package e2e

import (
	"context"
	"sync"
	"testing"
	"time"
)

// watch looks at the metrics of nodes all the time: what they say of their link to the others.
type watch struct {
	nodes []*node
	seen  []looks // by node
}

// looks are those at one node.
type looks struct {
	mu  sync.Mutex // guards the following
	all []look
}

// look is what a node said at some time.
type look struct {
	at                   time.Time
	linked               bool
	breaks, away         float64
	unanswered, unlinked float64
}

// watchEvery is how often.
const watchEvery = 200 * time.Millisecond

// newWatch looks until the end of the test.
func newWatch(t *testing.T, nodes []*node) *watch {
	w := &watch{nodes: nodes, seen: make([]looks, len(nodes))}
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	for i := range nodes {
		watching.Add(1)
		go func() {
			defer watching.Done()
			pace := time.NewTicker(watchEvery)
			defer pace.Stop()
			for ctx.Err() == nil {
				w.look(i)
				select {
				case <-pace.C:
				case <-ctx.Done():
				}
			}
		}()
	}
	t.Cleanup(func() { cancel(); watching.Wait() })
	return w
}

// look asks a node. One that does not answer has no look.
func (w *watch) look(i int) {
	m, err := w.nodes[i].metrics()
	if err != nil {
		return
	}
	s := &w.seen[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, look{
		at: time.Now(), linked: m["broker_linked"] == 1, breaks: m["broker_breaks_total"],
		away: m["broker_away_seconds_total"], unanswered: m["broker_unanswered_total"],
		unlinked: m["broker_unlinked_total"],
	})
}

// broken reports whether a node said that its link was broken at some time between two, as far as it was asked.
func (w *watch) broken(i int, from, to time.Time) bool {
	s := &w.seen[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := 1; k < len(s.all); k++ {
		before, after := s.all[k-1], s.all[k]
		if after.at.Before(from) || before.at.After(to) {
			continue
		}
		if !before.linked || !after.linked || before.breaks != after.breaks || before.away != after.away {
			return true
		}
	}
	return false
}

// counted is by how much all nodes together have counted up what was not answered, and what was refused for want of a
// link, since some time. What a node counted that was killed since is not known.
func (w *watch) counted(since time.Time) (unanswered, unlinked int) {
	for i := range w.seen {
		w.look(i)
		s := &w.seen[i]
		s.mu.Lock()
		for k := 1; k < len(s.all); k++ {
			if before, after := s.all[k-1], s.all[k]; after.at.After(since) {
				unanswered += max(0, int(after.unanswered-before.unanswered))
				unlinked += max(0, int(after.unlinked-before.unlinked))
			}
		}
		s.mu.Unlock()
	}
	return unanswered, unlinked
}
