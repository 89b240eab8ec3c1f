package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// TestHandoverKilledAnytime kills the successor, or the predecessor, at random moments of a reload: every other time
// when a part of the connections has been lent. All of them go on with who has them then, or all have ended. If the
// predecessor has them back, all go on.
func TestHandoverKilledAnytime(t *testing.T) {
	kills := 4
	if told["LINEMAN_E2E_LONG"] != "" {
		kills = 20
	}
	for _, victim := range []string{"new", "old"} {
		t.Run(victim, func(t *testing.T) {
			i := newInstance(t, "misbehave", "-handover", "-count", "1")
			i.do("start", "-d")
			some := descriptors(i.pid("lines", 0)) + 32 // as many as a process may have beside its connections
			var all []liner
			for n := range kills {
				if all == nil {
					all = liners(t, i.addr("lines"), 2000)
				}
				old := i.pid("lines", 0)
				end := i.background("reload")
				next := i.successor(old)
				awaitMoment(t, next, n%2 == 0, len(all))
				_ = syscall.Kill(next, syscall.SIGSTOP) // any of these may have gone
				had := descriptors(next)
				_ = syscall.Kill(map[string]int{"new": next, "old": old}[victim], syscall.SIGKILL)
				_ = syscall.Kill(next, syscall.SIGCONT)
				said, _ := end()
				answered := answers(all)
				t.Logf("of %d, the new one had %d descriptors, and %d are answered: %s", len(all), had, answered,
					strings.TrimSpace(said))
				keeps := victim == "new" && strings.Contains(said, "has its connections back")
				if answered != len(all) && (answered > 0 || keeps) {
					t.Fatal("some have ended")
				}
				i.idle(3)
				if answered == 0 {
					for _, c := range all {
						c.Close()
					}
					all = nil
				}
				serves := i.pid("lines", 0)
				linemantest.Until(t, "descriptors are left", func() bool {
					return descriptors(serves) <= some+answered
				})
			}
			i.do("stop")
			i.allGone()
		})
	}
}

// awaitMoment waits until a process has a part of so many descriptors, or else for a moment.
func awaitMoment(t *testing.T, pid int, partly bool, conns int) {
	t.Helper()
	if !partly {
		<-time.After(rand.N(50 * time.Millisecond))
		return
	}
	least, late := 20+rand.N(conns/2), time.Now().Add(patience)
	for has := 0; has < least; has = descriptors(pid) {
		if time.Now().After(late) {
			t.Fatalf("%d descriptors have come, of %d", has, least)
		}
	}
}

// descriptors are those of a process; 0 if it has gone.
func descriptors(pid int) int {
	all, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(all)
}

// successor waits for the process that is to take the place of one for lines.
func (i *instance) successor(old int) (pid int) {
	i.t.Helper()
	for late := time.Now().Add(patience); ; {
		others := slices.DeleteFunc(i.processes(), func(pid int) bool {
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			return pid == old || string(name) != "misbehave lin/0\n"
		})
		if len(others) > 0 {
			return others[0]
		}
		if time.Now().After(late) {
			i.t.Fatal("no successor starts")
		}
	}
}

// answers says the other half of a line on each connection, and half of the next. It returns how many are answered.
func answers(all []liner) (n int) {
	for _, c := range all {
		if c.ask("ion\nvers") == "1" {
			n++
		}
	}
	return n
}
