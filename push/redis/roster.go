package redis

import (
	"sync"
	"time"
)

// roster is which nodes there should be: those that have been up, and neither left nor been silent for deadPast. Fewer
// subscribers than that are a sign that the server has lost one, whose connections get nothing. Its methods may be
// called from any goroutine.
type roster struct {
	mu   sync.Mutex           // guards the following
	seen map[string]time.Time // when a node last said that it lives
	gone map[string]time.Time // when one left: what was heard of it before does not bring it back
}

func newRoster() *roster {
	return &roster{seen: make(map[string]time.Time), gone: make(map[string]time.Time)}
}

// here notes that a node lived at some time.
func (r *roster) here(node string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, left := r.gone[node]; !left && at.After(r.seen[node]) {
		r.seen[node] = at
	}
}

// left notes that a node has left for good.
func (r *roster) left(node string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, node)
	for other, at := range r.gone {
		if now.Sub(at) > 2*deadPast {
			delete(r.gone, other)
		}
	}
	r.gone[node] = now
}

// renew takes all to live from now on, as nothing could be heard of them.
func (r *roster) renew(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for node := range r.seen {
		r.seen[node] = now
	}
}

// misses reports whether there are more than those that are present. Who has been silent for too long is given up.
func (r *roster) misses(present int64, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if int64(len(r.seen)) <= present {
		return false
	}
	for node, at := range r.seen {
		if now.Sub(at) > deadPast {
			delete(r.seen, node)
		}
	}
	return int64(len(r.seen)) > present
}
