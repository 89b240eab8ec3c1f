package sock_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/sock"
)

// TestUnixModeAtOnce looks at the file as it is before anything is done to it.
func TestUnixModeAtOnce(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o700} {
		p := path(t)
		ln, err := sock.CreateUnix(p, mode)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := stat(t, p)
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if got.Perm() != mode {
			t.Errorf("the file is created with %v, want %v", got.Perm(), mode)
		}
	}
}

// TestUnixOtherUser connects as somebody else.
func TestUnixOtherUser(t *testing.T) {
	open, shut := path(t), path(t)
	for _, p := range []string{open, shut} {
		if err := os.Chmod(filepath.Dir(p), 0o711); err != nil {
			t.Fatal(err)
		}
	}
	listen(t, "unix", open, sock.Options{Mode: 0o666})
	listen(t, "unix", shut, sock.Options{Mode: 0o600})
	if err := dialAsOther(t, open); err != nil {
		t.Skip("another user cannot reach the folder:", err)
	}
	if err := dialAsOther(t, shut); !errors.Is(err, syscall.EACCES) {
		t.Errorf("another user connects: %v, want EACCES", err)
	}
}

// dialAsOther connects on a thread with another user's rights, which ends with it.
func dialAsOther(t *testing.T, path string) error {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 65534, ^uintptr(0)); errno != 0 {
			result <- errno
			return
		}
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
		}
		result <- err
	}()
	return <-result
}
