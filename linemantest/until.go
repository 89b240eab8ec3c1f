package linemantest

import (
	"testing"
	"time"
)

// Until returns when something holds. It looks again and again, on the goroutine of the caller, which is the test's
// own; the test fails if that takes longer than a minute, and wrong says what is so then: "the page is still there".
// Inside testing/synctest the clock is the bubble's.
func Until(t testing.TB, wrong string, holds func() bool) {
	t.Helper()
	late := time.Now().Add(patience)
	for pause := shortestPause; !holds(); pause = min(2*pause, longestPause) {
		if time.Now().After(late) {
			t.Fatalf("after %v: %s", patience, wrong)
		}
		time.Sleep(pause)
	}
}

// Between two looks of Until: at first what is about to happen is not to be waited for, and later others are to get on.
const (
	shortestPause = 20 * time.Microsecond
	longestPause  = 10 * time.Millisecond
)
