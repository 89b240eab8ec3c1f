package server

import (
	"time"

	"github.com/lineman-go/lineman"
)

// timeSlice is the time slice of a back end: it bounds how long its requests, and those of all back ends together, keep
// the loop in one tick. What is left then of a batch, or of the lines of a connection, waits for the next one. Owned by
// the loop.
type timeSlice struct {
	loop   *lineman.Loop
	began  time.Time     // of the tick's first request; zero before it
	of     *lineman.Conn // whose request is at hand
	since  time.Time     // of its first in a row, or a little before
	looked time.Time     // when the clock was looked at
	work   int           // done since then
	pages  int           // that one line of the tick has reached, at most
	over   func()        // end; nil before the first request
}

const (
	sliceTime = 4 * time.Millisecond // of one back end
	// so much longer for each page that one of its lines has reached: the page is one write, which takes several times
	// as long, and which lines behind it share if they come into the same tick
	pageTime = time.Microsecond
	tickTime = 64 * time.Millisecond // of all
	// lines, or hundreds of bytes of them and their answers, before the clock is looked at
	lookAt = 64
)

// begin is told of a request of a back end, or one line of it, of so many bytes.
func (t *timeSlice) begin(of *lineman.Conn, bytes int) {
	t.work += 1 + bytes/100
	if t.began.IsZero() {
		t.began = time.Now()
		t.looked = t.began
		if t.over == nil {
			t.over = t.end
		}
		t.loop.Do(t.over)
	}
	if t.of != of {
		t.of, t.since = of, t.looked
	}
}

func (t *timeSlice) end() { *t = timeSlice{loop: t.loop, over: t.over} }

// answered is told of an answer.
func (t *timeSlice) answered(bytes int) { t.work += bytes / 100 }

// sent is told how many pages got something.
func (t *timeSlice) sent(pages int) {
	t.work += pages
	t.pages = max(t.pages, pages)
}

// isOver reports whether others have to have the loop.
func (t *timeSlice) isOver() bool {
	if t.work < lookAt || t.began.IsZero() {
		return false
	}
	t.work, t.looked = 0, time.Now()
	return t.looked.Sub(t.since) >= t.most() || t.looked.Sub(t.began) >= tickTime
}

// most is how long one back end has the loop.
func (t *timeSlice) most() time.Duration { return sliceTime + time.Duration(t.pages)*pageTime }

// next runs a function in the next tick, when what is ready has been handled.
func (t *timeSlice) next(f func()) { t.loop.Do(func() { t.loop.Do(f) }) }
