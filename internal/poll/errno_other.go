//go:build !windows

package poll

import "syscall"

// known has nothing to translate: the system's codes are those of package syscall.
func known(code syscall.Errno) syscall.Errno { return code }

// tellsFailure: package net tells here of a break while something that came before waits.
const tellsFailure = true

// failure is what broke a socket, told once; nil if nothing did.
func failure(fd uintptr) error {
	code, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
	if err != nil || code == 0 {
		return nil
	}
	return syscall.Errno(code)
}
