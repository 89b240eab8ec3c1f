//go:build !linux

package sock

// setInherited does nothing where package net accepts: it sets the options of each connection itself.
func setInherited(uintptr) error { return nil }
