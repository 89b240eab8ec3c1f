package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

var again = regexp.MustCompile(`(?m)^.* level=ERROR msg="lineman: lines/0 .* does not start: .*; again in (\S+)".*$`)

// TestCrashLoop has a process fail at each start: the pauses grow, each is one line, the program takes next to no time
// of the processor, and its other workers serve.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "misbehave", "-count", "1")
	i.do("start", "-d")
	requests := i.addr("requests")
	i.put("fail-in-OnStart")
	kill(t, i.pid("lines", 0), syscall.SIGKILL)
	before, began := i.spent(), time.Now()
	for _, pause := range []string{"6.4s", "12.8s", "25.6s"} {
		i.logs("again in " + pause)
	}
	if spent, passed := i.spent()-before, time.Since(began); spent > passed/100 {
		t.Errorf("it took %v of %v", spent, passed)
	} else {
		t.Logf("it took %v of %v", spent, passed)
	}
	var pauses []string
	for _, line := range again.FindAllStringSubmatch(i.log(), -1) {
		pauses = append(pauses, line[1])
	}
	if want := strings.Fields("100ms 200ms 400ms 800ms 1.6s 3.2s 6.4s 12.8s 25.6s"); !slices.Equal(pauses, want) {
		t.Errorf("the pauses are %v", pauses)
	}
	if err := request(requests); err != nil {
		t.Error(err)
	}
	if text := i.do("status"); !strings.Contains(text, "[waiting]") {
		t.Errorf("status says:\n%s", text)
	}
	i.remove("fail-in-OnStart")
	i.do("reload")
	if answer, err := askLine(i.addr("lines"), "version"); answer != "1" {
		t.Errorf("after a reload: %q, %v", answer, err)
	}
	i.do("stop")
}

// spent is the time that the master, its processes and those that have ended took of the processor.
func (i *instance) spent() (sum time.Duration) {
	i.t.Helper()
	const utime, cstime = 13, 16 // the first and the last of four fields: proc(5) counts from 1
	for _, pid := range i.processes() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended: its parent has its time
		}
		fields := strings.Fields(string(text))
		for _, f := range fields[utime : cstime+1] {
			ticks, err := strconv.Atoi(f)
			if err != nil {
				i.t.Fatal(err)
			}
			sum += time.Duration(ticks) * time.Second / 100
		}
	}
	return sum
}

// TestCrash ends a process in each way: it is replaced, its end told in the log and counted in the status.
func TestCrash(t *testing.T) {
	for how, want := range map[string]struct {
		said, shown string
	}{
		"exit 3": {"ended with exit code 3; it starts again at once", "exit code 3"},
		"crash":  {"ended with exit code 2; it starts again at once", "exit code 2"},
		"kill":   {"ended with signal 9 (killed); it starts again at once", "signal 9 (killed)"},
	} {
		t.Run(how, func(t *testing.T) {
			i := newInstance(t, "misbehave", "-count", "1")
			i.do("start", "-d")
			addr, pid := i.addr("lines"), i.pid("lines", 0)
			if how == "kill" {
				kill(t, pid, syscall.SIGKILL)
			} else if answer, err := askLine(addr, how); err == nil {
				t.Fatalf("%s: %q", how, answer)
			}
			if answer, err := askLine(addr, "version"); answer != "1" {
				t.Errorf("then: %q, %v", answer, err)
			}
			i.idle(3)
			i.logs(want.said)
			if text := i.do("status"); !strings.Contains(text, want.shown) {
				t.Errorf("status says:\n%s", text)
			}
			if now := i.pid("lines", 0); now == pid {
				t.Errorf("the process is still %d", pid)
			}
			i.do("stop")
		})
	}
}

// TestTERMRecycles has a worker process that gets SIGTERM succeeded by another before it goes.
func TestTERMRecycles(t *testing.T) {
	i := newInstance(t, "misbehave", "-count", "1")
	i.do("start", "-d")
	pid := i.pid("lines", 0)
	addr := i.addr("lines")
	lines := newLoad(2, func() error {
		answer, err := askLine(addr, "version")
		if err == nil && answer != "1" {
			err = fmt.Errorf("the answer is %q", answer)
		}
		return err
	})
	kill(t, pid, syscall.SIGTERM)
	linemantest.Until(t, "the process is not replaced", func() bool { return i.pid("lines", 0) != pid })
	i.idle(3)
	lines.endWhole(t, "lines")
	i.do("stop")
}
