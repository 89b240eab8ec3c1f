package server

import (
	"testing"
	"time"
)

// TestTurn has a few long requests be as much as many short ones.
func TestTurn(t *testing.T) {
	for _, c := range []struct {
		requests, bytes int
		over            bool
	}{{1, 10, false}, {63, 10, false}, {64, 10, true}, {1, 10_000, true}, {4, 2000, true}} {
		turn := turn{began: time.Now().Add(-time.Second)}
		for range c.requests {
			turn.begin(c.bytes)
		}
		if got := turn.isOver(); got != c.over {
			t.Errorf("%d requests of %d bytes: over is %v", c.requests, c.bytes, got)
		}
	}
}
