package linemantest

import (
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// NoLeaks fails the test if, when it has ended, a goroutine or a descriptor is left that was not there before. Call it
// before Start, in tests that do not run in parallel. Descriptors are counted on Linux only.
func NoLeaks(t testing.TB) {
	t.Helper()
	before, current := descriptors(), goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, current)
		after := descriptors()
		for late := time.Now().Add(time.Second); after > before && time.Now().Before(late); after = descriptors() {
			time.Sleep(longestPause) // somebody may be closing one
		}
		if after > before {
			t.Errorf("linemantest: %d descriptors were left open", after-before)
		}
	})
}

func descriptors() int {
	if runtime.GOOS != "linux" {
		return 0
	}
	if r, w, err := os.Pipe(); err == nil { // the runtime opens its own with the first that can wait
		r.Close()
		w.Close()
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
