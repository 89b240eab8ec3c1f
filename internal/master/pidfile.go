//go:build unix

package master

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A PIDFile is locked as long as its process lives, however that ends. Its content is for people.
type PIDFile struct {
	file *os.File
	path string
}

// RunningError tells who holds a pid file.
type RunningError struct {
	PID  int
	Path string
}

func (e *RunningError) Error() string {
	return fmt.Sprintf("lineman: pid %d holds %s", e.PID, e.Path)
}

// Who only looks holds the lock for an instant: Claim tries again before it believes that somebody runs.
const (
	claimTries = 20
	claimPause = 5 * time.Millisecond
)

// Claim locks the file at path, which it creates, and writes the pid of this process. It fails with a *RunningError if another
// process holds it.
func Claim(path string) (*PIDFile, error) {
	for try := 0; ; {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
		if err != nil {
			return nil, fmt.Errorf("lineman: pid file: %w: another place can be set by PIDFile", err)
		}
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil && !named(f, path):
			f.Close() // it was removed by its holder, as we opened it
			continue
		case err == nil:
			return claimed(f, path)
		case err != unix.EWOULDBLOCK:
			f.Close()
			return nil, fmt.Errorf("lineman: pid file %s: %w", path, os.NewSyscallError("flock", err))
		}
		pid := readPID(f)
		f.Close()
		if try++; try == claimTries {
			return nil, &RunningError{PID: pid, Path: path}
		}
		time.Sleep(claimPause)
	}
}

func claimed(f *os.File, path string) (*PIDFile, error) {
	err := f.Truncate(0)
	if err == nil {
		_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lineman: pid file: %w", err)
	}
	return &PIDFile{file: f, path: path}, nil
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

func readPID(f *os.File) int {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0 // its holder is about to write it
	}
	return pid
}

// Release removes the file, unless another stands in its place, and lets the lock go.
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

// Holder is the process that holds the pid file at path; 0 if none does.
func Holder(path string) (int, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("lineman: pid file: %w", err)
	}
	defer f.Close()
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err {
	case nil:
		return 0, nil
	case unix.EWOULDBLOCK:
		return readPID(f), nil
	default:
		return 0, fmt.Errorf("lineman: pid file %s: %w", path, os.NewSyscallError("flock", err))
	}
}
