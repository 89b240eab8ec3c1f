package lineman_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// descriptors is how many the test process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all) - 1 // that of the folder itself
}

// TestLoopsWithoutDescriptors starts several loops with one descriptor more each time. Until there are enough for all,
// the start fails for that reason, whatever it had come to, and leaves nothing behind.
func TestLoopsWithoutDescriptors(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "socket")
	for _, addr := range []string{"text://127.0.0.1:0", "text+unix://" + file} {
		start := func() error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := &lineman.Worker{Addr: addr, Loops: 3, Logger: quiet, PerLoop: func(w *lineman.Worker) {
				w.OnStart = func(l *lineman.Loop) error {
					if l.Index() == 2 {
						cancel()
					}
					return nil
				}
			}}
			return lineman.Run(ctx, w)
		}
		if err := start(); err != nil {
			t.Fatal(err)
		}
		before := descriptors(t)
		n, failed, more := 0, 0, 0
		for err := error(syscall.EMFILE); err != nil; more++ {
			few := limit
			few.Cur = uint64(more)
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
				t.Fatal(err)
			}
			err = start()
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
				t.Fatal(err)
			}
			if err == nil {
				break
			}
			failed++
			if !errors.Is(err, syscall.EMFILE) {
				t.Errorf("%s, %d more descriptors: %v", addr, more, err)
			}
			linemantest.Until(t, fmt.Sprintf("%s: descriptors are left of a start that failed with %v", addr, err),
				func() bool { n = descriptors(t); return n <= before })
			before = n // less, where a test before has left some to be closed
			if _, err := os.Lstat(file); err == nil {
				t.Fatalf("the socket's file is left of a start that failed: %v", err)
			}
		}
		t.Logf("%s: %d starts failed, the last limit was %d", addr, failed, more)
	}
}
