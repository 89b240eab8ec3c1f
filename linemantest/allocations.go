package linemantest

import (
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
)

// NoAllocations fails the test if f allocates. It runs f five hundred times, after a first one that may fill pools.
// As others in the process may allocate meanwhile, f has four tries more. Under the race detector, which makes pools
// drop what they are given, it only runs f.
func NoAllocations(t testing.TB, f func()) {
	t.Helper()
	runtime.GC()
	n := testing.AllocsPerRun(500, f)
	for tries := 4; n != 0 && tries > 0 && !Raced(); tries-- {
		n = min(n, testing.AllocsPerRun(500, f))
	}
	if n != 0 && !Raced() {
		t.Errorf("linemantest: %v allocations a run, want none", n)
	}
}

// Raced reports whether the program was built with the race detector.
func Raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
