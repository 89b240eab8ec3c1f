//go:build linux

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// recvfrom receives a datagram, and whom it is from.
func recvfrom(fd int, b []byte) (n int, from unix.RawSockaddrInet4, e unix.Errno) {
	size := uint32(unix.SizeofSockaddrInet4)
	r, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0,
		uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)))
	return int(r), from, e
}

func sendto(fd int, b []byte, to unix.RawSockaddrInet4) {
	_, _, _ = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0,
		uintptr(unsafe.Pointer(&to)), unix.SizeofSockaddrInet4)
}
