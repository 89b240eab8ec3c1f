package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// lock says whose a folder is: a file that is locked as long as its owner lives, and tells who that is.
type lock struct{ file *os.File }

// owner is who has a lock.
type owner struct {
	pid    int
	master string // the process that has started it
}

func openLock(folder string) (*lock, error) {
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &lock{f}, nil
}

// take takes it, and reports whether nobody else has it. That its owner cannot be told, as when the disk is full, is no
// reason not to start.
func (l *lock) take(me owner) (bool, error) {
	taken, err := lockFile(l.file)
	if !taken || err != nil {
		return false, err
	}
	n, _ := l.file.WriteAt(fmt.Appendf(nil, "%d %s\n", me.pid, me.master), 0)
	_ = l.file.Truncate(int64(n)) // what is behind the first line counts for nothing anyway
	return true, nil
}

// owner is who has it, as far as it has said so: it may have taken it in this instant.
func (l *lock) owner() owner {
	var text [256]byte
	n, _ := l.file.ReadAt(text[:], 0) // the end of the file is an error, too
	line, _, whole := strings.Cut(string(text[:n]), "\n")
	pid, master, _ := strings.Cut(line, " ")
	number, err := strconv.Atoi(pid)
	if !whole || err != nil {
		return owner{}
	}
	return owner{number, master}
}

// me is this process. Those that the same master has started are told by that: one succeeds the other. The number of a
// process may be that of another one in another container; when it was started tells them apart.
func me() owner {
	parent := os.Getppid()
	master := strconv.Itoa(parent)
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", parent)); err == nil {
		const startTime = 19 // fields after that with the name, which may have anything in it
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > startTime {
			master += "-" + fields[startTime]
		}
	}
	return owner{os.Getpid(), master}
}

// bootID is the system's start; empty where it is not known.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
