package master

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// openProgram opens what may be executed and not be read, and does not wait for the other end of a pipe.
const openProgram = unix.O_PATH

// RunningImage is the program of this process, also when its file has been removed or replaced.
func RunningImage() (*Image, error) { return OpenImage("/proc/self/exe") }

// Path is what to execute: the open file, whatever its name means by then, and whoever may search its folders. It is valid until
// Close, in this process and in what it forks.
func (i *Image) Path() string { return fmt.Sprintf("/proc/self/fd/%d", i.file.Fd()) }
