//go:build unix

package master

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// OpenLog opens a file to append to.
func OpenLog(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

// Duplicate makes another descriptor of a file, close-on-exec.
func Duplicate(f *os.File) (int, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("lineman: %w", os.NewSyscallError("dup", err))
	}
	return fd, nil
}

// Redirect has these files, such as the standard output, be another one from now on.
func Redirect(to *os.File, files ...*os.File) error {
	for _, f := range files {
		if err := unix.Dup2(int(to.Fd()), int(f.Fd())); err != nil {
			return fmt.Errorf("lineman: %w", os.NewSyscallError("dup", err))
		}
	}
	return nil
}
