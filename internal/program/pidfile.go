//go:build unix

package program

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// A PIDFile is locked as long as its process lives, however that ends. What it says is for people.
type PIDFile struct {
	Stale bool // its last process has not removed it: that was killed

	file *os.File
	path string
}

// RunningError tells who holds a pid file.
type RunningError struct {
	PID  int
	Path string
}

func (e *RunningError) Error() string {
	return fmt.Sprintf("lineman: it runs already: pid %d holds %s", e.PID, e.Path)
}

// Claim locks the file at path, which it creates, and writes the pid of this process into it. It does not wait: if a
// process holds the file, this one too, the error is a *RunningError. Others may look with Holder meanwhile.
func Claim(path string) (*PIDFile, error) {
	for {
		f, err := openRegular(path, os.O_RDWR, 0o644)
		if err != nil {
			return nil, placeError("pid file", path, err)
		}
		holder, err := lock(f)
		stale := !empty(f)
		switch {
		case err != nil:
			err = placeError("pid file", path, err)
		case holder != 0:
			err = &RunningError{PID: holder, Path: path}
		case !named(f, path):
			f.Close() // its holder has removed it since it was opened
			continue
		default:
			err = writePID(f, path)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		return &PIDFile{Stale: stale, file: f, path: path}, nil
	}
}

// Release removes the file, unless another one is at its path by now, and lets the lock go.
func (p *PIDFile) Release() error {
	defer p.file.Close()
	if !named(p.file, p.path) {
		return nil
	}
	if err := os.Remove(p.path); err != nil {
		return fmt.Errorf("lineman: pid file: %w", err)
	}
	return nil
}

// Holder is the process that holds the pid file at path now; 0 if none does or there is no file.
func Holder(path string) (pid int, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, placeError("pid file", path, err)
	}
	defer f.Close()
	if pid, err = lockedBy(f); err != nil {
		return 0, fmt.Errorf("lineman: pid file %s: %w", path, err)
	}
	return pid, nil
}

func writePID(f *os.File, path string) error {
	if err := f.Truncate(0); err != nil {
		return placeError("pid file", path, err)
	}
	if _, err := f.WriteString(strconv.Itoa(os.Getpid()) + "\n"); err != nil {
		return placeError("pid file", path, err)
	}
	return nil
}

func empty(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Size() == 0
}

// named reports whether path still names the open file.
func named(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(open, there)
}
