//go:build unix

package program

import (
	"runtime/debug"
	"testing"
)

// TestCollectEarly has a master keep little garbage, unless the environment says how much.
func TestCollectEarly(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	for environment, want := range map[string]int{"": 25, "100": 100} {
		t.Setenv("GOGC", environment)
		collectEarly()
		if got := debug.SetGCPercent(100); got != want {
			t.Errorf("with GOGC=%q it is %d, want %d", environment, got, want)
		}
	}
}
