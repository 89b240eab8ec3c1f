package bench

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestHistogram compares quantiles with those of sorted times, over nine powers of ten.
func TestHistogram(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, scale := range []int64{1, 50, 64, 65, 1000, 1e6, 1e9, 1 << 62} {
		var h histogram
		var all []time.Duration
		for range 10_000 {
			d := time.Duration(random.Int64N(scale) / (1 + random.Int64N(1000)))
			h.add(d)
			all = append(all, d)
		}
		slices.Sort(all)
		for _, q := range []float64{0, 0.001, 0.5, 0.9, 0.99, 0.999, 1} {
			want := all[max(1, int(q*10_000+0.5))-1]
			if got := h.quantile(q); got < want || got > want+want/fine {
				t.Errorf("up to %d, quantile %v: %d, want %d to %d", scale, q, got, want, want+want/fine)
			}
		}
		if h.max != all[len(all)-1] || h.quantile(1) != h.max || h.count != 10_000 {
			t.Errorf("up to %d: max %d, quantile(1) %d of %d, want %d of 10000", scale, h.max, h.quantile(1), h.count,
				all[len(all)-1])
		}
	}
}

// TestHistogramEmpty has no time, and takes one below zero, which a clock that was set back gives, as zero.
func TestHistogramEmpty(t *testing.T) {
	var h histogram
	if got := h.quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	h.add(-time.Second)
	if got := h.quantile(0.99); got != 0 || h.count != 1 {
		t.Errorf("of a time below zero: %v of %d", got, h.count)
	}
}

// TestBuckets are next to each other, and each value is in the one that says so.
func TestBuckets(t *testing.T) {
	for i := range buckets - 1 {
		if got := bucket(last(i)); got != i {
			t.Fatalf("%d, the last of bucket %d, is counted in %d", last(i), i, got)
		}
		if got := bucket(last(i) + 1); got != i+1 {
			t.Fatalf("%d, the first of bucket %d, is counted in %d", last(i)+1, i+1, got)
		}
	}
}

func BenchmarkHistogram(b *testing.B) {
	var h histogram
	b.ReportAllocs()
	for i := range b.N {
		h.add(time.Duration(i))
	}
}
