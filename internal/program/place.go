//go:build unix

package program

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/sock"
)

// openRegular opens a file that the program writes to, and creates it. What is no regular file is refused: by a
// symbolic link somebody else would say what is written to, and at a pipe writers wait.
func openRegular(path string, flags int, mode fs.FileMode) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, irregular(info.Mode())
	}
	f, err := os.OpenFile(path, flags|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, mode)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, irregular(info.Mode())) // it has taken the place of one
	}
	return f, nil
}

// irregular says what a file of this mode is, and what to do.
func irregular(mode fs.FileMode) error {
	switch {
	case mode&fs.ModeSymlink != 0:
		return errors.New("it is a symbolic link: name the file that it leads to, or remove it")
	case mode.IsDir():
		return errors.New("it is a folder: want a file")
	}
	return fmt.Errorf("it is no regular file (%v): want one, or a name that nothing has", mode)
}

// placeError says what is wrong with the place of a file, which it names once, and what to do.
func placeError(what, path string, err error) error {
	if taken := (*sock.NoSocketError)(nil); errors.As(err, &taken) {
		return fmt.Errorf("lineman: %s %s: %w", what, path, taken)
	}
	var code syscall.Errno
	if errors.As(err, &code) {
		err = code
	}
	if code == unix.ELOOP || code == unix.EMLINK { // how systems refuse a symbolic link
		err = irregular(fs.ModeSymlink)
	}
	remedy := ""
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		remedy = ": start it in a folder that this user may write to, or as a user who may write there"
	case errors.Is(err, fs.ErrNotExist):
		remedy = ": make its folder first"
	case errors.Is(err, syscall.EADDRINUSE):
		remedy = ": another program listens there: end that, or start this one in another folder"
	}
	return fmt.Errorf("lineman: %s %s: %w%s", what, path, err, remedy)
}

// checkPlace tells whether a file of the program's, regular or a socket, could be made or opened to write to, and
// changes nothing.
func checkPlace(what, path string, kind fs.FileMode) error {
	info, err := os.Lstat(path)
	switch {
	case path == os.DevNull && kind.IsRegular():
		return nil
	case errors.Is(err, fs.ErrNotExist):
		err = writable(filepath.Dir(path))
	case err == nil && info.Mode().Type() == kind:
		err = writable(path)
	case err == nil && kind == fs.ModeSocket:
		err = &sock.NoSocketError{Mode: info.Mode()}
	case err == nil:
		err = irregular(info.Mode())
	}
	if err != nil {
		return placeError(what, path, err)
	}
	return nil
}

func writable(path string) error {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS)
}
