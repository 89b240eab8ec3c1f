package poll

import (
	"errors"
	"slices"
	"syscall"
)

// IsShortage reports whether an error of Accept is a lack of descriptors, of memory, or of the watches that a user may
// have (ENOSPC of epoll_ctl).
func IsShortage(err error) bool {
	return slices.ContainsFunc(
		[]syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC},
		func(e syscall.Errno) bool { return errors.Is(err, e) },
	)
}

// bare is the system's error in one of package net, so that callers compare it with those of package syscall.
func bare(err error) error {
	var code syscall.Errno
	if errors.As(err, &code) {
		return known(code)
	}
	return err
}
