package lineman

import (
	"net"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// SetSendBuffer sets the kernel's buffer for what c sends, which is a connection over TCP and IPv4.
func SetSendBuffer(t *testing.T, c *Conn, size int) {
	if err := unix.SetsockoptInt(descriptor(t, c), unix.SOL_SOCKET, unix.SO_SNDBUF, size); err != nil {
		t.Error(err)
	}
}

// descriptor is that of c: the one whose socket has its peer.
func descriptor(t *testing.T, c *Conn) int {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range open {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		peer, _ := unix.Getpeername(fd) // nil of what is no socket
		if in, ok := peer.(*unix.SockaddrInet4); ok && in.Port == c.RemoteAddr().(*net.TCPAddr).Port {
			if own, err := unix.Getsockname(fd); err == nil &&
				own.(*unix.SockaddrInet4).Port == c.LocalAddr().(*net.TCPAddr).Port {
				return fd
			}
		}
	}
	t.Fatal("the connection has no descriptor")
	return -1
}
