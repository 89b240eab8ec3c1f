package program

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock locks a file for as long as it is open, or tells which process has. The lock is of the open file, not of the
// process, so that a second one in this process fails too. It is as many bytes long as the number of the process is
// great: whoever looks learns from the lock itself who holds it, also before the holder has written a word.
func lock(f *os.File) (holder int, err error) {
	for {
		l := unix.Flock_t{Type: unix.F_WRLCK, Len: int64(os.Getpid())}
		err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l)
		if err != unix.EAGAIN {
			return 0, os.NewSyscallError("fcntl", err)
		}
		if holder, err := lockedBy(f); holder != 0 || err != nil {
			return holder, err
		}
	}
}

// lockedBy is the process that has locked a file; 0 if none has. It asks for the lock without taking it, unlike flock,
// which cannot be asked: so it is in nobody's way.
func lockedBy(f *os.File) (pid int, err error) {
	l := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return 0, os.NewSyscallError("fcntl", err)
	}
	if l.Type == unix.F_UNLCK {
		return 0, nil
	}
	return int(l.Len), nil
}
