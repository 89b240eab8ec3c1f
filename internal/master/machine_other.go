//go:build unix && !linux

package master

import (
	"syscall"
	"time"
)

// LoadAverage tells nothing on this system.
func LoadAverage() []float64 { return nil }

// Resident tells nothing on this system.
func Resident(int) int64 { return 0 }

// Gone reports whether a process has ended.
func Gone(pid int) bool { return syscall.Kill(pid, 0) != nil }

// startOf tells nothing on this system.
func startOf(int) uint64 { return 0 }

// awaitEnd does nothing on this system: who waits for a child waits for its end too.
func awaitEnd(int) {}

// A Reaper does nothing: this system has no containers of the kind.
type Reaper struct{}

// Reap does nothing.
func (*Reaper) Reap(time.Time, func(pid int) bool) int { return 0 }
