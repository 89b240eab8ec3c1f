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

func (p *epoll) Take(fd int) (Handle, error) {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("poll: getsockopt: %w", err)
	}
	k := tcp
	if domain == unix.AF_UNIX {
		k = unixStream
	}
	h := p.slots.take(fd)
	p.slots.at(h).state.Store(k | unix.EPOLLIN)
	return h, nil
}
