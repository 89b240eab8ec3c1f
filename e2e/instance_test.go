package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// instance is a program under a master, with a folder of its own: its files and its working directory.
type instance struct {
	t     *testing.T
	dir   string
	path  string // of the program's file, in dir
	flags []string
	env   []string // beside the test's
}

// newInstance puts a program into a new folder. What runs there is killed at the end of the test.
func newInstance(t *testing.T, name string, flags ...string) *instance {
	t.Helper()
	dir := t.TempDir()
	i := &instance{t: t, dir: dir, path: filepath.Join(dir, "bin", name), flags: flags}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	i.replace(filepath.Join(binaries, name))
	t.Cleanup(func() {
		killIn(dir)
		if t.Failed() {
			t.Logf("the log:\n%s", i.log())
		}
	})
	return i
}

// replace renames a copy of a file over the program's.
func (i *instance) replace(from string) {
	i.t.Helper()
	program, err := os.ReadFile(from)
	if err != nil {
		i.t.Fatal(err)
	}
	syscall.ForkLock.RLock() // else what another test starts just now has the file open to write, and it cannot run
	err = os.WriteFile(i.path+".new", program, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		i.t.Fatal(err)
	}
	if err := os.Rename(i.path+".new", i.path); err != nil {
		i.t.Fatal(err)
	}
}

// command is the program with a command. Only a start needs the file that is replaced.
func (i *instance) command(ctx context.Context, args ...string) *exec.Cmd {
	path := filepath.Join(binaries, filepath.Base(i.path))
	if slices.Contains(args, "start") {
		path = i.path
	}
	cmd := exec.CommandContext(ctx, path, append(slices.Clone(i.flags), args...)...)
	cmd.Dir = i.dir
	cmd.Env = append(os.Environ(), i.env...)
	cmd.WaitDelay = patience
	return cmd
}

// try gives a command, and returns what it printed and its exit code.
func (i *instance) try(args ...string) (out string, code int) {
	i.t.Helper()
	return i.background(args...)()
}

// background gives a command, and returns how to learn what came of it.
func (i *instance) background(args ...string) (wait func() (out string, code int)) {
	type result struct {
		out  string
		code int
	}
	cmd := i.command(context.Background(), args...)
	done := make(chan result, 1)
	go func() {
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		r := result{out: string(out)}
		if errors.As(err, &exit) {
			r.code = exit.ExitCode()
		} else if err != nil {
			r.code = -1
		}
		done <- r
	}()
	return func() (string, int) {
		i.t.Helper()
		select {
		case r := <-done:
			return r.out, r.code
		case <-time.After(patience):
			i.t.Fatalf("%v does not end", args)
			panic("unreachable")
		}
	}
}

// do gives a command that must end well.
func (i *instance) do(args ...string) string {
	i.t.Helper()
	out, code := i.try(args...)
	if code != 0 {
		i.t.Fatalf("%v: exit code %d\n%s", args, code, out)
	}
	return out
}

// refused gives a command that must fail with one line that has these words.
func (i *instance) refused(words string, args ...string) {
	i.t.Helper()
	out, code := i.try(args...)
	if code != 1 || !strings.Contains(out, words) || strings.Count(out, "\n") != 1 {
		i.t.Errorf("%v: exit code %d, want 1 and a line with %q:\n%s", args, code, words, out)
	}
}

func (i *instance) status() lineman.Status {
	i.t.Helper()
	var s lineman.Status
	if err := json.Unmarshal([]byte(i.do("status", "--json")), &s); err != nil {
		i.t.Fatal(err)
	}
	return s
}

// addr is host:port of a listener.
func (i *instance) addr(worker string) string {
	i.t.Helper()
	return i.listener("worker "+worker+" does not listen", func(name string) bool { return name == worker })
}

// outer is host:port of the first listener of all.
func (i *instance) outer() string {
	i.t.Helper()
	return i.listener("nobody listens", func(string) bool { return true })
}

// listener is host:port of the first listener of a worker that is wanted. The status has none of a process that is too
// busy to answer.
func (i *instance) listener(failure string, wanted func(worker string) bool) (addr string) {
	i.t.Helper()
	linemantest.Until(i.t, failure, func() bool {
		for _, p := range i.status().Processes {
			for _, l := range p.Listeners {
				if wanted(l.Worker) {
					addr = l.Addr[strings.Index(l.Addr, "://")+3:]
					return true
				}
			}
		}
		return false
	})
	return addr
}

// pid is the process of a worker with an id: in a reload, the older one.
func (i *instance) pid(worker string, id int) int {
	i.t.Helper()
	return i.processesOf(worker, id)[0].PID
}

// processesOf are the processes of a worker with an id that have not been told to leave, oldest first.
func (i *instance) processesOf(worker string, id int) (some []lineman.ProcessStatus) {
	i.t.Helper()
	for _, p := range i.status().Processes {
		if p.Worker == worker && p.ID == id && p.State != "leaving" {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		i.t.Fatalf("there is no process %s/%d", worker, id)
	}
	return some
}

// idle waits until as many processes as there are places serve, and no others are left.
func (i *instance) idle(processes int) {
	i.t.Helper()
	linemantest.Until(i.t, "not all processes serve", func() bool {
		s := i.status()
		return len(s.Processes) == processes && !slices.ContainsFunc(s.Processes, func(p lineman.ProcessStatus) bool {
			return p.State != "idle"
		})
	})
}

// log is what the program has logged; empty if it has not.
func (i *instance) log() string {
	text, err := os.ReadFile(filepath.Join(i.dir, filepath.Base(i.path)+".log"))
	if err != nil && !os.IsNotExist(err) {
		i.t.Fatal(err)
	}
	return string(text)
}

// logs waits until the log has a text.
func (i *instance) logs(text string) {
	i.t.Helper()
	linemantest.Until(i.t, "the log does not have: "+text, func() bool { return strings.Contains(i.log(), text) })
}

// processes are those in the instance's folder.
func (i *instance) processes() []int { return runningIn(i.dir) }

// put makes a file in the instance's folder, which a program that misbehaves looks for.
func (i *instance) put(name string) {
	i.t.Helper()
	write(i.t, filepath.Join(i.dir, name), "")
}

// remove takes it away.
func (i *instance) remove(name string) {
	i.t.Helper()
	if err := os.Remove(filepath.Join(i.dir, name)); err != nil {
		i.t.Fatal(err)
	}
}
