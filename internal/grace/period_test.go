package grace

import (
	"testing"
	"time"
)

const s = Period(time.Second)

// TestParts has the parts of a period follow each other, and the last ones be short of it.
func TestParts(t *testing.T) {
	for _, c := range []struct {
		period, stop, last, goodbyes Period
		begun, drain, patience       time.Duration
	}{
		{period: 0},
		{2 * s, 1800 * s / 1000, s / 2, 375 * s / 1000, 1500 * time.Millisecond, 1500 * time.Millisecond, time.Second},
		{100 * s, 90 * s, 5 * s, 3750 * s / 1000, 95 * time.Second, 75 * time.Second, 5 * time.Second},
	} {
		if got := c.period.Stop(); got != c.stop {
			t.Errorf("%v: Stop is %v", c, got)
		}
		if got := c.period.Last(); got != c.last || c.period.Goodbyes() != c.goodbyes || got < c.goodbyes {
			t.Errorf("%v: Last is %v, Goodbyes %v", c, got, c.period.Goodbyes())
		}
		if got := c.period.Begun(); got != c.begun || Period(got)+c.last != c.period {
			t.Errorf("%v: Begun is %v", c, got)
		}
		if got := c.period.Drain(time.Hour); got != c.drain {
			t.Errorf("%v: Drain is %v", c, got)
		}
		if got := c.period.Patience(); got != c.patience {
			t.Errorf("%v: Patience is %v", c, got)
		}
	}
}

// TestNone has a period without an end have none in its parts, and a drain as long as a worker wants it.
func TestNone(t *testing.T) {
	for _, none := range []Period{None, -100 * s} {
		if none.Stop() != None || none.Last() != None || none.Goodbyes() != None {
			t.Errorf("%v: %v, %v, %v", none, none.Stop(), none.Last(), none.Goodbyes())
		}
		if got := none.Drain(time.Hour); got != time.Hour {
			t.Errorf("%v: a drain of an hour is %v", none, got)
		}
	}
}

// TestShortDrain leaves a drain alone that is shorter than it may be.
func TestShortDrain(t *testing.T) {
	if got := (100 * s).Drain(time.Second); got != time.Second {
		t.Error(got)
	}
}

// TestFor has a period that was made for a drain leave room for it, and for goodbyes after it.
func TestFor(t *testing.T) {
	for _, drain := range []time.Duration{-1, 0, 1, time.Second, time.Minute, 24 * time.Hour} {
		if got := Period(ForStop(drain)).Stop(); got.Drain(drain) != drain || time.Duration(got)-drain < besideStop/2 {
			t.Errorf("a stop with a drain of %v has %v", drain, time.Duration(got))
		}
		if got := Period(ForReload(drain)); got.Drain(drain) != drain || time.Duration(got)-drain < besideReload/2 {
			t.Errorf("a reload with a drain of %v has %v", drain, time.Duration(got))
		}
	}
	if ForStop(0) != 5*time.Second || ForReload(0) != 2*time.Second {
		t.Errorf("without a drain: %v and %v", ForStop(0), ForReload(0))
	}
}

// TestOrphan has the next master wait until orphans have gone for sure.
func TestOrphan(t *testing.T) {
	if !(0 < OrphanStop && OrphanStop < Orphan && Orphan < OrphanGone) {
		t.Errorf("%v, %v, %v", OrphanStop, Orphan, OrphanGone)
	}
}
