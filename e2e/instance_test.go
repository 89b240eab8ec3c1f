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
	"testing"
	"time"

	"github.com/lineman-go/lineman"
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
	if err := os.WriteFile(i.path+".new", program, 0o755); err != nil {
		i.t.Fatal(err)
	}
	if err := os.Rename(i.path+".new", i.path); err != nil {
		i.t.Fatal(err)
	}
}

// command is the program with a command, which ends by itself.
func (i *instance) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, i.path, append(slices.Clone(i.flags), args...)...)
	cmd.Dir = i.dir
	cmd.Env = append(os.Environ(), i.env...)
	cmd.WaitDelay = time.Second
	return cmd
}

// try gives a command, and returns what it printed and its exit code.
func (i *instance) try(args ...string) (string, int) {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := i.command(ctx, args...).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		i.t.Fatalf("%v does not end:\n%s", args, out)
	case errors.As(err, &exit):
		return string(out), exit.ExitCode()
	case err != nil:
		i.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out), 0
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
	for _, p := range i.status().Processes {
		for _, l := range p.Listeners {
			if l.Worker == worker {
				return l.Addr[strings.Index(l.Addr, "://")+3:]
			}
		}
	}
	i.t.Fatalf("worker %s does not listen", worker)
	return ""
}

// outer is host:port of the first listener of all.
func (i *instance) outer() string {
	i.t.Helper()
	return i.addr(i.status().Processes[0].Listeners[0].Worker)
}

// pid is the worker process with an id.
func (i *instance) pid(worker string, id int) int {
	i.t.Helper()
	for _, p := range i.status().Processes {
		if p.Worker == worker && p.ID == id && p.State != "leaving" {
			return p.PID
		}
	}
	i.t.Fatalf("there is no process %s/%d", worker, id)
	return 0
}

// idle waits until as many processes as there are places serve, and no others are left.
func (i *instance) idle(processes int) {
	i.t.Helper()
	eventually(i.t, "not all processes serve", func() bool {
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
	eventually(i.t, "the log does not have: "+text, func() bool { return strings.Contains(i.log(), text) })
}

// processes are those in the instance's folder.
func (i *instance) processes() []int { return runningIn(i.dir) }

// put makes a file in the instance's folder, which a program that misbehaves looks for; the function removes it.
func (i *instance) put(name string) (remove func()) {
	i.t.Helper()
	path := filepath.Join(i.dir, name)
	write(i.t, path, "")
	return func() {
		if err := os.Remove(path); err != nil {
			i.t.Fatal(err)
		}
	}
}
