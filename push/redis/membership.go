package redis

import (
	"sync"
	"time"
)

// membership is the list of the nodes that should be in the cluster: those that have been up, and have neither left nor
// been silent for deadAfter. If there are fewer subscribers than that, the server has lost one, and its connections get
// nothing. Its methods may be called from any goroutine.
type membership struct {
	mu   sync.Mutex           // guards the following
	seen map[string]time.Time // when a node last said that it lives
	gone map[string]time.Time // when one left: what was heard of it before does not bring it back
}

func newMembership() *membership {
	return &membership{seen: make(map[string]time.Time), gone: make(map[string]time.Time)}
}

// heard notes that a node lived at some time.
func (m *membership) heard(node string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, left := m.gone[node]; !left && at.After(m.seen[node]) {
		m.seen[node] = at
	}
}

// left notes that a node has left for good.
func (m *membership) left(node string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.seen, node)
	for other, at := range m.gone {
		if now.Sub(at) > 2*deadAfter {
			delete(m.gone, other)
		}
	}
	m.gone[node] = now
}

// renew counts all nodes as alive from now on, as nothing could be heard of them.
func (m *membership) renew(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for node := range m.seen {
		m.seen[node] = now
	}
}

// misses reports whether more nodes should be there than are present. A node that has been silent for too long is given
// up.
func (m *membership) misses(present int64, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if int64(len(m.seen)) <= present {
		return false
	}
	for node, at := range m.seen {
		if now.Sub(at) > deadAfter {
			delete(m.seen, node)
		}
	}
	return int64(len(m.seen)) > present
}
