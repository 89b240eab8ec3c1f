//go:build unix

package master

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"

	"golang.org/x/sys/unix"
)

// An Image is a program file that processes are started from.
type Image struct {
	file *os.File
	path string
}

// RunningImage is the program of this process, also when its file has been removed or replaced, where the system keeps it.
func RunningImage() (*Image, error) {
	if runtime.GOOS == "linux" {
		return OpenImage("/proc/self/exe")
	}
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("lineman: %w", err)
	}
	return OpenImage(path)
}

// OpenImage is the program in a file as it is now.
func OpenImage(path string) (*Image, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("lineman: the program's file %s is gone: put it back, or restart from another", path)
	}
	if err != nil {
		return nil, fmt.Errorf("lineman: the program's file: %w", err)
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0) {
		err = fmt.Errorf("%s is not executable (%v)", path, info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lineman: the program's file: %w", err)
	}
	if f, err = raise(f); err != nil {
		return nil, fmt.Errorf("lineman: the program's file: %w", err)
	}
	return &Image{file: f, path: path}, nil
}

// outOfTheWay is above the descriptors that a new process is given: those take their numbers before it is executed.
const outOfTheWay = 256

// raise gives a file such a number, where that is a matter.
func raise(f *os.File) (*os.File, error) {
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, outOfTheWay)
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// Path is what to execute. On Linux it is the open file, whatever its name means by then, and whoever may search its folders.
func (i *Image) Path() string {
	if runtime.GOOS == "linux" {
		return fmt.Sprintf("/proc/self/fd/%d", i.file.Fd())
	}
	return i.path
}

// Close lets the file go. Nothing can be started from it any more.
func (i *Image) Close() { i.file.Close() }

// ProgramPath is where the program of a command line is found. A symbolic link on the way stays one, so that it may lead to
// another file later.
func ProgramPath(arg0 string) (string, error) {
	path := arg0
	if filepath.Base(arg0) == arg0 {
		found, err := exec.LookPath(arg0)
		if err != nil {
			if found, err = os.Executable(); err != nil {
				return "", fmt.Errorf("lineman: %w", err)
			}
		}
		path = found
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("lineman: %w", err)
	}
	return path, nil
}

// byGoRun has the places where go run puts programs: a folder for temporary files, or, when it has built the same before, its cache.
var byGoRun = regexp.MustCompile(`/go-build\d+/b\d+/exe/[^/]+$|/[0-9a-f]{2}/[0-9a-f]{64}-d/[^/]+$`)

// ByGoRun reports whether go run has built the file: then it is of one build only, and another build is another file.
func ByGoRun(path string) bool { return byGoRun.MatchString(filepath.ToSlash(path)) }
