package sock

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// setMode gives a socket the permissions that Linux, less the umask, hands on to the file when the socket is bound.
func setMode(fd uintptr, mode fs.FileMode) error {
	return unix.Fchmod(int(fd), uint32(mode.Perm()))
}
