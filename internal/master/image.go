//go:build unix

package master

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// An Image is a program file that processes are started from. On Linux that is the file, not what its name means later.
type Image struct {
	file *os.File
	info fs.FileInfo
}

// OpenImage is the program in the file at path as it is now.
func OpenImage(path string) (*Image, error) {
	f, err := os.OpenFile(path, openProgram, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("lineman: the program's file %s is gone: put it back, or restart from another", path)
	}
	if err != nil {
		return nil, fmt.Errorf("lineman: the program's file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lineman: the program's file: %w", err)
	}
	if reason := notProgram(info.Mode()); reason != "" {
		f.Close()
		return nil, fmt.Errorf("lineman: the program's file %s %s", path, reason)
	}
	if f, err = raise(f); err != nil {
		return nil, fmt.Errorf("lineman: the program's file %s: %w", path, err)
	}
	return &Image{file: f, info: info}, nil
}

// notProgram says why a file of this mode cannot be executed; empty if it can.
func notProgram(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "is a folder"
	case !mode.IsRegular():
		return fmt.Sprintf("is no regular file (%v)", mode)
	case mode.Perm()&0o111 == 0:
		return fmt.Sprintf("is not executable (%v): chmod +x makes it so", mode)
	}
	return ""
}

// outOfTheWay is above the descriptors that a new process is given: those take their numbers before it is executed.
const outOfTheWay = 256

// raise gives a file such a number or, where there are not so many, one of the upper half.
func raise(f *os.File) (*os.File, error) {
	defer f.Close()
	at := outOfTheWay
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil && uint64(limit.Cur)/2 < outOfTheWay {
		at = int(limit.Cur / 2)
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, at)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// Same reports whether two images are one file. A file that was written anew in its place is the same; one that has
// taken its place is not.
func (i *Image) Same(other *Image) bool { return os.SameFile(i.info, other.info) }

// Close lets the file go: nothing can be started from it any more. It may be called more than once.
func (i *Image) Close() { i.file.Close() }

// ProgramPath is where the program of a command line is found, as an absolute path: a name is looked for in PATH. A
// symbolic link on the way stays one, also in the working folder as the shell names it, so that it may lead to another
// file later. A name that PATH does not have is this program's.
func ProgramPath(arg0 string) (string, error) {
	path := arg0
	if !strings.ContainsRune(arg0, filepath.Separator) {
		found, err := exec.LookPath(arg0)
		if err != nil {
			found, err = os.Executable()
		}
		if err != nil {
			return "", fmt.Errorf("lineman: where is the program %q: %w", arg0, err)
		}
		path = found
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("lineman: where is the program %q: %w", arg0, err)
	}
	return path, nil
}

// ByGoRun reports whether go run has built the file: then it is of one build only, and another build is another file.
// Its programs are in a folder for temporary files or, since Go 1.24, in its cache. An expression of regexp would bring
// that package's tables into each process.
func ByGoRun(path string) bool {
	const hex = "[0-9a-f]"
	cached := hex + hex + "/" + strings.Repeat(hex, 64) + "-d/?*"
	return endsLike(path, "go-build[0-9]*/b[0-9]*/exe/?*") || endsLike(path, cached)
}

// endsLike reports whether the last names of a path are like those of a pattern, with names before them.
func endsLike(path, pattern string) bool {
	names := strings.Split(path, "/")
	first := len(names) - strings.Count(pattern, "/") - 1
	if first < 1 {
		return false
	}
	like, err := filepath.Match(pattern, strings.Join(names[first:], "/"))
	return err == nil && like
}
