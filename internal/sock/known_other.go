//go:build !windows

package sock

// known has nothing to translate: package net gives the names of package syscall.
func known(err error) error { return err }
