package e2e

import (
	"os"

	"golang.org/x/sys/unix"
)

// enter has the thread be in a network namespace.
func enter(namespace *os.File) error { return unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET) }
