//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package top

import (
	"os"

	"golang.org/x/sys/unix"
)

// Is reports whether a file is a terminal.
func Is(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), getTermios)
	return err == nil
}

// Size is how large a terminal is; that of the first ones if it does not tell.
func Size(f *os.File) (width, height int) {
	if s, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && s.Col > 0 && s.Row > 0 {
		return int(s.Col), int(s.Row)
	}
	return 80, 24
}

// Keys has a terminal give each key as it is pressed, and not show it, until restore is called. Ctrl+C still
// interrupts.
func Keys(f *os.File) (restore func()) {
	had, err := unix.IoctlGetTermios(int(f.Fd()), getTermios)
	if err != nil {
		return func() {}
	}
	want := *had
	want.Lflag &^= unix.ICANON | unix.ECHO
	_ = unix.IoctlSetTermios(int(f.Fd()), setTermios, &want) // else q needs Enter
	return func() { _ = unix.IoctlSetTermios(int(f.Fd()), setTermios, had) }
}
