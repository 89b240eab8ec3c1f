package server

import (
	"time"

	"github.com/lineman-go/lineman"
)

// turn bounds how long the requests of all back ends keep the loop in one tick: what is left then of a batch, or of the
// lines of a connection, waits for the next one. Owned by the loop.
type turn struct {
	loop  *lineman.Loop
	began time.Time // zero while none is under way
	work  int       // done since the clock was looked at
}

const (
	turnTime = 4 * time.Millisecond
	lookAt   = 64 // when to look at the clock: that many lines, deliveries, or hundreds of bytes of lines and answers
)

// begin is told of a request, or one line of it, of so many bytes.
func (t *turn) begin(bytes int) {
	if t.work += 1 + bytes/100; t.began.IsZero() {
		t.began = time.Now()
		t.loop.Do(t.end)
	}
}

func (t *turn) end() { t.began, t.work = time.Time{}, 0 }

// answered is told of an answer.
func (t *turn) answered(bytes int) { t.work += bytes / 100 }

// isOver reports whether others have to have the loop.
func (t *turn) isOver() bool {
	if t.work < lookAt || t.began.IsZero() {
		return false
	}
	t.work = 0
	return time.Since(t.began) >= turnTime
}

// next runs a function in the next tick, when what is ready has been handled.
func (t *turn) next(f func()) { t.loop.Do(func() { t.loop.Do(f) }) }
