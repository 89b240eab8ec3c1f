package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// TestMasterUpgrade replaces the program under load, three times in a row. Each time the master goes on as the new one,
// in the same process: with its pid file, its counters, its commands, its log and its sockets. Nobody is refused.
func TestMasterUpgrade(t *testing.T) {
	for name, flags := range listening {
		t.Run(name, func(t *testing.T) {
			i := startFour(t, flags)
			began, addr := i.status(), i.outer()
			load := newLoad(4, func() error { return request(addr) })
			for n := range 3 {
				i.upgrade(i.path)
				s := i.status()
				if s.PID != began.PID || s.Reloads != n+1 || !s.Started.Equal(began.Started) {
					t.Errorf("the status tells of pid %d, %d reloads, since %v: it was %d, and began at %v",
						s.PID, s.Reloads, s.Started, began.PID, began.Started)
				}
				load.goOn(t, load.done()+100)
			}
			if text := strings.TrimSpace(i.read("echo.pid")); text != fmt.Sprint(began.PID) {
				t.Errorf("the pid file has %q, want %d", text, began.PID)
			}
			if out, code := i.try("start", "-d"); code != 4 {
				t.Errorf("a second start: exit code %d, want 4\n%s", code, out)
			}
			load.endWhole(t, "requests")
			i.idle(4)
			kill(t, i.pid("echo", 2), syscall.SIGKILL)
			i.logs("ended with signal 9 (killed); it starts again")
			i.idle(4)
			i.do("connections", "--json")
			i.do("stop")
			i.allGone()
		})
	}
}

// upgrade puts a copy of a program in the place of the instance's, and reloads: the master has to run it then.
func (i *instance) upgrade(from string) {
	i.t.Helper()
	pid := i.status().PID
	i.replace(from)
	i.do("reload")
	exe, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		i.t.Fatal(err)
	}
	if file, err := os.Stat(i.path); err != nil || !os.SameFile(exe, file) {
		i.t.Fatalf("the master does not run the new program: %v", err)
	}
}

// read is a file in the instance's folder.
func (i *instance) read(name string) string {
	i.t.Helper()
	text, err := os.ReadFile(filepath.Join(i.dir, name))
	if err != nil {
		i.t.Fatal(err)
	}
	return string(text)
}

// allGone waits until no process of the instance is left, and wants its files to be free.
func (i *instance) allGone() {
	i.t.Helper()
	linemantest.Until(i.t, "a process is left", i.hasEnded)
	for _, file := range []string{".pid", ".sock"} {
		if path := filepath.Join(i.dir, filepath.Base(i.path)+file); exists(path) {
			i.t.Errorf("%s is left", path)
		}
	}
}

// hasEnded reports whether no process of the instance is left.
func (i *instance) hasEnded() bool {
	return !slices.ContainsFunc(i.processes(), func(pid int) bool { return !hasEnded(pid) })
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// TestMasterUpgradeVersions goes to another program and back, by a signal and with a patient ending. A connection that
// stays is finished by its process, which the master of the other program ends.
func TestMasterUpgradeVersions(t *testing.T) {
	i := newInstance(t, "misbehave", "-count", "1")
	i.do("start", "-d")
	addr, pid := i.addr("lines"), i.status().PID
	c := dial(t, addr)
	tell(t, c, "version\n")
	if got := line(t, c); got != "1" {
		t.Fatalf("version %q", got)
	}
	i.replace(filepath.Join(binaries, "misbehave-2"))
	i.do("reload", "-g")
	i.logs("the master runs the new program")
	if answer, err := askLine(addr, "version"); answer != "2" {
		t.Errorf("version %q, %v", answer, err)
	}
	tell(t, c, "version\n")
	if got := line(t, c); got != "1" {
		t.Errorf("the old connection has version %q", got)
	}
	c.Close()
	i.idle(3)

	i.replace(filepath.Join(binaries, "misbehave"))
	kill(t, pid, syscall.SIGUSR1)
	linemantest.Until(t, "the signal is not heeded", func() bool { return i.status().Reloads == 2 })
	linemantest.Until(t, "the master did not go back", func() bool {
		return strings.Count(i.log(), "the master runs the new program") == 2
	})
	if answer, err := askLine(addr, "version"); answer != "1" {
		t.Errorf("version %q, %v", answer, err)
	}
	i.do("stop")
	i.allGone()
}

// TestMasterUpgradeRefused has a new program that cannot be the master: nothing changes, and one line says why.
func TestMasterUpgradeRefused(t *testing.T) {
	for name, test := range map[string]struct {
		program, spoil, words string
	}{
		"does not start":      {"misbehave-crash", "", "it ended with exit code 7"},
		"wrong configuration": {"misbehave-2", "wrong-configuration", "there is a file wrong-configuration"},
		"other workers":       {"misbehave-extra", "", "4 workers now, and had 3: that needs a restart"},
		"refuses the state":   {"misbehave-log", "", "elsewhere now, and was "},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstance(t, "misbehave")
			i.do("start", "-d")
			before := i.status()
			exe := exeOf(t, before.PID)
			i.replace(filepath.Join(binaries, test.program))
			if test.spoil != "" {
				i.put(test.spoil)
			}
			i.refused(test.words, "reload", "--dry-run")
			i.refused(test.words, "reload")
			if test.spoil != "" {
				i.remove(test.spoil)
			}
			after := i.status()
			if !os.SameFile(exe, exeOf(t, before.PID)) {
				t.Error("the master runs another program")
			}
			if !slices.Equal(pids(before), pids(after)) || after.Reloads != 0 {
				t.Errorf("%d reloads; the processes were %v, and are %v", after.Reloads, pids(before), pids(after))
			}
			if n := len(i.processes()); n != 7 {
				t.Errorf("%d processes are there", n)
			}
			i.upgrade(filepath.Join(binaries, "misbehave-2"))
			i.do("stop")
		})
	}
}

func exeOf(t *testing.T, pid int) os.FileInfo {
	t.Helper()
	info, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestMasterUpgradeDescriptors has 20 masters follow each other: no descriptor is left over.
func TestMasterUpgradeDescriptors(t *testing.T) {
	i := newInstance(t, "misbehave", "-count", "1")
	i.do("start", "-d")
	pid := i.status().PID
	var first []string
	for n := range 20 {
		i.upgrade(i.path)
		i.idle(3)
		switch all := descriptorsOf(t, pid); {
		case n == 1:
			first = all // the first master has what it was started with
		case n > 1 && len(all) != len(first):
			t.Fatalf("after %d: %d descriptors, and there were %d:\n%v\n%v", n, len(all), len(first), all, first)
		}
	}
	i.do("stop")
}

// descriptorsOf are those of a process, by what they are, as soon as two looks see the same number.
func descriptorsOf(t *testing.T, pid int) (all []string) {
	t.Helper()
	linemantest.Until(t, "the descriptors do not settle", func() bool {
		before := len(all)
		all = nil
		folder := fmt.Sprintf("/proc/%d/fd", pid)
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if to, err := os.Readlink(filepath.Join(folder, e.Name())); err == nil {
				all = append(all, e.Name()+" "+to)
			}
		}
		return len(all) == before
	})
	return all
}

// TestMasterUpgradeForeground has a master on no terminal and without files go on as the new program: it is reloaded by
// a signal, keeps its standard output, and ends with its exit code.
func TestMasterUpgradeForeground(t *testing.T) {
	i := newInstance(t, "misbehave", "-count", "1")
	cmd := i.command(t.Context(), "start")
	cmd.Args = cmd.Args[:len(cmd.Args)-1] // without a command
	p := launch(t, cmd)
	p.find("Press Ctrl")
	addr := p.find(`text://(\S+)`)[0]
	for range 2 {
		i.replace(filepath.Join(binaries, "misbehave-2"))
		kill(t, cmd.Process.Pid, syscall.SIGUSR1)
		linemantest.Until(t, "the master does not run the new program", func() bool {
			file, err := os.Stat(i.path)
			return err == nil && os.SameFile(file, exeOf(t, cmd.Process.Pid))
		})
		linemantest.Until(t, "the new program does not serve", func() bool {
			answer, _ := askLine(addr, "version")
			return answer == "2"
		})
	}
	p.find("the master runs the new program[^$]*the master runs the new program")
	kill(t, cmd.Process.Pid, syscall.SIGTERM)
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestMasterUpgradeManager is under a service manager, which has opened a socket that nobody has asked for yet: the new
// master tells it that the same main process is ready, lives on, and still has the socket.
func TestMasterUpgradeManager(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	addr := ln.Addr().String()
	ln.Close()
	i := newInstance(t, "misbehave", "-count", "1")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: filepath.Join(i.dir, "notify")})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"`, i.path)
	cmd.Args = append(cmd.Args, append(slices.Clone(i.flags), "start")...)
	cmd.Dir, cmd.ExtraFiles = i.dir, []*os.File{f}
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET=notify", "WATCHDOG_USEC=100000")
	p := launch(t, cmd)
	p.find("runs in the foreground")
	pid := i.status().PID
	for range 2 {
		i.upgrade(i.path)
	}
	want := []string{"READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1", "WATCHDOG=1", "WATCHDOG=1"}
	if err := manager.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for message := make([]byte, 4096); len(want) > 0; {
		n, err := manager.Read(message)
		if err != nil {
			t.Fatalf("%s is not told: %v", want[0], err)
		}
		text := string(message[:n])
		if strings.HasPrefix(text, "READY=1") && !strings.Contains(text, fmt.Sprintf("\nMAINPID=%d", pid)) {
			t.Errorf("pid %d told %q", pid, text)
		}
		if strings.HasPrefix(text, want[0]) {
			want = want[1:]
		}
	}
	if c, err := net.DialTimeout("tcp", addr, patience); err != nil {
		t.Errorf("the socket that nobody has asked for is shut: %v", err)
	} else {
		c.Close()
	}
	i.do("stop")
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestMasterUpgradeClients has other clients of the control socket be there: those who come meanwhile are answered
// later, and one that says nothing holds the upgrade up no longer than it may.
func TestMasterUpgradeClients(t *testing.T) {
	i := newInstance(t, "echo", "-addr", "http://127.0.0.1:0", "-count", "1")
	i.do("start", "-d")
	silent, err := net.Dial("unix", filepath.Join(i.dir, "echo.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	i.replace(i.path)
	end := i.background("reload")
	i.logs("lineman: reloaded")
	var statuses sync.WaitGroup
	for range 8 {
		statuses.Add(1)
		go func() {
			defer statuses.Done()
			if out, code := i.background("connections", "--json")(); code != 0 {
				t.Errorf("exit code %d\n%s", code, out)
			}
		}()
	}
	if out, code := end(); code != 0 {
		t.Errorf("the reload: exit code %d\n%s", code, out)
	}
	i.logs("the master runs the new program")
	if _, err := io.ReadAll(silent); err != nil {
		t.Errorf("who said nothing has %v", err)
	}
	statuses.Wait()
	i.do("stop")
}
