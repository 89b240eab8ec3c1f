//go:build unix && !linux

package program

import "time"

// monotonic is for a service manager that this system does not have.
func monotonic() time.Duration { return 0 }
