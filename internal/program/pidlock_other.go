//go:build unix && !linux

package program

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Who looks holds the lock for an instant, and who has the lock needs an instant to write its number.
const (
	lockPatience = time.Second
	lockPause    = time.Millisecond
)

// lock locks a file for as long as it is open, or tells which process has.
func lock(f *os.File) (holder int, err error) {
	for until := time.Now().Add(lockPatience); ; time.Sleep(lockPause) {
		err := flock(f, unix.LOCK_EX)
		if err != unix.EWOULDBLOCK {
			return 0, os.NewSyscallError("flock", err)
		}
		// Beside those who only look there is room for one more; beside a holder there is not.
		if holder, err := lockedBy(f); holder != 0 || err != nil {
			return holder, err
		}
		if time.Now().After(until) {
			return 0, errors.New("it is being looked at without end")
		}
	}
}

// lockedBy is the process that has locked a file; 0 if none has. flock cannot be asked, so it takes the lock of those
// who look, which a holder shares with nobody.
func lockedBy(f *os.File) (pid int, err error) {
	for until := time.Now().Add(lockPatience); ; time.Sleep(lockPause) {
		switch err := flock(f, unix.LOCK_SH); {
		case err == nil:
			return 0, os.NewSyscallError("flock", flock(f, unix.LOCK_UN))
		case err != unix.EWOULDBLOCK:
			return 0, os.NewSyscallError("flock", err)
		}
		text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
		if err != nil {
			return 0, err
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			return pid, nil
		}
		if time.Now().After(until) {
			return 0, errors.New("it is locked by a process that does not say its number")
		}
	}
}

func flock(f *os.File, how int) error { return unix.Flock(int(f.Fd()), how|unix.LOCK_NB) }
