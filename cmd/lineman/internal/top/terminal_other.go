//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package top

import "os"

// Is reports whether a file is a terminal. There is no server here whose master could be asked.
func Is(*os.File) bool { return false }

// Size is that of the first terminals.
func Size(*os.File) (width, height int) { return 80, 24 }

// Keys does nothing.
func Keys(*os.File) (restore func()) { return func() {} }
