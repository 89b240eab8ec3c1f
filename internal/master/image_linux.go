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

// Path is what to execute: the open file, whatever its name means by then, and whoever may search its folders. It is
// valid until Close, in this process and in what it forks.
func (i *Image) Path() string { return fmt.Sprintf("/proc/self/fd/%d", i.file.Fd()) }

// Rename gives this process the name that ps, top and ss show: the kernel calls one that was started from an open file
// by its descriptor. A thread inherits the name of the one that starts it, so it is done again as long as there are
// some with another name.
func Rename(name string) {
	name = cut(name, longestTitle)
	for range renameTries {
		if !renameThreads(name) {
			return
		}
	}
}

// renameTries bounds the tries for a process that starts threads without end.
const renameTries = 100

// renameThreads gives the threads that there are a name, and reports whether one had another.
func renameThreads(name string) (changed bool) {
	const folder = "/proc/self/task"
	threads, _ := os.ReadDir(folder) // without it there is nothing that shows names either
	for _, t := range threads {
		file := fmt.Sprintf("%s/%s/comm", folder, t.Name())
		if had, err := os.ReadFile(file); err != nil || string(had) == name+"\n" {
			continue // it has ended, or has it
		}
		changed = os.WriteFile(file, []byte(name), 0) == nil || changed
	}
	return changed
}
