package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// runningIn are the processes whose working directory is a folder, or below it. One that has ended has none, be it that
// nobody has waited for it.
func runningIn(dir string) (pids []int) {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		panic(err) // the pattern is right
	}
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil || to != dir && !strings.HasPrefix(to, dir+"/") {
			continue // it has gone, or is another's
		}
		if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// hasEnded reports whether nothing is left of a process but its exit code. Its files are closed, and its locks free,
// when the last of its threads has gone, and the first may go before that.
func hasEnded(pid int) bool {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || len(threads) == 1 && strings.HasPrefix(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " Z")
}

// killIn kills what runs in a folder until nothing is left, and at most as long as a test waits.
func killIn(dir string) {
	for late := time.Now().Add(patience); time.Now().Before(late); {
		pids := runningIn(dir)
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	}
}

// kill sends a signal to a process.
func kill(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

// given is how many ports free has tried.
var given atomic.Int64

// free is an address that nobody listens on, and that no other test gets. Kernels give higher ports to who asks for
// any, so what listens at this one can be stopped and started. The three ports after it are for who needs a row.
func free(t *testing.T) string {
	t.Helper()
	const lowest, ports, row = 10_000, 22_000, 4
	for range ports / row {
		port := lowest + (int64(os.Getpid())*100+given.Add(row))%ports
		ln, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			defer ln.Close()
			return ln.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}
