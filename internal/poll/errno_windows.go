package poll

import "syscall"

// tellsFailure: package net says that a socket is readable for as long as something waits, and nothing else.
const tellsFailure = false

func failure(uintptr) error { return nil }

// known gives the codes of Windows Sockets that callers match the names that they have everywhere else.
func known(code syscall.Errno) syscall.Errno {
	switch code {
	case 10024: // WSAEMFILE
		return syscall.EMFILE
	case 10053: // WSAECONNABORTED
		return syscall.ECONNABORTED
	case 10054: // WSAECONNRESET
		return syscall.ECONNRESET
	case 10055: // WSAENOBUFS
		return syscall.ENOBUFS
	case 10057: // WSAENOTCONN
		return syscall.ENOTCONN
	case 10058: // WSAESHUTDOWN
		return syscall.EPIPE
	case 10060: // WSAETIMEDOUT
		return syscall.ETIMEDOUT
	}
	return code
}
