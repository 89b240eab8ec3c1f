//go:build !unix

package poll

import (
	"errors"
	"syscall"
)

// The codes of Windows Sockets, which package syscall does not all name.
const (
	wsaEMFILE  = syscall.Errno(10024)
	wsaENOBUFS = syscall.Errno(10055)
)

// IsShortage reports whether an error of Accept is a lack of descriptors or memory.
func IsShortage(err error) bool { return errors.Is(err, wsaEMFILE) || errors.Is(err, wsaENOBUFS) }
