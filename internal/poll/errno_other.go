//go:build !windows

package poll

import "syscall"

// known has nothing to translate: the system's codes are those of package syscall.
func known(code syscall.Errno) syscall.Errno { return code }
