//go:build unix

package sock

import "golang.org/x/sys/unix"

func setNonblock(fd uintptr) error { return unix.SetNonblock(int(fd), true) }
