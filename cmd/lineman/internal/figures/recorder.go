package figures

import (
	"time"

	"github.com/lineman-go/lineman/push/metrics"
)

// Recorder keeps the Series of a server in bounded memory. For one loop.
type Recorder struct {
	seconds, tens ring
	now           Figures
	second, ten   moment  // where the intervals at hand began
	peak          Figures // of the ten seconds at hand
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

// Record ends an interval with a Snapshot, which the Recorder keeps, and the lag of all publications since the start.
// The first one begins the first interval.
func (r *Recorder) Record(at time.Time, s *metrics.Snapshot, lag metrics.Durations) {
	m := moment{at, s, lag}
	r.now = m.present()
	if r.second.snapshot == nil {
		r.second, r.ten, r.peak = m, m, r.now
		return
	}
	m.count(&r.now, &r.second)
	r.seconds.add(r.now)
	r.second = m
	r.peak.raise(&r.now)
	if at.Sub(r.ten.at) < longer-slack {
		return
	}
	ten := r.peak
	ten.At = r.now.At
	m.count(&ten, &r.ten)
	r.tens.add(ten)
	r.ten, r.peak = m, m.present()
}

// Now are the Figures of the last interval; zero before the first Record.
func (r *Recorder) Now() Figures { return r.now }

// Report is about the last moment: the Figures, the groups and the hooks.
func (r *Recorder) Report() Report {
	to := Report{Now: r.now, Groups: []Group{}, Hooks: []Hook{}}
	if r.second.snapshot == nil {
		return to
	}
	for _, g := range r.second.snapshot.EventGroups {
		to.Groups = append(to.Groups, Group{g.Name, g.Listeners, g.Events, g.Bytes, g.Held, g.Full + g.Late})
	}
	for i := range r.second.snapshot.Hooks {
		h := &r.second.snapshot.Hooks[i]
		to.Hooks = append(to.Hooks, Hook{h.Name, h.Open, h.Asked, sum(h.Requests), failed(h), h.Dead + h.Lost})
	}
	return to
}

// Series is what is kept, as a copy.
func (r *Recorder) Series() Series { return Series{r.seconds.all(), r.tens.all()} }

// ring has the last Figures.
type ring struct {
	most  int
	kept  []Figures
	first int // the oldest, once there are most
}

func (r *ring) add(f Figures) {
	if len(r.kept) < r.most {
		r.kept = append(r.kept, f)
		return
	}
	r.kept[r.first] = f
	r.first = (r.first + 1) % r.most
}

// all are the Figures, oldest first.
func (r *ring) all() []Figures {
	all := make([]Figures, 0, len(r.kept))
	return append(append(all, r.kept[r.first:]...), r.kept[:r.first]...)
}
