package program

import (
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is the clock that a service manager compares with.
func monotonic() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
