package server

import (
	"testing"
	"time"
)

// TestRateLimiter lets a burst through, then as much as leaks away, by name, and forgets who has been still.
func TestRateLimiter(t *testing.T) {
	r := newRateLimiter(2)
	now := time.Unix(1_800_000_000, 0)
	take := func(name string, n int) (taken int) {
		for range n {
			if r.allow(name, now) {
				taken++
			}
		}
		return taken
	}
	if got := take("a", 20); got != 10 {
		t.Errorf("%d came at once, want 10", got)
	}
	if got := take("b", 1); got != 1 {
		t.Error("another name has nothing left")
	}
	now = now.Add(3 * time.Second)
	if got := take("a", 20); got != 6 {
		t.Errorf("after three seconds %d came, want 6", got)
	}
	if r.forget(now); len(r.by) != 1 {
		t.Errorf("%d names are known, want 1", len(r.by))
	}
	if r.forget(now.Add(burstTime * time.Second)); len(r.by) != 0 {
		t.Errorf("after the time of a burst %d names are known", len(r.by))
	}
	slow := newRateLimiter(0.1)
	if !slow.allow("a", now) || slow.allow("a", now) || !slow.allow("a", now.Add(10*time.Second)) {
		t.Error("once in ten seconds is not that")
	}
}

// TestRateLimiterClock has the clock be set back by an hour: nobody may do more for that, and what was taken leaks away
// from then on.
func TestRateLimiterClock(t *testing.T) {
	r := newRateLimiter(1)
	now := time.Unix(1_800_000_000, 0)
	for r.allow("a", now) {
	}
	now = now.Add(-time.Hour)
	if r.allow("a", now) {
		t.Error("one more may come")
	}
	if now = now.Add(time.Second); !r.allow("a", now) || r.allow("a", now) {
		t.Error("after a second it is not one")
	}
}
