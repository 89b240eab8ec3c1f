// Package processtest has what tests of processes need: roles that their own program plays in another process, other
// users, descriptors, and places for sockets.
package processtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Variable has a process of this program play a role.
const Variable = "LINEMAN_TEST_ROLE"

// patience is how long a role may last: longer than any test needs.
const patience = 20 * time.Second

// Play plays the role that the environment names, to its end, and ends the process; it returns if that names none. A
// role says a word when it is ready, and ends when the standard input does. For TestMain.
func Play(roles map[string]func(args []string) error) {
	role := os.Getenv(Variable)
	if role == "" {
		return
	}
	_ = os.Unsetenv(Variable) // it is a name
	if err := roles[role](os.Args[1:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// An Actor is a process that plays a role.
type Actor struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
	ended bool
}

// Start starts a process in a role. It is killed at the end of the test, or after a time that no test needs.
func Start(t *testing.T, role string, args ...string) *Actor {
	t.Helper()
	return StartCommand(t, exec.Command(os.Args[0], args...), role)
}

// StartCommand is Start with a command that says more.
func StartCommand(t *testing.T, cmd *exec.Cmd, role string) *Actor {
	t.Helper()
	// A program with the race detector would wait a second before it ends.
	cmd.Env = append(cmd.Environ(), Variable+"="+role, "GORACE=atexit_sleep_ms=0")
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
	overdue := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() }) // it has ended by itself
	a := &Actor{t: t, cmd: cmd, stdin: stdin, out: bufio.NewReader(stdout)}
	t.Cleanup(func() {
		overdue.Stop()
		a.Kill()
	})
	return a
}

// Word is the next line that the process says.
func (a *Actor) Word() string {
	a.t.Helper()
	line, err := a.out.ReadString('\n')
	if err != nil {
		a.t.Fatalf("the process said %q, then %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// Kill ends the process by kill -9 and waits for it.
func (a *Actor) Kill() {
	if !a.ended {
		a.ended = true
		_ = a.cmd.Process.Kill() // it has ended by itself
		_ = a.cmd.Wait()         // killed
	}
}

// End has the process end by itself.
func (a *Actor) End() {
	a.t.Helper()
	a.ended = true
	a.stdin.Close()
	if err := a.cmd.Wait(); err != nil {
		a.t.Error(err)
	}
}

// AwaitEnd is the end of most roles.
func AwaitEnd() { _, _ = io.Copy(io.Discard, os.Stdin) }

// PID is the process's number.
func (a *Actor) PID() int { return a.cmd.Process.Pid }
