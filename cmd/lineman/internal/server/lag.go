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
	written func() // end; nil before the first sample
}

// begin starts a sample, unless one is under way. What the first function asks for runs in the next tick: when this one
// has written.
func (l *lag) begin(loop *lineman.Loop) {
	if l.waiting || l.observe == nil {
		return
	}
	l.waiting, l.began = true, time.Now()
	if l.written == nil {
		l.written = l.end
	}
	loop.Do(func() { loop.Do(l.written) })
}

func (l *lag) end() {
	l.waiting = false
	l.observe(time.Since(l.began))
}
