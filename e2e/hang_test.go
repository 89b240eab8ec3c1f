package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// TestStopInTime stops a program whose processes do their worst. Nothing is left of it.
func TestStopInTime(t *testing.T) {
	t.Parallel()
	const limit = 2 * time.Second
	for name, prepare := range map[string]func(i *instance){
		"hung":           func(i *instance) { i.hang("hang") },
		"busy":           func(i *instance) { i.hang("spin") },
		"hung in timer":  func(i *instance) { i.hang("hang-in-timer") },
		"stopped":        func(i *instance) { kill(i.t, i.pid("lines", 0), syscall.SIGSTOP) },
		"a slow reader":  func(i *instance) { i.flood() },
		"no answer":      func(i *instance) { i.unanswered() },
		"a visitor":      func(i *instance) { visit(i.t, i.addr("echo")) },
		"one that waits": func(i *instance) { i.exits() },
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstance(t, "misbehave", "-stop-timeout", limit.String())
			i.do("start", "-d")
			prepare(i)
			began := time.Now()
			i.do("stop")
			if took := time.Since(began); took > limit+busyMachine {
				t.Errorf("stop took %v", took)
			}
			if left := i.processes(); len(left) > 0 {
				t.Errorf("processes %v are left", left)
			}
		})
	}
}

// TestStopWaits gives a command that was told a shorter limit than the program that runs: it waits nevertheless.
func TestStopWaits(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "misbehave", "-stop-timeout", "6s")
	i.do("start", "-d")
	i.hang("hang")
	i.flags = []string{"-stop-timeout", "1ns"}
	i.do("stop")
}

// flood has a process hold more output than a peer that does not read takes.
func (i *instance) flood() {
	i.t.Helper()
	c := dial(i.t, i.addr("lines"))
	fmt.Fprintln(c, "flood 100000000")
	if _, err := bufio.NewReader(c).ReadByte(); err != nil {
		i.t.Fatal(err)
	}
}

// unanswered has a process hold a request that it will not answer.
func (i *instance) unanswered() {
	i.t.Helper()
	before := i.handled()
	if _, err := io.WriteString(dial(i.t, i.addr("requests")), "GET /never HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		i.t.Fatal(err)
	}
	linemantest.Until(i.t, "the request does not arrive", func() bool { return i.handled() > before })
}

// handled is how many messages and requests the processes have had.
func (i *instance) handled() (n uint64) {
	for _, p := range i.status().Processes {
		n += p.Requests
	}
	return n
}

// exits has a process end until its place waits for the next.
func (i *instance) exits() {
	i.t.Helper()
	addr := i.addr("lines")
	linemantest.Until(i.t, "no process is waited for", func() bool {
		if answer, err := askLine(addr, "exit 3"); err == nil {
			i.t.Fatalf("exit: %q", answer)
		}
		for _, p := range i.status().Processes {
			if p.State == "waiting" {
				return true
			}
		}
		return false
	})
}

// TestStatusOfHung measures the status of sixteen processes, one of which hangs.
func TestStatusOfHung(t *testing.T) {
	i := newInstance(t, "misbehave", "-count", "4")
	i.replace(filepath.Join(binaries, "misbehave-extra")) // has four workers
	i.do("start", "-d")
	pid := i.hang("hang")
	best := time.Hour
	for range 10 {
		began := time.Now()
		s := i.status()
		best = min(best, time.Since(began))
		if len(s.Processes) != 16 {
			t.Fatalf("%d processes", len(s.Processes))
		}
	}
	if best > 500*time.Millisecond { // what else runs adds to it, but not so much
		t.Errorf("the quickest status took %v", best)
	}
	t.Logf("the quickest status of 16 processes took %v", best)
	for _, p := range i.status().Processes {
		switch {
		case p.PID != pid:
			if p.State != "idle" {
				t.Errorf("%s/%d is %s", p.Worker, p.ID, p.State)
			}
		case p.State != "busy" || p.Callback != "OnMessage" || p.Busy <= 0 || p.Busy > patience.Seconds():
			t.Errorf("the hung one is %s in %q for %g s", p.State, p.Callback, p.Busy)
		}
	}
	if text := i.do("status"); !strings.Contains(text, "[busy]") || !strings.Contains(text, " in OnMessage") {
		t.Errorf("status says:\n%s", text)
	}
	i.logs("stands still: it is in OnMessage; nobody is served there")
	i.do("stop")
}

// TestHungIsReplaced waits for the end of a process that hangs, in a callback or stopped as a whole, and for the next.
func TestHungIsReplaced(t *testing.T) {
	i := newInstance(t, "misbehave", "-count", "1", "-hang-timeout", "1s")
	i.do("start", "-d")
	addr := i.addr("lines")
	for _, how := range []string{"hang", "spin", "hang-in-timer"} {
		i.hang(how)
		linemantest.Until(t, "nobody answers", func() bool {
			answer, err := askLine(addr, "version")
			return err == nil && answer == "1"
		})
		i.idle(3)
	}
	kill(t, i.pid("lines", 0), syscall.SIGSTOP)
	linemantest.Until(t, "nobody takes the place of a stopped process",
		func() bool { return strings.Count(i.log(), "it is killed and replaced") == 4 })
	i.idle(3)
	for _, e := range i.status().Exits {
		if e.Worker != "lines" || e.Signal != "9 (killed)" || e.Count != 4 {
			t.Errorf("the exits are %+v", e)
		}
	}
	i.do("stop")
}

// TestRounds starts and stops a program a hundred times.
func TestRounds(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "echo", "-addr", "text://"+free(t), "-count", "2")
	i.env = []string{"TMPDIR=" + i.dir}
	for range 100 {
		i.do("start", "-d")
		i.do("stop")
	}
	if left := i.processes(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	files, err := os.ReadDir(i.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := f.Name(); name != "bin" && name != "echo.log" {
			t.Errorf("file %s is left", name)
		}
	}
}
