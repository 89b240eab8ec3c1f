//go:build unix

package program

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// OpenLog opens a log to append to, which others than its user and group cannot read if it is new: it has addresses of
// clients. It has to be a regular file, or os.DevNull.
func OpenLog(path string) (*os.File, error) {
	if path == os.DevNull {
		return os.OpenFile(path, os.O_WRONLY, 0)
	}
	f, err := openRegular(path, os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, placeError("log", path, err)
	}
	return f, nil
}

// LogFrom is what was appended to a log from a size of it on; of much, the beginning.
func LogFrom(path string, size int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.NewSectionReader(f, size, mostShown))
}

// mostShown is how much of a log is shown, in bytes.
const mostShown = 64 << 10

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
