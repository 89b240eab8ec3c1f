package poll

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxParts is how many parts of a message one call sends.
const maxParts = 8

func (p *epoll) WriteParts(h Handle, parts [][]byte) (int, error) {
	switch n, e := sendParts(p.fd(h), parts); e {
	case 0:
		return n, nil
	case unix.EAGAIN:
		return 0, ErrAgain
	default:
		return 0, e
	}
}

// sendParts is send for bytes in several places: it may send a part of them.
func sendParts(fd int, parts [][]byte) (int, syscall.Errno) {
	var list [maxParts]unix.Iovec
	parts = parts[:min(len(parts), maxParts)]
	for i, b := range parts {
		list[i].Base = unsafe.SliceData(b)
		list[i].SetLen(len(b))
	}
	msg := unix.Msghdr{Iov: &list[0]}
	msg.SetIovlen(len(parts))
	for {
		n, _, e := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_NOSIGNAL)
		if e != unix.EINTR {
			return int(n), e
		}
	}
}
