package poll

import "golang.org/x/sys/unix"

// unsent reports whether the peer of a stream has not acknowledged everything.
func unsent(fd uintptr) bool {
	n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
	return err == nil && n > 0
}
