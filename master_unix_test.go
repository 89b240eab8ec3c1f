//go:build unix

package lineman_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
)

// running is a program that runs.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	ended bool
	stuck *time.Timer // ends a program that does not say, or do, what is waited for
}

func startProgram(t *testing.T, asUser string) *running {
	t.Helper()
	return startFile(t, os.Args[0], asUser)
}

// startFile starts a program that is a file of its own.
func startFile(t *testing.T, path, asUser string) *running {
	t.Helper()
	r := &running{t: t, cmd: exec.Command(path)}
	r.cmd.Env = append(os.Environ(), programVariable+"="+asUser, "GORACE=atexit_sleep_ms=0")
	r.cmd.Dir = t.TempDir()
	r.cmd.Stderr = os.Stderr
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.stuck = time.AfterFunc(patience, func() { _ = r.cmd.Process.Kill() }) // it has ended
	r.lines = bufio.NewScanner(out)
	t.Cleanup(func() {
		r.stuck.Stop()
		if !r.ended {
			_ = r.cmd.Process.Kill() // likewise
			_ = r.cmd.Wait()
		}
	})
	return r
}

// until returns the lines up to the one that begins with a word.
func (r *running) until(word string) (lines []string) {
	r.t.Helper()
	r.stuck.Reset(patience)
	for r.lines.Scan() {
		lines = append(lines, r.lines.Text())
		if strings.HasPrefix(r.lines.Text(), word) {
			return lines
		}
	}
	r.t.Fatalf("it never says %q; it says %q", word, lines)
	return nil
}

// end waits for the program and returns its exit code and what it said last.
func (r *running) end() (code int, lines []string) {
	r.t.Helper()
	r.stuck.Reset(patience)
	for r.lines.Scan() {
		lines = append(lines, r.lines.Text())
	}
	r.ended = true
	_ = r.cmd.Wait() // the code tells
	return r.cmd.ProcessState.ExitCode(), lines
}

func (r *running) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// reload has a reload begin. The one before may be under way still, though what it is about has been said.
func (r *running) reload() {
	r.t.Helper()
	r.signal(syscall.SIGUSR1)
	again := time.AfterFunc(3*second, func() { _ = r.cmd.Process.Signal(syscall.SIGUSR1) }) // else it has ended
	defer again.Stop()
	r.until("master OnReload")
}

// in reports whether the lines that begin with these words come in this order.
func in(lines []string, order ...string) bool {
	for _, line := range lines {
		if len(order) > 0 && strings.HasPrefix(line, order[0]) {
			order = order[1:]
		}
	}
	return len(order) == 0
}

// TestMasterHooks has callbacks and hooks run in their order, through a start, a reload, a death and a stop.
func TestMasterHooks(t *testing.T) {
	r := startProgram(t, "")
	said := r.until("Press Ctrl+C")
	if !in(said, "master OnStart", "OnPrepare 0", "OnStart 0", "worker") {
		t.Errorf("the start: %q", said)
	}
	r.signal(syscall.SIGUSR1)
	said = r.until("master OnExit")
	if !in(said, "master OnReload", "OnPrepare 0", "OnStart 0", "OnReload 0", "OnStop 0",
		`master OnExit w/0 code 0 signal ""`) {
		t.Errorf("the reload: %q", said)
	}
	r.signal(syscall.SIGTERM)
	code, said := r.end()
	if code != 0 || !in(said, "OnStop 0", `master OnExit w/0 code 0`, "master OnStop") {
		t.Errorf("the stop: exit code %d, %q", code, said)
	}
}

// TestMasterRecycle has a process be replaced that asks for it; the client is answered.
func TestMasterRecycle(t *testing.T) {
	r := startProgram(t, "")
	said := r.until("Press Ctrl+C")
	i := slices.IndexFunc(said, func(s string) bool { return strings.HasPrefix(s, "OnStart") })
	c := dial(t, tcp(strings.Fields(said[i])[2]))
	if _, err := io.WriteString(c, "recycle\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "recycle\n" {
		t.Errorf("the client got %q, %v", got, err)
	}
	c.Close() // else the process would wait for that, for as long as it may
	said = r.until("master OnExit")
	if !in(said, "OnStart 0", "OnReload 0", "OnStop 0", "master OnExit w/0 code 0") {
		t.Errorf("the process that asked for a successor: %q", said)
	}
	r.signal(syscall.SIGINT)
	if code, said := r.end(); code != 0 {
		t.Errorf("the stop: exit code %d, %q", code, said)
	}
}

// tcp is the address of a listener in another process.
type tcp string

func (a tcp) Network() string { return "tcp" }
func (a tcp) String() string  { return string(a) }

// TestMasterUser runs processes as another user, and refuses one that is unknown.
func TestMasterUser(t *testing.T) {
	r := startProgram(t, "no-such-user")
	if code, said := r.end(); code != 1 || len(said) > 0 {
		t.Errorf("an unknown user: exit code %d, %q", code, said)
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	r = startProgram(t, "nobody")
	if os.Geteuid() != 0 {
		if code, said := r.end(); code != 1 || len(said) > 0 {
			t.Errorf("another user, without the right: exit code %d, %q", code, said)
		}
		return
	}
	if said := r.until("Press Ctrl+C"); !slices.ContainsFunc(said,
		func(s string) bool { return strings.HasSuffix(s, "uid "+nobody.Uid) }) {
		t.Errorf("the process of nobody: %q", said)
	}
	r.signal(syscall.SIGTERM)
	if code, _ := r.end(); code != 0 {
		t.Errorf("the stop: exit code %d", code)
	}
}

// TestExitCode gives each error of a command its code.
func TestExitCode(t *testing.T) {
	for want, err := range []error{nil, errors.New("x"), lineman.ErrUsage, lineman.ErrNotRunning, lineman.ErrRunning} {
		if err != nil {
			err = fmt.Errorf("wrapped: %w", err)
		}
		if got := lineman.ExitCode(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	m := &lineman.Master{Name: "nobody", PIDFile: t.TempDir() + "/nobody.pid", Socket: t.TempDir() + "/nobody.sock"}
	if _, err := m.Status(); !errors.Is(err, lineman.ErrNotRunning) {
		t.Errorf("status of nobody: %v", err)
	}
	if err := m.Stop(lineman.Prompt); !errors.Is(err, lineman.ErrNotRunning) {
		t.Errorf("stop of nobody: %v", err)
	}
	if err := m.Reload(lineman.Graceful); !errors.Is(err, lineman.ErrNotRunning) {
		t.Errorf("reload of nobody: %v", err)
	}
}

// TestLogHandler has the processes, and the master, log as the application says, each with its name.
func TestLogHandler(t *testing.T) {
	t.Setenv(logVariable, "yes")
	r := startProgram(t, "")
	lines := r.until("OnStart 0")
	want := `"level":"INFO","msg":"OnPrepare","process":"w/0"}`
	if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasSuffix(line, want) }) {
		t.Errorf("it says %q", lines)
	}
	r.signal(syscall.SIGUSR1)
	r.until(`{"time":`)
	r.signal(syscall.SIGTERM)
	r.end()
}

// TestErr has a program that cannot run say why, and touch nothing.
func TestErr(t *testing.T) {
	why := errors.New("no configuration")
	m := &lineman.Master{
		Err: why, Workers: []*lineman.Worker{{Addr: "text://127.0.0.1:0"}}, PIDFile: t.TempDir() + "/pid",
	}
	for name, run := range map[string]func() error{
		"Run": m.Run, "Start": func() error { return m.Start(lineman.Foreground) },
		"Start as a daemon": func() error { return m.Start(lineman.Daemon) },
		"Restart":           func() error { return m.Restart(lineman.AsBefore, lineman.Prompt) },
	} {
		if err := run(); err != why {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(m.PIDFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the pid file: %v", err)
	}
}
