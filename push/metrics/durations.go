package metrics

import (
	"math"
	"slices"
	"sort"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Durations count how long something took, by upper bounds each of which is about a quarter more than the one before.
// The zero value counts nothing.
type Durations struct {
	Counts []uint64 // by bucket; the last one has no bound
	Sum    time.Duration
}

// coarse are the upper bounds that Prometheus is told of, in seconds. Each is two and a half times the one before.
var coarse = append([]float64{8e-6, 20e-6}, prometheus.ExponentialBuckets(50e-6, 2.5, 12)...)

// bounds are the upper bounds of all buckets but the last one: each of the coarse ones is divided in perBucket.
var bounds = divided(coarse)

const perBucket = 4

func divided(coarse []float64) []float64 {
	all := coarse[:1:1]
	for i, bound := range coarse[1:] {
		for part := 1; part < perBucket; part++ {
			all = append(all, coarse[i]*math.Pow(bound/coarse[i], float64(part)/perBucket))
		}
		all = append(all, bound)
	}
	return all
}

// Since is what was counted after an earlier count.
func (d Durations) Since(earlier Durations) Durations {
	since := Durations{slices.Clone(d.Counts), d.Sum - earlier.Sum}
	for i, n := range earlier.Counts {
		since.Counts[i] -= n
	}
	return since
}

// Count is how many were counted.
func (d Durations) Count() (n uint64) {
	for _, c := range d.Counts {
		n += c
	}
	return n
}

// Quantile is what so large a part of them took no longer than, to within a quarter; 0 if there are none. What took
// longer than all bounds is told as the last of them, which is 1.2 seconds.
func (d Durations) Quantile(part float64) time.Duration {
	all := d.Count()
	if all == 0 {
		return 0
	}
	rank := part * float64(all)
	below := 0.0
	for i, c := range d.Counts {
		if n := float64(c); n == 0 || below+n < rank {
			below += n
			continue
		}
		if i == len(bounds) {
			break
		}
		lower := 0.0
		if i > 0 {
			lower = bounds[i-1]
		}
		return time.Duration((lower + (bounds[i]-lower)*(rank-below)/float64(d.Counts[i])) * float64(time.Second))
	}
	return time.Duration(bounds[len(bounds)-1] * float64(time.Second))
}

// histogram is what Prometheus is told.
func (d Durations) histogram(desc *prometheus.Desc) prometheus.Metric {
	took, n := make(map[float64]uint64), uint64(0)
	for i, c := range d.Counts[:len(bounds)] {
		if n += c; i%perBucket == 0 {
			took[bounds[i]] = n
		}
	}
	return prometheus.MustNewConstHistogram(desc, d.Count(), d.Sum.Seconds(), took)
}

// stopwatch counts Durations, from any goroutine.
type stopwatch struct {
	counts []atomic.Uint64
	sum    atomic.Int64
}

func newStopwatch() *stopwatch { return &stopwatch{counts: make([]atomic.Uint64, len(bounds)+1)} }

func (w *stopwatch) add(d time.Duration) {
	w.counts[sort.SearchFloat64s(bounds, d.Seconds())].Add(1)
	w.sum.Add(int64(d))
}

func (w *stopwatch) durations() Durations {
	d := Durations{make([]uint64, len(w.counts)), time.Duration(w.sum.Load())}
	for i := range w.counts {
		d.Counts[i] = w.counts[i].Load()
	}
	return d
}
