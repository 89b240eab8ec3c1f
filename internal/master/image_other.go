//go:build unix && !linux

package master

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openProgram does not wait for the other end of a pipe.
const openProgram = os.O_RDONLY | unix.O_NONBLOCK

// RunningImage is the program at the path of this process's: this system does not keep one that was removed or
// replaced.
func RunningImage() (*Image, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("lineman: %w", err)
	}
	return OpenImage(path)
}

// Path is what to execute: this system takes a name only.
func (i *Image) Path() string { return i.file.Name() }

// Rename does nothing: this system calls a process by the name of its program's file.
func Rename(string) {}
