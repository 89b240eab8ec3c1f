package poll

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// A suspended handle is open, and its descriptor not in the set. What is armed stands in its slot all the while.

func (p *epoll) Suspend(h Handle) (int, error) {
	fd := p.fd(h)
	if err := epollCtl(p.epfd, unix.EPOLL_CTL_DEL, fd, &unix.EpollEvent{}); err != 0 {
		return -1, fmt.Errorf("poll: epoll_ctl: %w", err)
	}
	return fd, nil
}

func (p *epoll) Restore(h Handle) error {
	s := p.slots.at(h)
	ev := unix.EpollEvent{Events: s.armed(), Fd: int32(h)}
	if err := epollCtl(p.epfd, unix.EPOLL_CTL_ADD, int(s.fd), &ev); err != 0 {
		return fmt.Errorf("poll: epoll_ctl: %w", err)
	}
	return nil
}

// Take asks nothing of the system: to find out of what kind the socket is would be a fifth of what it costs to take a
// connection. TCP's option of Close means nothing to a Unix socket, and nothing else depends on the kind of a stream.
func (p *epoll) Take(fd int) (Handle, error) {
	h := p.slots.take(fd)
	p.slots.at(h).state.Store(tcp | unix.EPOLLIN)
	return h, nil
}

func (p *epoll) Pair() (one, other Handle, fd int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, -1, fmt.Errorf("poll: socketpair: %w", err)
	}
	var handles [2]Handle
	for i, fd := range fds {
		handles[i] = p.slots.take(fd)
		p.slots.at(handles[i]).state.Store(unixStream | unix.EPOLLIN)
	}
	return handles[0], handles[1], fds[1], nil
}

func (p *epoll) HungUp(h Handle) bool {
	fds := []unix.PollFd{{Fd: int32(p.fd(h))}}
	for {
		if _, err := unix.Poll(fds, 0); err != unix.EINTR {
			return err == nil && fds[0].Revents&unix.POLLHUP != 0
		}
	}
}
