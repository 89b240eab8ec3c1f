package master

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openProgram opens what may be executed and not be read, and does not wait for the other end of a pipe.
const openProgram = unix.O_PATH

// RunningImage is the program of this process, also when its file has been removed or replaced.
func RunningImage() (*Image, error) { return OpenImage("/proc/self/exe") }

// Path is what to execute: the open file, whatever its name means by then, and whoever may search its folders. It is valid until
// Close, in this process and in what it forks.
func (i *Image) Path() string { return fmt.Sprintf("/proc/self/fd/%d", i.file.Fd()) }

// Rename gives this process the name that ps, top and ss show: the kernel calls one that was started from an open file by its
// descriptor. Threads inherit the name from the one that starts them, so all that are there get it.
func Rename(name string) {
	const folder = "/proc/self/task"
	threads, _ := os.ReadDir(folder) // without it there is nothing that shows names either
	for _, t := range threads {
		_ = os.WriteFile(fmt.Sprintf("%s/%s/comm", folder, t.Name()), []byte(name), 0) // it may have ended
	}
}
