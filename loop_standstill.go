package lineman

import (
	"slices"
	"sync"
	"time"
)

// standstill has the loops of a process stand still, each at the end of a tick, when nothing is on its way from one of
// them to another: what was given to Do has run, and what that caused, and all output has been offered to the kernel.
// Meanwhile somebody else may own what the loops own.
//
//	the tick ends ──▶ meet ── none has anything to do ──▶ still ── thaw ──▶ goes on
//	                   ▲  └── one has: all do what they have ──┐
//	                   └───────────────────────────────────────┘
//
// Who posts without end does not hold it up for more than settleTime, or settleRounds. What is done in a few steps is
// done in any case, be it that the machine is busy: that is leastRounds.
type standstill struct {
	loops []*Loop
	thaw  chan struct{}   // closed when the loops are to go on
	gone  <-chan struct{} // closed when nobody will do that any more
	still chan struct{}   // closed when all stand still: who has seen it owns what they own, until thaw

	again bool // whether all go on. Written when all have met, and read by each before it comes again

	mu      sync.Mutex    // guards the following
	missing int           // loops that have not come to this meeting
	met     chan struct{} // closed when all have
	rounds  int
	began   time.Time // when the first loop came
}

const (
	settleTime   = 20 * time.Millisecond
	settleRounds = 1000
	leastRounds  = 20
)

func newStandstill(loops []*Loop, gone <-chan struct{}) *standstill {
	return &standstill{
		loops: loops, gone: gone, missing: len(loops),
		thaw: make(chan struct{}), still: make(chan struct{}), met: make(chan struct{}),
	}
}

// begin asks the loops to come. It returns false if one has ended: they end together.
func (s *standstill) begin() bool {
	for _, l := range s.loops {
		if !l.Do(func() { l.standing = s }) {
			return false
		}
	}
	return true
}

// hold has a loop stand still until thaw. Its limits do not run meanwhile.
func (s *standstill) hold(l *Loop) {
	began := l.clock()
	for s.meet(began) {
		l.attend()
		l.runPosted()
	}
	select {
	case <-s.thaw:
	case <-s.gone:
	}
	l.skip(l.clock().Sub(began))
}

// meet waits until all loops have come, and reports whether they go on for a round.
func (s *standstill) meet(now time.Time) (again bool) {
	s.mu.Lock()
	met := s.met
	if s.began.IsZero() {
		s.began = now
	}
	if s.missing--; s.missing == 0 {
		s.decideLocked()
	}
	s.mu.Unlock()
	select {
	case <-met:
		return s.again
	case <-s.thaw:
	case <-s.gone:
	}
	return false
}

// decideLocked is called for the last one that comes.
func (s *standstill) decideLocked() {
	s.rounds++
	patient := s.rounds < leastRounds ||
		s.rounds < settleRounds && s.loops[0].clock().Sub(s.began) < settleTime
	s.again = patient && slices.ContainsFunc(s.loops, (*Loop).wanted)
	if !s.again {
		close(s.still)
	}
	close(s.met)
	s.missing, s.met = len(s.loops), make(chan struct{})
}

// skip has limits of time not count a time in which the loop stood still.
func (l *Loop) skip(d time.Duration) {
	l.started = l.started.Add(d)
	l.resumeClock()
	l.doing.set(noCallback)
}
