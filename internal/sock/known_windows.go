package sock

import (
	"errors"
	"os"
	"syscall"
)

// known gives the codes of Windows Sockets that callers match the names that they have everywhere else.
func known(err error) error {
	for code, name := range map[syscall.Errno]syscall.Errno{
		10048: syscall.EADDRINUSE,    // WSAEADDRINUSE
		10049: syscall.EADDRNOTAVAIL, // WSAEADDRNOTAVAIL
		10061: syscall.ECONNREFUSED,  // WSAECONNREFUSED
	} {
		if errors.Is(err, code) {
			return os.NewSyscallError("socket", name)
		}
	}
	return err
}
