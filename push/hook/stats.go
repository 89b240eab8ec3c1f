package hook

import (
	"slices"
	"sync"
	"time"
)

// Seconds are the upper bounds of the buckets that ClientStats.Took has, the last of which is without one.
var Seconds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// ClientStats are what was asked of a hook since the start.
type ClientStats struct {
	Good    uint64 // requests that were answered by 2xx
	Refused uint64 // by 3xx, and by 4xx but 429
	Busy    uint64 // by 429
	Broken  uint64 // by 5xx
	Lost    uint64 // not, in time; or by too much

	Took    []uint64 // requests that were made, by how long they took: not cumulative, one more than Seconds
	Seconds float64  // that these took together
}

// counters count requests.
type counters struct {
	mu    sync.Mutex // guards the following
	stats ClientStats
}

func (c *counters) add(a Answer, err error, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.stats
	switch {
	case err != nil:
		s.Lost++
	case a.IsGood():
		s.Good++
	case a.Status == 429:
		s.Busy++
	case a.Status >= 500:
		s.Broken++
	default:
		s.Refused++
	}
	if s.Took == nil {
		s.Took = make([]uint64, len(Seconds)+1)
	}
	at, _ := slices.BinarySearch(Seconds, took.Seconds())
	s.Took[at]++
	s.Seconds += took.Seconds()
}

// Stats tells what was asked so far.
func (c *Client) Stats() ClientStats {
	c.counters.mu.Lock()
	s := c.counters.stats
	s.Took = slices.Clone(s.Took)
	c.counters.mu.Unlock()
	if s.Took == nil {
		s.Took = make([]uint64, len(Seconds)+1)
	}
	return s
}
