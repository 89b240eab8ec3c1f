package server

import "testing"

// TestScavenger gives memory back once after a change, when it is quiet.
func TestScavenger(t *testing.T) {
	var s scavenger
	for i, c := range []struct {
		connections int
		due         bool
	}{
		{0, false}, {500, false}, {500, false}, // few
		{9000, false}, {12000, false}, {12010, true}, {12010, false}, // a storm, then quiet
		{13000, false}, {13000, false}, // not much more
		{100, false}, {100, true}, {100, false}, // they have gone
	} {
		if got := s.due(c.connections); got != c.due {
			t.Errorf("time %d, %d connections: %v", i, c.connections, got)
		}
	}
}
