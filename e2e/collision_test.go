package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// slowReload begins a reload whose successors wait in OnPrepare, and returns how to learn what came of it.
func (i *instance) slowReload() (wait func() (string, int)) {
	i.t.Helper()
	i.put("wait-in-OnPrepare")
	wait = i.background("reload")
	linemantest.Until(i.t, "no successors start", func() bool { return len(i.status().Processes) == 12 })
	return wait
}

// TestReloadKilled kills a process in the middle of a reload.
func TestReloadKilled(t *testing.T) {
	t.Run("predecessor", func(t *testing.T) {
		i := newInstance(t, "misbehave")
		i.do("start", "-d")
		lines := i.addr("lines")
		wait := i.slowReload()
		kill(t, i.processesOf("lines", 0)[0].PID, syscall.SIGKILL)
		i.remove("wait-in-OnPrepare")
		if out, code := wait(); code != 0 {
			t.Errorf("exit code %d:\n%s", code, out)
		}
		if answer, err := askLine(lines, "version"); answer != "1" {
			t.Errorf("then: %q, %v", answer, err)
		}
		i.idle(6)
		i.do("stop")
	})
	t.Run("successor", func(t *testing.T) {
		i := newInstance(t, "misbehave")
		i.do("start", "-d")
		lines := i.addr("lines")
		wait := i.slowReload()
		kill(t, i.processesOf("lines", 0)[1].PID, syscall.SIGKILL)
		out, code := wait()
		if code != 1 || !strings.Contains(out, "it ended with signal 9 (killed)") {
			t.Errorf("exit code %d:\n%s", code, out)
		}
		i.remove("wait-in-OnPrepare")
		if answer, err := askLine(lines, "version"); answer != "1" {
			t.Errorf("then: %q, %v", answer, err)
		}
		i.idle(6)
		i.do("reload")
		i.do("stop")
	})
}

// TestReloadStopped stops the program in the middle of a reload.
func TestReloadStopped(t *testing.T) {
	i := newInstance(t, "misbehave")
	i.do("start", "-d")
	wait := i.slowReload()
	i.do("stop")
	if out, code := wait(); code != 1 || strings.Count(out, "\n") != 1 {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if left := i.processes(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

// TestStartStopped stops a program that is still being started, by command and by signal.
func TestStartStopped(t *testing.T) {
	for name, stop := range map[string]func(i *instance){
		"command": func(i *instance) { i.do("stop") },
		"signal":  func(i *instance) { kill(i.t, i.status().PID, syscall.SIGTERM) },
	} {
		for _, start := range [][]string{{"start"}, {"start", "-d"}} {
			t.Run(name+" "+strings.Join(start, " "), func(t *testing.T) {
				i := newInstance(t, "misbehave")
				i.put("wait-in-OnPrepare")
				wait := i.background(start...)
				linemantest.Until(t, "the start does not begin", func() bool {
					_, code := i.try("status")
					return code == 0 && len(i.status().Processes) == 6
				})
				began := time.Now()
				stop(i)
				if out, code := wait(); code != 1 ||
					!strings.HasSuffix(out, "misbehave: it was stopped before it was ready\n") {
					t.Errorf("exit code %d:\n%s", code, out)
				}
				if took := time.Since(began); took > time.Second+busyMachine {
					t.Errorf("it took %v", took)
				}
				linemantest.Until(t, "processes are left", func() bool { return len(i.processes()) == 0 })
			})
		}
	}
}

// TestStartAfterKill starts a program at once after its master was killed: its processes may still listen.
func TestStartAfterKill(t *testing.T) {
	for name, prepare := range map[string]func(i *instance){
		"idle": func(*instance) {},
		"hung": func(i *instance) { i.hang("hang") },
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstance(t, "misbehave", "-lines", free(t))
			i.do("start", "-d")
			prepare(i)
			master := i.status().PID
			kill(t, master, syscall.SIGKILL)
			linemantest.Until(t, "the master does not end", func() bool { return hasEnded(master) })
			i.do("start", "-d")
			i.idle(6)
			i.do("stop")
		})
	}
}
