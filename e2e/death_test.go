package e2e

import (
	"bufio"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// TestMasterKilled has no process outlive its master by a second: not one that is stopped, nor one that hangs in a
// callback.
func TestMasterKilled(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(i *instance){
		"idle":                       func(*instance) {},
		"stopped":                    func(i *instance) { kill(i.t, i.pid("lines", 1), syscall.SIGSTOP) },
		"hung":                       func(i *instance) { i.hang("hang") },
		"busy":                       func(i *instance) { i.hang("spin") },
		"with a reader that is slow": func(i *instance) { i.flood() },
		"in a reload": func(i *instance) {
			i.put("wait-in-OnPrepare")
			i.background("reload")
			i.logs(`msg="lineman: reload"`)
			linemantest.Until(i.t, "no successors start", func() bool { return len(i.status().Processes) == 12 })
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstance(t, "misbehave")
			i.do("start", "-d")
			prepare(i)
			kill(t, i.status().PID, syscall.SIGKILL)
			began := time.Now()
			linemantest.Until(t, "processes are left", func() bool { return len(i.processes()) == 0 })
			if took := time.Since(began); took > time.Second+busyMachine {
				t.Errorf("they ended after %v", took)
			}
			if name == "in a reload" {
				i.remove("wait-in-OnPrepare")
			}
			i.do("start", "-d")
			i.do("stop")
		})
	}
}

// busyMachine is what a test of a time allows for a machine that does other things.
const busyMachine = 8 * time.Second

// hang sends a process a line that it never gets over, and waits until the status shows that. It returns its pid.
func (i *instance) hang(how string) int {
	i.t.Helper()
	c := dial(i.t, i.addr("lines"))
	lines := bufio.NewReader(c)
	fmt.Fprintln(c, "pid")
	var pid int
	if _, err := fmt.Fscanln(lines, &pid); err != nil {
		i.t.Fatal(err)
	}
	fmt.Fprintln(c, how)
	linemantest.Until(i.t, "the process is not shown as busy", func() bool {
		for _, p := range i.status().Processes {
			if p.PID == pid && p.State == "busy" {
				return true
			}
		}
		return false
	})
	return pid
}
