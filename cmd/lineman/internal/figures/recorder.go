package figures

import (
	"time"

	"github.com/lineman-go/lineman/push/metrics"
)

// Meter tells Figures of one interval after the other. The zero value has begun none. For one loop.
type Meter struct {
	now   Figures
	began moment // the interval at hand
}

// Measure ends an interval with a Snapshot, which the Meter keeps, and the lag of all publications since the start. The
// first one begins the first interval.
func (m *Meter) Measure(at time.Time, s *metrics.Snapshot, lag metrics.Durations) {
	ends := moment{at, s, lag}
	m.now = ends.present()
	if m.began.snapshot != nil {
		ends.count(&m.now, &m.began)
	}
	m.began = ends
}

// Now are the Figures of the last interval; zero before the first Measure.
func (m *Meter) Now() Figures { return m.now }

// Recorder keeps the Series of a server in bounded memory. For one loop.
type Recorder struct {
	Meter
	seconds, tens ring
	open          int // of the seconds, those that are not ten yet
}

// How many intervals of a second are kept, and how many longer ones.
const (
	keptSeconds = 300
	keptTens    = 360
	longer      = 10 * time.Second
)

// slack is how much too early a timer may fire.
const slack = 500 * time.Millisecond

// NewRecorder makes one that has recorded nothing.
func NewRecorder() *Recorder {
	return &Recorder{seconds: ring{most: keptSeconds}, tens: ring{most: keptTens}}
}

// Record is Measure, and keeps what the interval was. The first one after RestoreState begins the interval where that
// of the predecessor has ended.
func (r *Recorder) Record(at time.Time, s *metrics.Snapshot, lag metrics.Durations) {
	isFirst := r.began.snapshot == nil
	r.Measure(at, s, lag)
	if isFirst {
		if last := r.seconds.last(); last != nil && last.At < r.now.At {
			r.began.at = time.UnixMilli(last.At)
		}
		return
	}
	r.seconds.add(pointOf(&r.now))
	r.open = min(r.open+1, keptSeconds)
	if ten := join(r.seconds.newest(r.open)); ten.Seconds >= (longer - slack).Seconds() {
		r.tens.add(ten)
		r.open = 0
	}
}

// Groups are the groups of listeners at the end of the last interval.
func (r *Recorder) Groups() (all []Group) {
	if r.began.snapshot == nil {
		return nil
	}
	for _, g := range r.began.snapshot.EventGroups {
		all = append(all, Group{g.Name, g.Listeners, g.Events, g.Bytes, g.Held, g.Full + g.Late})
	}
	return all
}

// Hooks are the hooks at the end of the last interval.
func (r *Recorder) Hooks() (all []Hook) {
	if r.began.snapshot == nil {
		return nil
	}
	for i := range r.began.snapshot.Hooks {
		h := &r.began.snapshot.Hooks[i]
		all = append(all, Hook{h.Name, h.Open, h.Asked, sum(h.Requests), failed(h), h.Dead + h.Lost})
	}
	return all
}

// Series is what is kept, as a copy.
func (r *Recorder) Series() Series { return Series{r.seconds.all(), r.tens.all()} }

// AppendState appends the Series for the successor of the process, in at most 48 KiB.
func (r *Recorder) AppendState(dst []byte) []byte {
	s := r.Series()
	return s.appendState(dst)
}

// RestoreState takes the Series of a predecessor, before the first Record.
func (r *Recorder) RestoreState(state []byte) error {
	var s Series
	if err := s.restoreState(state); err != nil {
		return err
	}
	for _, p := range s.TenSeconds {
		r.tens.add(p)
	}
	for _, p := range s.Seconds {
		r.seconds.add(p)
		if ten := r.tens.last(); ten == nil || p.At > ten.At {
			r.open = min(r.open+1, keptSeconds)
		}
	}
	return nil
}
