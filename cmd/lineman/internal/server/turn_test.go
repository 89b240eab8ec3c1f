package server

import (
	"testing"
	"time"

	"github.com/lineman-go/lineman"
)

// TestTurn has a few long requests be as much as many short ones.
func TestTurn(t *testing.T) {
	for _, c := range []struct {
		requests, bytes int
		over            bool
	}{{1, 10, false}, {63, 10, false}, {64, 10, true}, {1, 10_000, true}, {4, 2000, true}} {
		turn := turn{began: time.Now().Add(-time.Second)}
		for range c.requests {
			turn.begin(nil, c.bytes)
		}
		if got := turn.isOver(); got != c.over {
			t.Errorf("%d requests of %d bytes: over is %v", c.requests, c.bytes, got)
		}
	}
}

// TestTurns ends the turn of one back end early, that of the next begins anew, and those of all together end too.
func TestTurns(t *testing.T) {
	one, other := new(lineman.Conn), new(lineman.Conn)
	now := time.Now()
	turn := turn{began: now.Add(-tickTime / 2), of: one, since: now.Add(-2 * turnTime), looked: now}
	if turn.begin(one, 100*lookAt); !turn.isOver() {
		t.Error("one back end has the loop for twice its time")
	}
	if turn.begin(other, 100*lookAt); turn.isOver() {
		t.Error("the next back end has no turn of its own")
	}
	turn.began = now.Add(-tickTime)
	if turn.begin(other, 100*lookAt); !turn.isOver() {
		t.Error("all of them have the loop for longer than a tick may take")
	}
}
