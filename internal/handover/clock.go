//go:build unix

package handover

import (
	"time"

	"golang.org/x/sys/unix"
)

// Clock is a time that goes on evenly, and is the same for all processes of the machine; 0 if the system has none.
func Clock() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0
	}
	return time.Duration(now.Nano())
}
