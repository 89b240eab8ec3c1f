package server

import (
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
	"github.com/lineman-go/lineman/push/metrics"
)

// figuring is what a loop records of what it does. Owned by the loop.
type figuring struct {
	tally *figures.Tally // of what its pages get, and of what is published there
	meter figures.Meter  // of this loop, where there are several, while somebody looks

	// Of the first loop.
	recorder *figures.Recorder // of all loops
	sampling bool              // a sample is under way
}

func newFiguring() figuring {
	return figuring{tally: figures.NewTally(), recorder: figures.NewRecorder()}
}

// sample ends an interval of the figures, each second. The first loop asks the others one after the other, without
// waiting. While one stands still, no other sample is begun: the interval is a longer one.
func (s *Server) sample() {
	s.figuring.tally.Pass()
	if s.home != nil || s.figuring.sampling {
		return
	}
	s.sampleAll(func(one *Server) metrics.Snapshot { return one.snapshot(time.Now()) })
}

// sampleAll samples each loop in some way.
func (s *Server) sampleAll(how func(*Server) metrics.Snapshot) {
	s.figuring.sampling = true
	one := how(s)
	s.sampleOthers(s.others, &one, how)
}

// sampleOthers goes on with the loops that are left.
func (s *Server) sampleOthers(left []*Server, all *metrics.Snapshot, how func(*Server) metrics.Snapshot) {
	if len(left) == 0 {
		s.record(all)
		s.figuring.sampling = false
		return
	}
	other := left[0]
	other.loop.Do(func() {
		one := how(other)
		s.loop.Do(func() {
			add(all, &one)
			s.sampleOthers(left[1:], all, how)
		})
	})
}

// record ends an interval with what all loops have told.
func (s *Server) record(all *metrics.Snapshot) {
	s.addShared(all)
	if s.memory != nil {
		s.addMemory(all)
	}
	s.figuring.recorder.Record(time.Now(), all, s.metrics.Lags())
}

// appendFigures ends the interval at hand, and appends the last hour. The loops stand still: all are asked from here.
func (s *Server) appendFigures(f *saved) {
	all := s.counters()
	for _, other := range s.others {
		one := other.counters()
		add(&all, &one)
	}
	s.record(&all)
	*f = s.figuring.recorder.AppendState(*f)
}

// Figures are how the process is now, and all others. It is called on a goroutine.
func (s *Server) Figures() (r figures.Report, err error) {
	var words []figures.Word
	r, err = ask(s.loop, func() figures.Report {
		words = s.look(time.Now())
		return figures.Report{Now: s.figuring.recorder.Now()}
	})
	if err != nil {
		return r, err
	}
	if r.Take(words); len(s.others) > 0 {
		r.Loops, r.All, r.Refusals = true, r.Now, s.guard.newestRefusals()
		r.Top, r.Slow, err = s.busiest()
	}
	return r, err
}

// busiest is who takes most of all loops. It is called on a goroutine.
func (s *Server) busiest() (figures.Top, figures.SlowPages, error) {
	var counts figures.Counts
	slow := figures.SlowPages{}
	for i, one := range s.all() {
		var own figures.Counts
		ownSlow, err := ask(one.loop, func() figures.SlowPages {
			own = one.figuring.tally.Counts()
			return one.queued.slow.Clone()
		})
		if err != nil {
			return figures.Top{}, nil, err
		}
		if i == 0 {
			counts = own
		} else {
			counts.Add(own)
		}
		slow.Add(ownSlow...)
	}
	return counts.Top(), slow, nil
}
