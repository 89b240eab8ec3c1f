//go:build !linux

package sock

import "io/fs"

// setMode does nothing where a socket that is not bound has no permissions.
func setMode(uintptr, fs.FileMode) error { return nil }
