//go:build unix

package program

import (
	"os"

	"golang.org/x/sys/unix"
)

// HasTerminal reports whether this process has a controlling terminal.
func HasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}
