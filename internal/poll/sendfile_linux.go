package poll

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// output is a duplicate of a stream's descriptor: the number of the original may mean another connection at any time.
type output struct{ fd int }

func (p *epoll) Output(h Handle) (Output, error) {
	fd, err := unix.FcntlInt(uintptr(p.fd(h)), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("poll: dup: %w", err)
	}
	return output{fd}, nil
}

func (o output) SendFile(f *os.File, n int) (sent int, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("poll: sendfile: %w", err)
	}
	var failed error
	err = rc.Read(func(from uintptr) bool {
		for {
			sent, failed = unix.Sendfile(o.fd, int(from), nil, n)
			if failed != unix.EINTR {
				return true
			}
		}
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("poll: sendfile: %w", err)
	case failed == unix.EAGAIN:
		return 0, ErrAgain
	case failed == unix.EINVAL || failed == unix.ENOSYS || failed == unix.EOVERFLOW:
		return 0, fmt.Errorf("poll: sendfile: %w: %w", errors.ErrUnsupported, failed)
	case failed != nil:
		return 0, failed
	}
	return sent, nil
}

func (o output) Close() error { return unix.Close(o.fd) }
