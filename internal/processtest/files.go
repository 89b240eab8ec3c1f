package processtest

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// NoMoreFiles returns what fails the test if this process has more descriptors then than it has now, and they stay:
// somebody may be closing one. To have fewer is no fault: tests before this one may have left some to the collector.
func NoMoreFiles(t *testing.T) (check func()) {
	t.Helper()
	before := openFiles(t)
	return func() {
		t.Helper()
		late := time.Now().Add(patience)
		for now := openFiles(t); now > before; now = openFiles(t) {
			if time.Now().After(late) {
				t.Errorf("%d descriptors were left open", now-before)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// openFiles is how many descriptors this process has.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

// SocketFile is a place for a socket, short enough for every system, that other users can reach.
func SocketFile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl")
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "s")
}
