package lineman

import (
	"testing"

	"golang.org/x/sys/unix"
)

// SetSendBuffer sets the kernel's buffer for what c sends. Native loops only, where a handle is a descriptor.
func SetSendBuffer(t *testing.T, c *Conn, size int) {
	if err := unix.SetsockoptInt(int(c.handle), unix.SOL_SOCKET, unix.SO_SNDBUF, size); err != nil {
		t.Error(err)
	}
}
