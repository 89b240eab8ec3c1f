package server

import (
	"time"

	"github.com/lineman-go/lineman"
)

// lag samples how long it takes from the request of a back end to the end of the tick in which its publication is written: one a tick.
// Owned by the loop.
type lag struct {
	observe func(time.Duration)
	waiting bool
}

// began starts a sample.
func (l *lag) began(loop *lineman.Loop, at time.Time) {
	if l.waiting || l.observe == nil {
		return
	}
	l.waiting = true
	loop.After(0, func() {
		l.waiting = false
		l.observe(time.Since(at))
	})
}
