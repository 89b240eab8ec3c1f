//go:build !linux

package poll

// New makes the best Poller of this system.
func New() (Poller, error) { return NewPortable(), nil }
