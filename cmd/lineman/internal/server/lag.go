package server

import (
	"time"

	"github.com/lineman-go/lineman"
)

// lag samples the latency of publications, once a tick: how long it takes from the request of a back end to the end of
// the tick in which its publication is written. Owned by the loop.
type lag struct {
	observe func(time.Duration)
	waiting bool
	began   time.Time
	handled func() // has end run in the next tick, when this one has written; nil before the first sample
}

// begin starts a sample with a request that came just now, unless one is under way.
func (l *lag) begin(loop *lineman.Loop, now time.Time) {
	if l.waiting || l.observe == nil {
		return
	}
	l.waiting, l.began = true, now
	if l.handled == nil {
		written := l.end
		l.handled = func() { loop.Do(written) }
	}
	loop.Do(l.handled)
}

func (l *lag) end() {
	l.waiting = false
	l.observe(time.Since(l.began))
}
