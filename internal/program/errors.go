package program

import (
	"errors"
	"fmt"
)

// Errors of commands. ExitCode gives each its code.
var (
	ErrNotRunning = errors.New("not running")
	ErrRunning    = errors.New("already running")
	ErrUsage      = errors.New("wrong usage")
)

// Exit codes of commands and of processes.
const (
	ExitDone       = 0
	ExitFailed     = 1
	ExitUsage      = 2
	ExitNotRunning = 3
	ExitRunning    = 4
)

// ExitCode is what a program ends with after a command.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return ExitDone
	case errors.Is(err, ErrUsage):
		return ExitUsage
	case errors.Is(err, ErrNotRunning):
		return ExitNotRunning
	case errors.Is(err, ErrRunning):
		return ExitRunning
	}
	return ExitFailed
}

// Usage is an error that matches ErrUsage.
func Usage(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUsage, fmt.Sprintf(format, args...))
}

// remoteError is an error of the running program, as the control socket brings it.
type remoteError struct {
	text string
	code int
}

func (e remoteError) Error() string { return e.text }

func (e remoteError) Is(target error) bool { return target == ErrUsage && e.code == ExitUsage }
