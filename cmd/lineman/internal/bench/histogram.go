package bench

import (
	"math/bits"
	"time"
)

// Buckets of a histogram: below fine each nanosecond has its own; from there on each power of two has fine of them, all
// as wide.
const (
	fineBits = 6
	fine     = 1 << fineBits
	buckets  = (64 - fineBits) * fine
)

// histogram counts times. A quantile is too large by at most 1/64 of it. The zero value is empty.
type histogram struct {
	counts [buckets]uint64
	count  uint64
	max    time.Duration
}

// add counts a time. One below zero counts as zero.
func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))]++
	h.count++
	h.max = max(h.max, d)
}

// quantile is a time that the share q, 0 to 1, of those counted does not pass; 0 if none was counted.
func (h *histogram) quantile(q float64) time.Duration {
	rank := max(1, uint64(q*float64(h.count)+0.5))
	seen := uint64(0)
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(time.Duration(last(i)), h.max)
		}
	}
	return h.max
}

// bucket is where a value is counted.
//
//	v = 1xxxxxx……   its highest bit tells the row, the fineBits behind it the place in the row
func bucket(v uint64) int {
	row := max(0, bits.Len64(v)-1-fineBits)
	return row*fine + int(v>>row)
}

// last is the largest value that is counted in a bucket.
func last(i int) uint64 {
	row := max(0, i/fine-1)
	return uint64(i-row*fine+1)<<row - 1
}
