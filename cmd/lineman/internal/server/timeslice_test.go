package server

import (
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
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

// TestTimeSliceOfMany has lines to many pages have a longer time slice: cut after 4 ms, each page would be written to
// several times for lines that have come together, and that is what most of a delivery costs.
func TestTimeSliceOfMany(t *testing.T) {
	one, now := new(lineman.Conn), time.Now()
	timeSlice := timeSlice{began: now, of: one, since: now, looked: now}
	for _, c := range []struct {
		pages int
		most  time.Duration
	}{{1, sliceTime + pageTime}, {10_000, sliceTime + 10*time.Millisecond}, {1, sliceTime + 10*time.Millisecond}} {
		timeSlice.begin(one, 10)
		if timeSlice.sent(c.pages); timeSlice.most() != c.most {
			t.Errorf("after a line to %d pages: %v, want %v", c.pages, timeSlice.most(), c.most)
		}
	}
	timeSlice.since = now.Add(-sliceTime - 10*time.Millisecond)
	if !timeSlice.isOver() {
		t.Error("a back end has the loop for longer than its time")
	}
	if timeSlice.end(); timeSlice.most() != sliceTime {
		t.Errorf("in the next tick: %v, want %v", timeSlice.most(), sliceTime)
	}
}

// TestTimeSliceSent has what pages are sent count for that.
func TestTimeSliceSent(t *testing.T) {
	sent := make(chan timeSlice, 1)
	w := &lineman.Worker{Name: "pages", Addr: "text://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, _ []byte) {
		s := &Server{loop: c.Loop()}
		s.send(slices.Values([]*lineman.Conn{c, c, c}), outgoing{text: []byte("hello")})
		sent <- s.slice
	}
	r := linemantest.Start(t, w)
	r.Dial(w).Send("publish")
	if got := <-sent; got.pages != 3 || got.work != 3 {
		t.Errorf("a message to three pages counts as %d, and %d of work", got.pages, got.work)
	}
}
