package poll

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Streams that go to another process, and come from one. What is armed stands in a slot, be it watched or not.

func (p *epoll) Descriptor(h Handle) (int, error) { return p.fd(h), nil }

// Renew leaves the set to which given streams belong. To close it whole takes as long as to take them out one by one,
// but it need not be done before they are given. What is closed goes first, so that there is a descriptor for the new
// set. It reads wakefd without the lock, as translate does.
func (p *epoll) Renew() error {
	p.release()
	fresh, err := newSet(p.wakefd)
	if err != nil {
		return err
	}
	p.slots.open(func(h Handle, s *slot) {
		if s.armed() == 0 {
			return // a listener that is disarmed
		}
		ev := unix.EpollEvent{Events: s.armed(), Fd: int32(h)}
		if e := epollCtl(fresh, unix.EPOLL_CTL_ADD, int(s.fd), &ev); e != 0 && err == nil {
			err = fmt.Errorf("poll: epoll_ctl: %w", e)
		}
	})
	if err != nil {
		unix.Close(fresh)
		return err
	}
	unix.Close(p.epfd)
	p.epfd = fresh
	return nil
}

// newSet makes an epoll set that has the eventfd for Wake.
func newSet(wakefd int) (epfd int, err error) {
	epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("poll: epoll_create: %w", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(none)}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, wakefd, &ev); err != nil {
		unix.Close(epfd)
		return -1, fmt.Errorf("poll: epoll_ctl: %w", err)
	}
	return epfd, nil
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

// Watch looks again at what is armed, as Arm may run beside it, and have found that the stream is not in the set yet.
func (p *epoll) Watch(h Handle) error {
	s := p.slots.at(h)
	ev := unix.EpollEvent{Events: s.armed(), Fd: int32(h)}
	err := epollCtl(p.epfd, unix.EPOLL_CTL_ADD, int(s.fd), &ev)
	for now := s.armed(); err == 0 && now != ev.Events; now = s.armed() {
		ev.Events = now
		err = epollCtl(p.epfd, unix.EPOLL_CTL_MOD, int(s.fd), &ev)
	}
	if err != 0 {
		return fmt.Errorf("poll: epoll_ctl: %w", err)
	}
	return nil
}

func (p *epoll) Unwatch(h Handle) error {
	if err := epollCtl(p.epfd, unix.EPOLL_CTL_DEL, p.fd(h), &unix.EpollEvent{}); err != 0 {
		return fmt.Errorf("poll: epoll_ctl: %w", err)
	}
	return nil
}

func (p *epoll) HungUp(h Handle) bool {
	fds := []unix.PollFd{{Fd: int32(p.fd(h))}}
	for {
		if _, err := unix.Poll(fds, 0); err != unix.EINTR {
			return err == nil && fds[0].Revents&unix.POLLHUP != 0
		}
	}
}
