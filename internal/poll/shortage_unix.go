//go:build unix

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
