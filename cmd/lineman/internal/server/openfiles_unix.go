//go:build unix

package server

import "syscall"

// openFiles is how many files the process may have open; 0 means that there is no such limit. Go's runtime has raised
// it as far as it may.
func openFiles() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || uint64(l.Cur) > 1<<30 {
		return 0
	}
	return int(l.Cur)
}
