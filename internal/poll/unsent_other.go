//go:build !linux

package poll

// unsent is not known here.
func unsent(uintptr) bool { return false }
