package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/linemantest"
)

// TestMasterUpgradeTerminated ends the program at 45 random moments around the one in which the master becomes the
// new program, by each signal that does: it stops as at any other time.
func TestMasterUpgradeTerminated(t *testing.T) {
	for n := range 45 {
		s := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT}[n%3]
		i := newInstance(t, "echo", "-addr", "http://127.0.0.1:0", "-count", "1")
		p := launch(t, i.command(t.Context(), "start"))
		p.find("Press Ctrl")
		i.replace(i.path)
		end := i.background("reload")
		i.logsSoon(1, "lineman: reloaded")
		spin(rand.N(30 * time.Millisecond))
		kill(t, p.cmd.Process.Pid, s)
		end()
		if code := p.end(); code != 0 {
			i.needsHolding()
			t.Errorf("%v: exit code %d", s, code)
		}
		if log := i.log(); !strings.Contains(log, "stop\" process=master signal="+s.String()) {
			t.Errorf("%v was not heeded:\n%s", s, log)
		}
		i.allGone()
	}
}

// TestFirstProcessTerminated ends the first process of a container at twenty random moments around the one in which it
// becomes a new program, in which the kernel brings it no signal: it stops as at any other time.
func TestFirstProcessTerminated(t *testing.T) {
	need(t, "unshare")
	if os.Geteuid() != 0 {
		missing(t, "only root can make a namespace")
	}
	for range 20 {
		i := newInstance(t, "echo", "-addr", "http://127.0.0.1:0", "-count", "1")
		p, first := i.startFirst()
		i.replace(i.path)
		end := i.background("reload")
		i.logsSoon(1, "lineman: reloaded")
		spin(rand.N(30 * time.Millisecond))
		kill(t, first, syscall.SIGTERM)
		end()
		if code := p.end(); code != 0 {
			i.needsHolding()
			t.Errorf("exit code %d", code)
		}
		i.allGone()
	}
}

// TestMasterUpgradeSignalled has the program be told to reload at thirty random moments around the one in which the
// master becomes the new program: each time it reloads once more, or says that it does not.
func TestMasterUpgradeSignalled(t *testing.T) {
	i := newInstance(t, "echo", "-addr", "http://127.0.0.1:0", "-count", "1")
	i.do("start", "-d")
	pid, reloads := i.status().PID, 0
	for n := range 30 {
		i.replace(i.path)
		end := i.background("reload")
		i.logsSoon(reloads+1, "lineman: reloaded")
		spin(rand.N(30 * time.Millisecond))
		kill(t, pid, []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2}[n%2])
		if out, code := end(); code != 0 {
			t.Fatalf("exit code %d\n%s", code, out)
		}
		linemantest.Until(t, "the signal was lost", func() bool {
			i.needsHolding()
			log := i.log()
			reloads = strings.Count(log, "lineman: reloaded")
			return reloads+strings.Count(log, "lineman: no reload: ") == 2*(n+1)
		})
	}
	t.Logf("%d of 30 signals were a reload", reloads-30)
	i.do("stop")
	i.allGone()
}

// TestMasterUpgradeReopens has the log be taken away, and the program told, at thirty random moments around the one in
// which the master becomes the new program: it opens another one each time.
func TestMasterUpgradeReopens(t *testing.T) {
	i := newInstance(t, "echo", "-addr", "http://127.0.0.1:0", "-count", "1")
	i.do("start", "-d")
	pid, log := i.status().PID, filepath.Join(i.dir, "echo.log")
	for range 30 {
		i.replace(i.path)
		end := i.background("reload")
		i.logsSoon(1, "lineman: reloaded")
		spin(rand.N(30 * time.Millisecond))
		if err := os.Rename(log, log+".old"); err != nil {
			t.Fatal(err)
		}
		kill(t, pid, syscall.SIGHUP)
		if out, code := end(); code != 0 {
			t.Fatalf("exit code %d\n%s", code, out)
		}
		linemantest.Until(t, "the signal was lost", func() bool { return exists(log) })
	}
	i.do("stop")
	i.allGone()
}

// needsHolding skips a test of signals that are held where the system does not let a process trace its parent.
func (i *instance) needsHolding() {
	if strings.Contains(i.log(), "signals are not held") {
		missing(i.t, "no process may trace its parent")
	}
}

// logsSoon waits without a pause until the log has a text so often.
func (i *instance) logsSoon(times int, text string) {
	i.t.Helper()
	for late := time.Now().Add(patience); strings.Count(i.log(), text) < times; {
		if time.Now().After(late) {
			i.t.Fatalf("the log does not have %q", text)
		}
	}
}

// spin passes a time that is too short to sleep.
func spin(d time.Duration) {
	for began := time.Now(); time.Since(began) < d; {
	}
}

// TestMasterUpgradeKilledBetween kills the master at ten random moments around the one in which it becomes the new
// program: its processes end by themselves, and so does who holds its signals; the next start serves.
func TestMasterUpgradeKilledBetween(t *testing.T) {
	i := newInstance(t, "echo", "-addr", "http://127.0.0.1:0", "-count", "1")
	for n := range 10 {
		i.do("start", "-d")
		pid := i.status().PID
		i.replace(i.path)
		end := i.background("reload")
		i.logsSoon(n+1, "lineman: reloaded")
		spin(rand.N(30 * time.Millisecond))
		kill(t, pid, syscall.SIGKILL)
		end()
		linemantest.Until(t, "a process is left", i.hasEnded)
	}
	i.do("start", "-d")
	if err := request(i.outer()); err != nil {
		t.Error(err)
	}
	i.do("stop")
	i.allGone()
}

// TestMasterUpgradeNoRoom lets the master have so few descriptors more than it has that it cannot reload, or not become
// the new program, and a few more each time: it says so, and goes on. With enough it does.
func TestMasterUpgradeNoRoom(t *testing.T) {
	i := newInstance(t, "misbehave", "-count", "1")
	i.do("start", "-d")
	pid := i.status().PID
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for room := 2; room < 40; room += 3 { // the command needs one, too
		i.idle(3)
		i.replace(i.path)
		has := descriptorsOf(t, pid)
		few := limit
		few.Cur = uint64(freeAfter(t, has, room))
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &few, nil); err != nil {
			t.Fatal(err)
		}
		out, code := i.try("reload")
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
			t.Fatal(err)
		}
		if code == 0 {
			continue
		}
		if refused++; code != 1 || !strings.Contains(out, "too many open files") {
			t.Errorf("with room for %d: exit code %d\n%s", room, code, out)
		}
		i.idle(3)
		linemantest.Until(t, "descriptors are left", func() bool { // commands that were answered close theirs late
			return len(descriptorsOf(t, pid)) <= len(has)
		})
	}
	if refused == 0 {
		t.Error("the master has always had enough")
	}
	i.upgrade(i.path)
	i.do("stop")
	i.allGone()
}

// freeAfter is the number that is free when so many have been taken beside these descriptors.
func freeAfter(t *testing.T, descriptors []string, room int) (fd int) {
	t.Helper()
	taken := make(map[int]bool)
	for _, d := range descriptors {
		if _, err := fmt.Sscan(d, &fd); err != nil {
			t.Fatal(err)
		}
		taken[fd] = true
	}
	for fd = 0; taken[fd] || room > 0; fd++ {
		if !taken[fd] {
			room--
		}
	}
	return fd
}

// TestMasterUpgradeKilled kills the master of the new program: its processes end by themselves, and the next start
// serves.
func TestMasterUpgradeKilled(t *testing.T) {
	i := newInstance(t, "misbehave", "-lines", free(t))
	i.do("start", "-d")
	i.upgrade(i.path)
	pid := i.status().PID
	kill(t, pid, syscall.SIGKILL)
	linemantest.Until(t, "a process is left", i.hasEnded)
	i.do("start", "-d")
	if answer, err := askLine(i.addr("lines"), "version"); answer != "1" {
		t.Errorf("version %q, %v", answer, err)
	}
	i.do("stop")
}

// TestMasterUpgradeCrash has a process end in the moment in which the master becomes the new program: it is started
// again, and waited for.
func TestMasterUpgradeCrash(t *testing.T) {
	i := newInstance(t, "misbehave", "-count", "1")
	i.do("start", "-d")
	master := i.status().PID
	for n := range 20 {
		i.idle(3)
		victim := i.pid("lines", 0)
		i.replace(i.path)
		end := i.background("reload")
		linemantest.Until(t, "no successor serves", func() bool {
			p := i.processesOf("lines", 0)
			victim = p[len(p)-1].PID
			return strings.Count(i.log(), "lineman: reloaded") > n
		})
		_ = syscall.Kill(victim, syscall.SIGKILL) // it may have been the predecessor, and ended
		if out, code := end(); code != 0 {
			t.Fatalf("exit code %d\n%s", code, out)
		}
		i.idle(3)
	}
	if zombies := childrenIn(t, master, "Z"); len(zombies) > 0 {
		t.Errorf("nobody has waited for %v", zombies)
	}
	i.do("stop")
	i.allGone()
}

// childrenIn are the children of a process that are in a state, by proc_pid_stat(5).
func childrenIn(t *testing.T, parent int, state string) (pids []string) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has gone
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if fields[0] == state && fields[1] == fmt.Sprint(parent) {
			pids = append(pids, strings.Split(file, "/")[2])
		}
	}
	return pids
}
