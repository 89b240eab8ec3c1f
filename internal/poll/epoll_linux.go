package poll

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch is how many events one Wait returns at the most: enough to spread its cost, few enough that what the events
// produce stays in the cache until it is written.
const batch = 256

// epoll is a Poller over one level-triggered epoll set, which tells of a socket by its handle.
type epoll struct {
	epfd    int
	slots   slots
	closing []Handle
	bound   map[Handle]bool // listeners and sockets of datagrams, which other processes may have too; true: shared
	raw     [batch]unix.EpollEvent
	events  [batch]Event

	mu     sync.Mutex // guards wakefd against Shut
	wakefd int        // -1 after Shut
}

// New makes the best Poller of this system.
func New() (Poller, error) {
	wakefd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("poll: eventfd: %w", err)
	}
	epfd, err := newSet(wakefd)
	if err != nil {
		unix.Close(wakefd)
		return nil, err
	}
	return &epoll{epfd: epfd, wakefd: wakefd, slots: slots{free: none}, bound: make(map[Handle]bool)}, nil
}

func (p *epoll) Listen(ln net.Listener, shared bool) (Handle, error) {
	k := tcp
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
		k = unixStream
	}
	fd, err := takeOver(ln)
	if err != nil {
		return 0, err
	}
	return p.bind(fd, k, shared)
}

func (p *epoll) Packet(pc net.PacketConn) (Handle, error) {
	fd, err := takeOver(pc)
	if err != nil {
		return 0, err
	}
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("poll: getsockopt: %w", err)
	}
	k := udp6
	if domain == unix.AF_INET {
		k = udp4
	}
	if askDestination(fd) {
		k |= anyAddress
	}
	return p.bind(fd, k, false)
}

// takeOver duplicates the descriptor below c and closes c, so that package net no longer watches it.
func takeOver(c io.Closer) (int, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return -1, fmt.Errorf("poll: %T has no descriptor", c)
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("poll: %w", err)
	}
	fd, dupErr := -1, error(nil)
	err = rc.Control(func(s uintptr) { fd, dupErr = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, dupErr); err != nil {
		return -1, fmt.Errorf("poll: dup: %w", err)
	}
	c.Close()
	return fd, nil
}

// fd is the descriptor of a handle that is in use.
func (p *epoll) fd(h Handle) int { return int(p.slots.at(h).fd) }

// add takes fd into the set, or closes it.
func (p *epoll) add(fd int, k kind) (Handle, error) { return p.addFor(fd, k, unix.EPOLLIN) }

func (p *epoll) addFor(fd int, k kind, events uint32) (Handle, error) {
	h := p.slots.take(fd)
	ev := unix.EpollEvent{Events: events, Fd: int32(h)}
	if err := epollCtl(p.epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != 0 {
		p.slots.put(h)
		unix.Close(fd)
		return 0, fmt.Errorf("poll: epoll_ctl: %w", err)
	}
	p.slots.at(h).state.Store(k | events)
	return h, nil
}

func (p *epoll) Accept(ln Handle) (Accepted, netip.AddrPort, error) {
	for {
		fd, peer, e := accept(p.fd(ln))
		switch e {
		case 0:
			s := p.slots.at(ln)
			if p.bound[ln] {
				if err := p.enqueue(ln, s.armed()); err != nil { // the others come first now
					unix.Close(fd)
					return Accepted{}, peer, err
				}
			}
			return Accepted{fd: fd, kind: s.kind()}, peer, nil
		case unix.EINTR, unix.ECONNABORTED:
		case unix.EAGAIN:
			return Accepted{}, netip.AddrPort{}, ErrAgain
		default:
			return Accepted{}, netip.AddrPort{}, e
		}
	}
}

func (p *epoll) Adopt(a Accepted) (Handle, error) { return p.add(a.fd, a.kind) }

func (p *epoll) Stream(c net.Conn) (Handle, error) {
	k := tcp
	if _, ok := c.(*net.UnixConn); ok {
		k = unixStream
	}
	fd, err := takeOver(c)
	if err != nil {
		return 0, err
	}
	return p.add(fd, k)
}

// Halt does nothing: what was not asked for is still in the kernel.
func (p *epoll) Halt(Handle) bool { return false }

// Detach duplicates the descriptor. The set knows the connection by the old one, so that leaves it first.
func (p *epoll) Detach(h Handle) (net.Conn, []byte, error) {
	if err := epollCtl(p.epfd, unix.EPOLL_CTL_DEL, p.fd(h), &unix.EpollEvent{}); err != 0 {
		return nil, nil, fmt.Errorf("poll: epoll_ctl: %w", err)
	}
	p.slots.at(h).setNotLent() // its Close is not the end of the connection
	fd, err := unix.FcntlInt(uintptr(p.fd(h)), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("poll: dup: %w", err)
	}
	f := os.NewFile(uintptr(fd), "")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, nil, fmt.Errorf("poll: %w", err)
	}
	return c, nil, nil
}

func (p *epoll) Arm(h Handle, read, write bool) error {
	if p.bound[h] {
		if !read {
			return p.enqueue(h, 0)
		}
		return p.enqueue(h, exclusive)
	}
	var want uint32
	if read {
		want |= unix.EPOLLIN
	}
	if write {
		want |= unix.EPOLLOUT
	}
	if want == 0 {
		want = unix.EPOLLET // the end of both sides cannot be masked: it is reported once, not again and again
	}
	s := p.slots.at(h)
	if s.armed() == want {
		return nil
	}
	before := s.armed()
	s.arm(want) // first, as Watch may run beside it
	ev := unix.EpollEvent{Events: want, Fd: int32(h)}
	err := epollCtl(p.epfd, unix.EPOLL_CTL_MOD, int(s.fd), &ev)
	if err != 0 && err != unix.ENOENT { // one that was taken is not in the set before Watch, which looks what is armed
		s.arm(before)
		return fmt.Errorf("poll: epoll_ctl: %w", err)
	}
	return nil
}

func (p *epoll) Read(h Handle, b []byte) (int, error) {
	n, e := receive(p.fd(h), b)
	switch {
	case e == unix.EAGAIN:
		return 0, ErrAgain
	case e != 0:
		return 0, e
	case n == 0 && len(b) > 0:
		return 0, io.EOF
	}
	return n, nil
}

func (p *epoll) Write(h Handle, b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n, e := send(p.fd(h), b[done:])
		if e == unix.EAGAIN {
			return done, ErrAgain
		}
		if e != 0 {
			return done, e
		}
		done += n
	}
	return done, nil
}

func (p *epoll) Unsent(h Handle) bool { return unsent(uintptr(p.fd(h))) }

func (p *epoll) UserTimeout(h Handle, d time.Duration) { setUserTimeout(uintptr(p.fd(h)), d) }

func (p *epoll) ReadFrom(h Handle, b []byte) (n int, between Ends, err error) {
	var e syscall.Errno
	if p.slots.at(h).kind()&anyAddress != 0 {
		n, between, e = recvmsg(p.fd(h), b)
	} else {
		n, between.Peer, e = recvfrom(p.fd(h), b)
	}
	switch e {
	case 0:
		return n, between, nil
	case unix.EAGAIN:
		return 0, Ends{}, ErrAgain
	}
	return 0, Ends{}, e
}

func (p *epoll) WriteTo(h Handle, b []byte, between Ends) error {
	var e syscall.Errno
	if between.Peer.IsValid() {
		e = sendto(p.fd(h), b, between, p.slots.at(h).kind()&^anyAddress == udp4)
	} else {
		_, e = send(p.fd(h), b)
	}
	switch e {
	case 0:
		return nil
	case unix.EAGAIN:
		return ErrAgain
	}
	return e
}

func (p *epoll) CloseWrite(h Handle) error { return unix.Shutdown(p.fd(h), unix.SHUT_WR) }

// Close keeps the descriptor until the next Wait: an event of this batch that is still to come cannot then meet a new
// connection under the same number. It reads wakefd without the lock, as translate does.
func (p *epoll) Close(h Handle, abort bool) {
	s := p.slots.at(h)
	if s.isLent() {
		p.endLent(s, abort)
	} else if abort && s.kind() == tcp {
		// Without it the kernel would still deliver what it has taken. It can fail only on a dead socket.
		_ = unix.SetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	s.state.Store(closed)
	p.closing = append(p.closing, h)
	if _, ok := p.bound[h]; ok {
		delete(p.bound, h)
		// Where another process has the socket too, it would stay in the set for ever.
		_ = epollCtl(p.epfd, unix.EPOLL_CTL_DEL, p.fd(h), &unix.EpollEvent{}) // disarmed, it is not there
		// Another description under the number frees the address now. If it fails, the next Wait does.
		_ = unix.Dup3(p.wakefd, int(s.fd), unix.O_CLOEXEC)
	}
}

func (p *epoll) release() {
	for _, h := range p.closing {
		unix.Close(p.fd(h))
		p.slots.put(h)
	}
	p.closing = p.closing[:0]
}

func (p *epoll) LocalAddr(h Handle) net.Addr {
	k := p.slots.at(h).kind()
	if k == closed {
		return nil
	}
	sa, err := unix.Getsockname(p.fd(h))
	if err != nil {
		return nil
	}
	if u, ok := sa.(*unix.SockaddrUnix); ok {
		return &net.UnixAddr{Name: u.Name, Net: "unix"}
	}
	ap := addrPort(sa)
	if k >= udp4 {
		return net.UDPAddrFromAddrPort(ap)
	}
	return net.TCPAddrFromAddrPort(ap)
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(zoned(sa.Addr, sa.ZoneId), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

func (p *epoll) Wait(d time.Duration) ([]Event, error) {
	p.release()
	var n int
	var e syscall.Errno
	if d == 0 {
		n, e = epollWait(p.epfd, p.raw[:])
	} else {
		n, e = epollWaitBlocking(p.epfd, p.raw[:], d)
	}
	if e != 0 && e != unix.EINTR {
		return nil, fmt.Errorf("poll: epoll_wait: %w", e)
	}
	return p.translate(n), nil
}

// translate reads wakefd without the lock: Shut, which changes it, is called by the goroutine that waits.
func (p *epoll) translate(n int) []Event {
	events := p.events[:0]
	for i := range p.raw[:max(n, 0)] {
		ev := &p.raw[i]
		if Handle(ev.Fd) == none {
			var drain [8]byte
			_, _ = read(p.wakefd, drain[:])
			continue
		}
		e := Event{
			Handle: Handle(ev.Fd),
			Read:   ev.Events&unix.EPOLLIN != 0,
			Write:  ev.Events&unix.EPOLLOUT != 0,
			Fail:   ev.Events&unix.EPOLLERR != 0,
		}
		if e.Read || e.Write || e.Fail {
			events = append(events, e)
		}
	}
	return events
}

func (p *epoll) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wakefd >= 0 {
		one := uint64(1)
		// EAGAIN means that a wake-up is already on its way.
		_, _ = write(p.wakefd, (*[8]byte)(unsafe.Pointer(&one))[:])
	}
}

func (p *epoll) Shut() {
	p.release()
	p.slots.open(func(_ Handle, s *slot) {
		if s.isLent() {
			p.endLent(s, false)
		}
		s.state.Store(closed)
		unix.Close(int(s.fd))
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wakefd < 0 {
		return
	}
	unix.Close(p.wakefd)
	unix.Close(p.epfd)
	p.wakefd = -1
}
