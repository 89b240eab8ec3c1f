//go:build unix

package sock

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDuplicateNeverBlocks looks at the mode of a socket while it is duplicated: who accepts in a moment in which it is
// a blocking one stands still.
func TestDuplicateNeverBlocks(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		target := "127.0.0.1:0"
		if network == "unix" {
			target = t.TempDir() + "/socket"
		}
		ln, err := Listen(network, target, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		raw, err := ln.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		done, blocked := make(chan struct{}), make(chan bool)
		go func() {
			saw := false
			for over := false; !over; {
				select {
				case <-done:
					over = true
				default:
				}
				saw = isBlocking(raw) || saw
			}
			blocked <- saw
		}()
		for range 1000 {
			duplicateOnce(t, ln)
		}
		close(done)
		if <-blocked {
			t.Errorf("%s: the socket was a blocking one for a moment", network)
		}
	}
}

func duplicateOnce(t *testing.T, ln net.Listener) {
	t.Helper()
	other, err := Duplicate(ln)
	if err != nil {
		t.Fatal(err)
	}
	if other.Addr().String() != ln.Addr().String() {
		t.Fatalf("a duplicate of %v has the address %v", ln.Addr(), other.Addr())
	}
	if u, ok := other.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	other.Close()
}

func isBlocking(raw syscall.RawConn) (blocking bool) {
	_ = raw.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		blocking = err == nil && flags&unix.O_NONBLOCK == 0
	})
	return blocking
}
