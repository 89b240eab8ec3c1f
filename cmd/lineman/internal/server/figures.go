package server

import (
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
	"github.com/lineman-go/lineman/push/metrics"
)

// figuring is what a loop records of what it does. Owned by the loop.
type figuring struct {
	tally *figures.Tally // of what its pages get, and of what is published there
	meter figures.Meter  // of this loop, where there are several

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
	s.sampleAll(func(one *Server) metrics.Snapshot { return one.measure(time.Now()) })
}

// measure is snapshot. Where there are several loops, it also ends an interval of the figures of this one.
func (s *Server) measure(now time.Time) metrics.Snapshot {
	one := s.snapshot(now)
	if len(s.first().others) > 0 {
		own := s.counters() // what the other loops have done is added to those above
		s.figuring.meter.Measure(now, &own, metrics.Durations{})
	}
	return one
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

// Figures are how the process is now, and all others, or its loops. It is called on a goroutine.
func (s *Server) Figures() (r figures.Report, err error) {
	if len(s.others) > 0 {
		return s.figuresOfLoops()
	}
	var words []figures.Word
	r, err = ask(s.loop, func() figures.Report {
		words = s.look(time.Now())
		return figures.Report{Now: s.figuring.recorder.Now()}
	})
	r.Take(words)
	return r, err
}

// figuresOfLoops is Figures where there are several loops.
func (s *Server) figuresOfLoops() (r figures.Report, err error) {
	var counts figures.Counts
	words, slow := []figures.Word{}, figures.SlowPages{}
	for i, one := range s.all() {
		var own figures.Counts
		word, err := ask(one.loop, func() *figures.Word {
			if own = one.figuring.tally.Counts(); i == 0 {
				r.Now = s.figuring.recorder.Now()
			}
			return one.word(false)
		})
		if err != nil {
			return r, err
		}
		if i == 0 {
			counts = own
		} else {
			counts.Add(own)
		}
		slow.Add(word.Slow...)
		words = append(words, *word)
	}
	r.Take(words)
	r.Loops, r.All, r.Refusals = true, r.Now, s.guard.newestRefusals()
	r.Top, r.Slow = counts.Top(), slow
	return r, nil
}
