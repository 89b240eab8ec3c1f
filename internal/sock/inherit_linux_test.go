package sock_test

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/sock"
)

// TestInherited reads the options of a socket as the kernel hands it out: package net is not asked to accept.
func TestInherited(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0", sock.Options{})
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fd := accept(t, ln)
	defer unix.Close(fd)
	for name, o := range map[string]struct{ level, option, want int }{
		"TCP_NODELAY":   {unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		"SO_KEEPALIVE":  {unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		"TCP_KEEPIDLE":  {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60},
		"TCP_KEEPINTVL": {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 2},
		"TCP_KEEPCNT":   {unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 30},
	} {
		if got, err := unix.GetsockoptInt(fd, o.level, o.option); err != nil || got != o.want {
			t.Errorf("%s of an accepted socket is %d, want %d: %v", name, got, o.want, err)
		}
	}
}

// TestNoMultipath has the listener be of plain TCP, whatever the program's Go version prefers.
func TestNoMultipath(t *testing.T) {
	t.Setenv("GODEBUG", "multipathtcp=2")
	ln := listen(t, "tcp", "127.0.0.1:0", sock.Options{})
	control(t, ln, func(fd int) {
		if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil ||
			got != unix.IPPROTO_TCP {
			t.Errorf("the protocol of the listener is %d, want %d: %v", got, unix.IPPROTO_TCP, err)
		}
	})
}

func accept(t *testing.T, ln net.Listener) (fd int) {
	t.Helper()
	control(t, ln, func(listener int) {
		ready := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		_, err := unix.Poll(ready, 20_000)
		for err == unix.EINTR {
			_, err = unix.Poll(ready, 20_000)
		}
		if err != nil {
			t.Fatal(err)
		}
		if fd, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	})
	return fd
}

// control calls f with the descriptor of ln.
func control(t *testing.T, ln net.Listener, f func(fd int)) {
	t.Helper()
	rc, err := ln.(syscall.Conn).SyscallConn()
	if err == nil {
		err = rc.Control(func(fd uintptr) { f(int(fd)) })
	}
	if err != nil {
		t.Fatal(err)
	}
}
