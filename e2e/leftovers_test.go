package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	signals "os/signal"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// mark is the variable by which all processes are known that tests start, and those that these start: its value is
// binaries.
const mark = "E2E_RUN"

// endWhenDue ends what tests have started when they take too long, or are interrupted: what go test does then ends this
// process alone.
func endWhenDue() {
	var late <-chan time.Time
	if timeout, ok := flag.Lookup("test.timeout").Value.(flag.Getter).Get().(time.Duration); ok && timeout > 0 {
		late = time.After(timeout - min(timeout/10, 3*time.Second))
	}
	interrupted := make(chan os.Signal, 1)
	signals.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	select {
	case <-late:
		fmt.Fprintln(os.Stderr, "e2e: the tests take longer than -timeout allows")
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2) // as go test does
	case s := <-interrupted:
		fmt.Fprintln(os.Stderr, "e2e:", s)
	}
	endMarked(binaries)
	os.RemoveAll(binaries)
	os.Exit(2)
}

// endMarked kills all processes with a mark, and reports how many there were. Where there is no /proc, there are none.
func endMarked(with string) (n int) {
	wanted := []byte("\x00" + mark + "=" + with + "\x00")
	const most = 1000 // rounds: a process may not end, as the disk is gone
	for round, found := 0, true; found && round < most; round++ {
		found = false
		names, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is right
		for _, name := range names {
			environment, err := os.ReadFile(name)
			if err != nil || !bytes.Contains(append([]byte{0}, environment...), wanted) {
				continue
			}
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if err == nil && pid != os.Getpid() && syscall.Kill(pid, syscall.SIGKILL) == nil {
				found = true // perhaps it has just started another
				n++
			}
		}
	}
	return n
}

// TestLeftovers ends processes that a test has started, with those that these have, and no others.
func TestLeftovers(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("there is no /proc")
	}
	own := t.TempDir()
	given := exec.Command("sh", "-c", "sleep 1000 & echo started; wait")
	given.Env = append(given.Environ(), mark+"="+own)
	ours := launch(t, given)
	other := launch(t, exec.Command("sh", "-c", "echo started; exec sleep 1000"))
	ours.find("started")
	other.find("started")
	if n := endMarked(own); n < 2 {
		t.Errorf("%d processes were ended, want 2 at least", n)
	}
	ours.end()
	select {
	case <-other.exited:
		t.Error("another process was ended")
	default:
	}
	if n := endMarked(own); n > 0 {
		t.Errorf("%d processes are left", n)
	}
}
