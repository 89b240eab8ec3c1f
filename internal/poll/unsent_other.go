//go:build !linux

package poll

import "time"

// unsent is not known here.
func unsent(uintptr) bool { return false }

// setUserTimeout does nothing here.
func setUserTimeout(uintptr, time.Duration) {}
