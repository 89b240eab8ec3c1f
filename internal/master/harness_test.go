//go:build unix

package master

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// roleVariable has a process of this program play a role.
const roleVariable = "LINEMAN_TEST_ROLE"

// TestMain plays a role in another process: that says a word when it is ready, and ends when its standard input does.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Unsetenv(roleVariable)
		if err := roles[role](os.Args[1:]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// actor is a process that plays a role.
type actor struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
	ended bool
}

// play starts a process in a role. It is killed at the end of the test, or after a time that no test needs.
func play(t *testing.T, role string, args ...string) *actor {
	t.Helper()
	return perform(t, exec.Command(os.Args[0], args...), role)
}

// perform is play with a command that says more.
func perform(t *testing.T, cmd *exec.Cmd, role string) *actor {
	t.Helper()
	// A program with the race detector would wait a second before it ends.
	cmd.Env = append(cmd.Environ(), roleVariable+"="+role, "GORACE=atexit_sleep_ms=0")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	overdue := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	a := &actor{t: t, cmd: cmd, stdin: stdin, out: bufio.NewReader(stdout)}
	t.Cleanup(func() {
		overdue.Stop()
		a.kill()
	})
	return a
}

// word is the next line that the process says.
func (a *actor) word() string {
	a.t.Helper()
	line, err := a.out.ReadString('\n')
	if err != nil {
		a.t.Fatalf("the process said %q, then %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// kill ends the process by kill -9 and waits for it.
func (a *actor) kill() {
	if !a.ended {
		a.ended = true
		_ = a.cmd.Process.Kill() // it has ended by itself
		_ = a.cmd.Wait()         // killed
	}
}

// end has the process end by itself.
func (a *actor) end() {
	a.t.Helper()
	a.ended = true
	a.stdin.Close()
	if err := a.cmd.Wait(); err != nil {
		a.t.Error(err)
	}
}

// awaitEnd is the end of most roles.
func awaitEnd() { _, _ = io.Copy(io.Discard, os.Stdin) }

// openFiles is how many descriptors this process has.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

// noHook is a reload without hooks.
func noHook() (func(), error) { return func() {}, nil }
