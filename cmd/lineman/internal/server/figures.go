package server

import (
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
	"github.com/lineman-go/lineman/push/metrics"
)

// figuring is what a loop records of what it does. Owned by the loop.
type figuring struct {
	tally *figures.Tally // of what its pages get, and of what is published there

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
	s.figuring.sampling = true
	one := s.snapshot(time.Now())
	s.sampleOthers(s.others, &one)
}

// sampleOthers goes on with the loops that are left.
func (s *Server) sampleOthers(left []*Server, all *metrics.Snapshot) {
	if len(left) == 0 {
		s.addShared(all)
		if s.memory != nil {
			s.addMemory(all)
		}
		s.figuring.recorder.Record(time.Now(), all, s.metrics.Lags())
		s.figuring.sampling = false
		return
	}
	other := left[0]
	other.loop.Do(func() {
		one := other.snapshot(time.Now())
		s.loop.Do(func() {
			add(all, &one)
			s.sampleOthers(left[1:], all)
		})
	})
}

// Series are the figures of the last hour. It is called on a goroutine.
func (s *Server) Series() (figures.Series, error) { return ask(s.loop, s.figuring.recorder.Series) }

// Figures are how the process is now. It is called on a goroutine.
func (s *Server) Figures() (figures.Report, error) {
	var counts figures.Counts
	var slow figures.SlowPages
	r, err := ask(s.loop, func() figures.Report {
		counts, slow = s.figuring.tally.Counts(), s.queued.slow.Clone()
		return s.figuring.recorder.Report()
	})
	if err != nil {
		return r, err
	}
	for _, other := range s.others {
		type own struct {
			counts figures.Counts
			slow   figures.SlowPages
		}
		one, err := ask(other.loop, func() own { return own{other.figuring.tally.Counts(), other.queued.slow.Clone()} })
		if err != nil {
			return r, err
		}
		counts.Add(one.counts)
		slow.Add(one.slow...)
	}
	r.Top, r.Slow, r.Refusals = counts.Top(), slow, s.guard.newestRefusals()
	return r, nil
}
