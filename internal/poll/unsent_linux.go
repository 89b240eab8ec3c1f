package poll

import (
	"time"

	"golang.org/x/sys/unix"
)

// unsent reports whether the peer of a stream has not acknowledged everything.
func unsent(fd uintptr) bool {
	n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
	return err == nil && n > 0
}

// setUserTimeout is UserTimeout. What is no TCP has none.
func setUserTimeout(fd uintptr, d time.Duration) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d/time.Millisecond))
}
