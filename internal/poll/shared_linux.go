package poll

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// exclusive is how a shared listener is armed: of those that sleep, the kernel wakes only the first in the socket's
// queue.
const exclusive = unix.EPOLLIN | unix.EPOLLEXCLUSIVE

// bind takes a socket that has an address to itself into the set.
func (p *epoll) bind(fd int, k kind, shared bool) (Handle, error) {
	events := uint32(unix.EPOLLIN)
	if shared {
		events = exclusive
	}
	h, err := p.addFor(fd, k, events)
	if err == nil {
		p.bound[h] = shared
	}
	return h, err
}

// enqueue arms a shared listener, at the end of the socket's queue. Such an entry of the set cannot be changed, only
// made anew.
func (p *epoll) enqueue(h Handle, want uint32) error {
	s := p.slots.at(h)
	if s.armed() != 0 {
		if err := epollCtl(p.epfd, unix.EPOLL_CTL_DEL, int(s.fd), &unix.EpollEvent{}); err != 0 {
			return fmt.Errorf("poll: epoll_ctl: %w", err)
		}
		s.arm(0)
	}
	if want == 0 {
		return nil
	}
	ev := unix.EpollEvent{Events: want, Fd: int32(h)}
	if err := epollCtl(p.epfd, unix.EPOLL_CTL_ADD, int(s.fd), &ev); err != 0 {
		return fmt.Errorf("poll: epoll_ctl: %w", err)
	}
	s.arm(want)
	return nil
}
