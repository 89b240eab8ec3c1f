package processtest

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

// OtherUser is a user who is not root.
const OtherUser = 65534

// AsOther calls f on a thread with another user's rights, which ends with it.
func AsOther(t *testing.T, f func() error) error {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), OtherUser, ^uintptr(0)); errno != 0 {
			result <- errno
			return
		}
		result <- f()
	}()
	return <-result
}
