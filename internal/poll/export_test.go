package poll

import "syscall"

// UnsentOf is unsent of a connection of package net.
func UnsentOf(c syscall.RawConn) (yes bool) {
	if err := c.Control(func(fd uintptr) { yes = unsent(fd) }); err != nil {
		return false
	}
	return yes
}
