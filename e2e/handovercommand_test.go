package e2e

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// liner is a connection for lines, each of which has an answer.
type liner struct {
	net.Conn
	answers *bufio.Reader
}

func newLiner(t *testing.T, addr string) liner {
	c := dial(t, addr)
	return liner{c, bufio.NewReader(c)}
}

// ask says something, and returns the answer or why there is none.
func (t liner) ask(words string) string {
	if _, err := fmt.Fprint(t, words); err != nil {
		return err.Error()
	}
	line, err := t.answers.ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(line, "\n")
}

// liners are connections that have said half a line.
func liners(t *testing.T, addr string, n int) (all []liner) {
	for range n {
		c := newLiner(t, addr)
		if got := c.ask("version\nvers"); got != "1" {
			t.Fatalf("the answer is %q", got)
		}
		all = append(all, c)
	}
	return all
}

// TestHandoverCommand tells how many connections a reload has kept, and how many not and why; and those that were kept
// go on in the new program with what they have said before.
func TestHandoverCommand(t *testing.T) {
	i := newInstance(t, "misbehave", "-handover")
	i.do("start", "-d")
	all := liners(t, i.addr("lines"), 20)
	for _, c := range all[:2] {
		if got := c.ask("ion\n") + c.ask("stay\n"); got != "1staying" {
			t.Fatalf("the answers are %q", got)
		}
	}
	i.replace(filepath.Join(binaries, "misbehave-2"))
	if said := i.do("reload", "--dry-run"); !strings.Contains(said, "6 processes replaced, all connections") {
		t.Errorf("the dry run says %q", said)
	}
	r := i.report("reload", "--json")
	if r.Kept != 18 || r.Reasons["it wants to stay"] != 2 || r.Drained != 2 || len(r.Processes) != 6 {
		t.Errorf("the report: %+v", r)
	}
	if r.PauseP50 <= 0 || r.PauseP50 > r.PauseP99 || r.PauseP99 > r.PauseMax || r.PauseMax > patience.Seconds() {
		t.Errorf("the pauses: %v, %v, %v", r.PauseP50, r.PauseP99, r.PauseMax)
	}
	for n, c := range all[2:] {
		if got := c.ask("ion\n"); got != "2" {
			t.Errorf("connection %d: the answer is %q", n, got)
		}
	}
	said := i.do("reload")
	if !strings.HasPrefix(said, "reloaded: 18 connections kept, 0 drained; pause p50 ") {
		t.Errorf("it says %q", said)
	}
	i.do("stop")
}

// TestHandoverFallsBack has a handover fail in each way: one line says why, the exit code is 1, and all connections go
// on where they were. When what was wrong is gone, they cross.
func TestHandoverFallsBack(t *testing.T) {
	t.Parallel()
	for file, words := range map[string]string{
		"fail-in-OnStart":      "there is a file fail-in-OnStart",
		"fail-in-SaveState":    "there is a file fail-in-SaveState",
		"fail-in-RestoreState": "there is a file fail-in-RestoreState",
		"exit-in-RestoreState": "it ended with exit code 7",
		"exit-in-Restore":      "it ended with exit code 7",
	} {
		t.Run(file, func(t *testing.T) {
			i := newInstance(t, "misbehave", "-handover", "-count", "1")
			i.do("start", "-d")
			all := liners(t, i.addr("lines"), 20)
			pid := i.pid("lines", 0)
			i.replace(filepath.Join(binaries, "misbehave-2"))
			i.put(file)
			i.refused(words, "reload")
			i.refused("has its connections back, and serves on", "reload")
			if got := i.pid("lines", 0); got != pid {
				t.Errorf("pid %d serves, and did not before", got)
			}
			for n, c := range all {
				if got := c.ask("ion\nvers"); got != "1" {
					t.Errorf("connection %d: the answer is %q", n, got)
				}
			}
			i.remove(file)
			if r := i.report("reload", "--json"); r.Kept != 20 || r.Drained != 0 {
				t.Errorf("the report: %+v", r)
			}
			for n, c := range all {
				if got := c.ask("ion\n"); got != "2" {
					t.Errorf("after the reload, connection %d: the answer is %q", n, got)
				}
			}
			i.do("stop")
		})
	}
}

// TestHandoverDies has the predecessor die while it hands over: its connections end, the command says why it has
// failed, and another process of the same program serves.
func TestHandoverDies(t *testing.T) {
	i := newInstance(t, "misbehave", "-handover", "-count", "1")
	i.do("start", "-d")
	all := liners(t, i.addr("lines"), 5)
	pid := i.pid("lines", 0)
	i.replace(filepath.Join(binaries, "misbehave-2"))
	i.put("exit-in-SaveState")
	i.refused("does not start: handover: ", "reload")
	for n, c := range all {
		if got := c.ask("ion\n"); got == "1" || got == "2" {
			t.Errorf("connection %d: the answer is %q", n, got)
		}
	}
	linemantest.Until(t, "nobody serves again", func() bool {
		answer, err := askLine(i.addr("lines"), "version")
		return answer == "1" && err == nil
	})
	if got := i.pid("lines", 0); got == pid {
		t.Errorf("pid %d has not died", pid)
	}
	i.do("stop")
}

// TestHandoverKilled kills each of the three processes at each step of a handover. If the old one dies, its connections
// end, or go on in the new one if that has all of them; if the new one does, they go on in the old one. Somebody serves
// in the end, or can be started if the master has died, and nothing is left over.
func TestHandoverKilled(t *testing.T) {
	t.Parallel()
	for _, callback := range []string{"OnPrepare", "OnStart", "SaveState", "Save", "RestoreState", "Restore"} {
		for _, victim := range []string{"old", "new", "master"} {
			t.Run(victim+" in "+callback, func(t *testing.T) {
				i := newInstance(t, "misbehave", "-handover", "-count", "1")
				i.do("start", "-d")
				all := liners(t, i.addr("lines"), 5)
				master, old := i.status().PID, i.pid("lines", 0)
				i.replace(filepath.Join(binaries, "misbehave-2"))
				i.put("wait-in-" + callback)
				end := i.background("reload")
				linemantest.Until(t, "nobody waits in "+callback, func() bool {
					return exists(filepath.Join(i.dir, "waits-in-"+callback))
				})
				both := i.processesOf("lines", 0)
				pids := map[string]int{"old": old, "new": both[len(both)-1].PID, "master": master}
				kill(t, pids[victim], syscall.SIGKILL)
				if victim == "master" {
					linemantest.Until(t, "a process is left", i.hasEnded)
				}
				i.remove("wait-in-" + callback)
				said, code := end()
				for n, c := range all {
					got := c.ask("ion\n") // or why there is none
					if (got == "1") != (victim == "new") || got == "2" && (victim != "old" || code != 0) {
						t.Errorf("connection %d: the answer is %q; the reload: exit code %d, %s", n, got, code, said)
					}
				}
				if victim == "master" {
					i.do("start", "-d")
				}
				i.idle(3)
				i.do("stop")
				i.allGone()
			})
		}
	}
}
