package poll

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Streams that are lent: another process has a duplicate of the descriptor, and does not serve it. As long as it has
// that, close(2) here would neither end the connection nor take it out of the set.

func (p *epoll) Lend(h Handle) (fd int, err error) {
	s := p.slots.at(h)
	fd, err = unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("poll: dup: %w", err)
	}
	s.setLent()
	return fd, nil
}

func (p *epoll) Reclaim() {
	p.slots.open(func(_ Handle, s *slot) { s.setNotLent() })
}

func (p *epoll) Leave(h Handle) {
	p.slots.at(h).setNotLent()
	p.Close(h, false)
}

// endLent ends a connection for each process that has it, so that its peer sees what it sees of close(2): a reset if it
// is aborted, or if something has come that nobody has read; else what was written, and the end of both streams.
func (p *epoll) endLent(s *slot, abort bool) {
	fd := int(s.fd)
	_ = epollCtl(p.epfd, unix.EPOLL_CTL_DEL, fd, &unix.EpollEvent{}) // it fails if it was never watched
	if abort || hasUnread(fd) {
		disconnect(fd)
	}
	_ = unix.Shutdown(fd, unix.SHUT_RDWR) // it fails if the connection has ended
}

// hasUnread reports whether something has come on a stream.
func hasUnread(fd int) bool {
	n, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
	return err == nil && n > 0
}

// disconnect resets a TCP connection at once, as close(2) does that does not linger. It does nothing to a Unix socket.
func disconnect(fd int) {
	none := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, _ = unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unix.SizeofSockaddrInet4)
}
