package poll

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// pipe is one of the kernel's, for splice.
type pipe struct {
	poller  *epoll
	in, out int // descriptors
	n       int
}

// pipeSize is what a pipe should hold: with 64 KiB, the default of the kernel, a proxy takes half as much CPU again.
const pipeSize = 256 << 10

func (p *epoll) Pipe() (Pipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("poll: pipe: %w", err)
	}
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, pipeSize) // else it is smaller
	return &pipe{poller: p, in: fds[1], out: fds[0]}, nil
}

func (p *pipe) Fill(from Handle) (int, error) {
	n, err := move(p.poller.fd(from), p.in, pipeSize)
	p.n += n
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

func (p *pipe) Drain(to Handle) (done int, err error) {
	for p.n > 0 && err == nil {
		var n int
		n, err = move(p.out, p.poller.fd(to), p.n)
		p.n -= n
		done += n
	}
	return done, err
}

func move(from, to, most int) (int, error) {
	for {
		n, err := unix.Splice(from, nil, to, nil, most, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		switch err {
		case nil:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, ErrAgain
		case unix.EINVAL, unix.ENOSYS:
			return 0, fmt.Errorf("poll: splice: %w: %w", errors.ErrUnsupported, err)
		default:
			return 0, err
		}
	}
}

func (p *pipe) Len() int { return p.n }

func (p *pipe) Close() error {
	unix.Close(p.in)
	return unix.Close(p.out)
}
