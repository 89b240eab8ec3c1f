package hook

import (
	"testing"
	"time"
)

// TestBreaker opens after failures in a row, has one request try after a pause, which grows, and closes when one
// succeeds.
func TestBreaker(t *testing.T) {
	var b breaker
	now := time.Unix(1_795_400_000, 0)
	fail := func(want bool) {
		t.Helper()
		if !b.allow(now) {
			t.Fatal("it is open")
		}
		if got := b.done(now, true); got != want {
			t.Errorf("changed: %t, want %t", got, want)
		}
	}
	for range tolerated - 1 {
		fail(false)
	}
	if b.done(now, false) || b.isOpen(now) {
		t.Error("a success among failures counts for nothing")
	}
	for range tolerated - 1 {
		fail(false)
	}
	fail(true)
	for _, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		pause *= time.Second
		if b.done(now, true); b.allow(now.Add(pause-1)) || !b.isOpen(now.Add(pause-1)) {
			t.Fatalf("it does not pause for %v", pause)
		}
		if now = now.Add(pause); b.isOpen(now) || !b.allow(now) || b.allow(now) || !b.isOpen(now) {
			t.Fatalf("after %v there is not just one that tries", pause)
		}
		b.done(now, true)
	}
	now = now.Add(longestPause)
	if !b.allow(now) || !b.done(now, false) || b.isOpen(now) || !b.allow(now) || !b.allow(now) {
		t.Error("it does not close")
	}
}
