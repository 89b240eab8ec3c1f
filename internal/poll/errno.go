package poll

import (
	"errors"
	"syscall"
)

// IsShortage reports whether an error of Accept is a lack of descriptors or memory.
func IsShortage(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// bare is the system's error in one of package net, so that callers compare it with those of package syscall.
func bare(err error) error {
	var code syscall.Errno
	if errors.As(err, &code) {
		return known(code)
	}
	return err
}
