//go:build unix

package sock

import (
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Duplicate is another listener for the same socket. The error matches errors.ErrUnsupported where it has none.
//
// It makes no File of the listener: whoever asks such a File for its descriptor makes the socket a blocking one for a
// moment, for all who have it, and who accepts from it just then stands still.
func Duplicate(ln net.Listener) (net.Listener, error) {
	owner, ok := ln.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	raw, err := owner.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, failed := -1, error(nil)
	err = raw.Control(func(own uintptr) { fd, failed = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return nil, os.NewSyscallError("fcntl", failed)
	}
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	return net.FileListener(f)
}
