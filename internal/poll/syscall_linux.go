package poll

import (
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls below are made on descriptors that never block, so they go to the kernel directly: entering and leaving
// the scheduler around each would cost a tenth of an echo. epollWaitBlocking is the one that may sleep.

func read(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
			uintptr(len(p)))
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

// send is write for a socket: it leaves out what the kernel does for files, and the signal of a broken connection.
func send(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
			uintptr(len(p)),
			unix.MSG_NOSIGNAL, 0, 0)
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

// receive is read for a socket.
func receive(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
			uintptr(len(p)), 0, 0, 0)
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

func write(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, e := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
			uintptr(len(p)))
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

func accept(ln int) (int, netip.AddrPort, syscall.Errno) {
	var sa unix.RawSockaddrAny
	size := uint32(unsafe.Sizeof(sa))
	fd, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(ln), uintptr(unsafe.Pointer(&sa)),
		uintptr(unsafe.Pointer(&size)),
		unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if e != 0 {
		return -1, netip.AddrPort{}, e
	}
	return int(fd), decodeAddr(&sa), 0
}

func recvfrom(fd int, p []byte) (int, netip.AddrPort, syscall.Errno) {
	var sa unix.RawSockaddrAny
	for {
		size := uint32(unsafe.Sizeof(sa))
		n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
			uintptr(len(p)),
			0, uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)))
		if e != unix.EINTR {
			return int(n), decodeAddr(&sa), e
		}
	}
}

// recvmsg is recvfrom that also tells where the datagram was sent to.
func recvmsg(fd int, p []byte) (int, Ends, syscall.Errno) {
	var sa unix.RawSockaddrAny
	var told control
	iov := unix.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	for {
		msg := unix.Msghdr{Name: (*byte)(unsafe.Pointer(&sa)), Namelen: uint32(unsafe.Sizeof(sa)), Iov: &iov}
		msg.Control = (*byte)(unsafe.Pointer(&told))
		msg.SetIovlen(1)
		msg.SetControllen(int(unsafe.Sizeof(told)))
		n, _, e := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), 0)
		switch e {
		case 0:
			return int(n), Ends{decodeAddr(&sa), destinationIn(told.bytes()[:msg.Controllen])}, 0
		case unix.EINTR:
		default:
			return 0, Ends{}, e
		}
	}
}

// sendto sends over a socket that knows nothing but IPv4, if only4, or over an IPv6 one.
func sendto(fd int, p []byte, to Ends, only4 bool) syscall.Errno {
	var sa unix.RawSockaddrAny
	size := encodeAddr(&sa, to.Peer, only4)
	if to.Local.IsValid() {
		return sendmsg(fd, p, &sa, size, to.Local)
	}
	for {
		_, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
			uintptr(len(p)),
			unix.MSG_NOSIGNAL, uintptr(unsafe.Pointer(&sa)), size)
		if e != unix.EINTR {
			return e
		}
	}
}

// sendmsg is sendto from one of several addresses.
func sendmsg(fd int, p []byte, to *unix.RawSockaddrAny, size uintptr, local netip.Addr) syscall.Errno {
	var said control
	source := putSource(&said, local)
	iov := unix.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	msg := unix.Msghdr{
		Name: (*byte)(unsafe.Pointer(to)), Namelen: uint32(size), Iov: &iov, Control: unsafe.SliceData(source),
	}
	msg.SetIovlen(1)
	msg.SetControllen(len(source))
	for {
		_, _, e := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_NOSIGNAL)
		if e != unix.EINTR {
			return e
		}
	}
}

func epollCtl(epfd, op, fd int, ev *unix.EpollEvent) syscall.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epfd), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(ev)), 0, 0)
	return e
}

func epollWait(epfd int, events []unix.EpollEvent) (int, syscall.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(unsafe.SliceData(events))),
		uintptr(len(events)), 0, 0, 0)
	return int(n), e
}

// epollWaitBlocking rounds d up to milliseconds, so that a timer is due when it returns.
func epollWaitBlocking(epfd int, events []unix.EpollEvent, d time.Duration) (int, syscall.Errno) {
	ms := -1
	if d >= 0 {
		ms = int(min((d+time.Millisecond-1)/time.Millisecond, 1<<30))
	}
	n, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(unsafe.SliceData(events))),
		uintptr(len(events)), uintptr(ms), 0, 0)
	return int(n), e
}

func decodeAddr(sa *unix.RawSockaddrAny) netip.AddrPort {
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), hostOrder(&in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(zoned(in.Addr, in.Scope_id), hostOrder(&in.Port))
	}
	return netip.AddrPort{}
}

// encodeAddr writes to in the address family of the socket, which is IPv4 if only4, and returns its size. An IPv6
// address stays one: the kernel refuses it.
func encodeAddr(sa *unix.RawSockaddrAny, to netip.AddrPort, only4 bool) uintptr {
	addr := to.Addr().Unmap()
	if only4 && addr.Is4() {
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		in.Family, in.Addr = unix.AF_INET, addr.As4()
		netOrder(&in.Port, to.Port())
		return unix.SizeofSockaddrInet4
	}
	in := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
	in.Family, in.Addr, in.Scope_id = unix.AF_INET6, addr.As16(), link(addr.Zone())
	netOrder(&in.Port, to.Port())
	return unix.SizeofSockaddrInet6
}

func hostOrder(port *uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(port))
	return uint16(b[0])<<8 | uint16(b[1])
}

func netOrder(port *uint16, v uint16) {
	b := (*[2]byte)(unsafe.Pointer(port))
	b[0], b[1] = byte(v>>8), byte(v)
}
