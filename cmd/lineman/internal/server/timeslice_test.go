package server

import (
	"testing"
	"time"

	"github.com/lineman-go/lineman"
)

// TestTimeSlice has a few long requests be as much as many short ones.
func TestTimeSlice(t *testing.T) {
	for _, c := range []struct {
		requests, bytes int
		over            bool
	}{{1, 10, false}, {63, 10, false}, {64, 10, true}, {1, 10_000, true}, {4, 2000, true}} {
		timeSlice := timeSlice{began: time.Now().Add(-time.Second)}
		for range c.requests {
			timeSlice.begin(nil, c.bytes)
		}
		if got := timeSlice.isOver(); got != c.over {
			t.Errorf("%d requests of %d bytes: over is %v", c.requests, c.bytes, got)
		}
	}
}

// TestTimeSlices ends the time slice of one back end early. That of the next begins anew, and that of all together ends
// too.
func TestTimeSlices(t *testing.T) {
	one, other := new(lineman.Conn), new(lineman.Conn)
	now := time.Now()
	timeSlice := timeSlice{began: now.Add(-tickTime / 2), of: one, since: now.Add(-2 * sliceTime), looked: now}
	if timeSlice.begin(one, 100*lookAt); !timeSlice.isOver() {
		t.Error("one back end has the loop for twice its time")
	}
	if timeSlice.begin(other, 100*lookAt); timeSlice.isOver() {
		t.Error("the next back end has no turn of its own")
	}
	timeSlice.began = now.Add(-tickTime)
	if timeSlice.begin(other, 100*lookAt); !timeSlice.isOver() {
		t.Error("all of them have the loop for longer than a tick may take")
	}
}
