package redis

import (
	"testing"
	"time"
)

// TestMembership misses a node that was heard of until it has left, or was silent for too long. What was heard of one
// before it left does not bring it back.
func TestMembership(t *testing.T) {
	began := time.Now()
	at := func(d time.Duration) time.Time { return began.Add(d) }
	for _, c := range []struct {
		name string
		does func(*membership)
		now  time.Duration
		want int64 // nodes
	}{
		{"both are there", func(*membership) {}, 0, 2},
		{"one has left", func(m *membership) { m.left("b", at(0)) }, 0, 1},
		{"one has left, and was heard of", func(m *membership) {
			m.left("b", at(1))
			m.heard("b", at(0))
		}, 0, 1},
		{"long silence", func(m *membership) { m.heard("a", at(deadAfter)) }, deadAfter, 2},
		{"too long a silence", func(m *membership) { m.heard("a", at(deadAfter)) }, deadAfter + 1, 1},
		{"nothing could be heard", func(m *membership) { m.renew(at(deadAfter)) }, deadAfter + 1, 2},
	} {
		m := newMembership()
		m.heard("a", began)
		m.heard("b", began)
		c.does(m)
		if m.misses(c.want, at(c.now)) || !m.misses(c.want-1, at(c.now)) {
			t.Errorf("%s: want %d nodes, have %v", c.name, c.want, m.seen)
		}
	}
}
