package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestProcessNames reads what ps, top and ss call the processes, however they have come about, and each of their
// threads.
func TestProcessNames(t *testing.T) {
	i := newInstance(t, "echo", "-addr", "text://127.0.0.1:0", "-count", "2")
	check := func(when string) {
		t.Helper()
		i.idle(2)
		s := i.status()
		wantName(t, when+": the master", s.PID, "echo")
		for _, p := range s.Processes {
			wantName(t, when+": a worker", p.PID, fmt.Sprintf("echo echo/%d", p.ID))
		}
	}
	i.do("start", "-d")
	check("a daemon")
	i.do("reload")
	check("after a reload")
	kill(t, i.pid("echo", 0), 9)
	i.logs("it starts again at once")
	check("after a crash")
	i.do("restart")
	check("after a restart")
	i.do("stop")
	p := launch(t, i.command(t.Context(), "start"))
	p.find("runs in the foreground")
	check("in the foreground")
	i.do("stop")
	p.end()
}

// TestRestartFails tells that what ran has been stopped when nothing could be started in its place.
func TestRestartFails(t *testing.T) {
	i := newInstance(t, "echo", "-addr", "text://127.0.0.1:0")
	i.do("start", "-d")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	i.flags = []string{"-addr", "text://" + taken.Addr().String()}
	i.refused("address already in use: stop the program that has it, or listen on another address; what ran before "+
		"has been stopped", "restart")
	if _, code := i.try("status"); code != 3 {
		t.Errorf("status: exit code %d, want 3", code)
	}
}

// wantName wants all threads of a process to have a name, and its command line to be the one that was given.
func wantName(t *testing.T, what string, pid int, want string) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/comm", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no threads: %v", what, err)
	}
	for _, file := range append(files, fmt.Sprintf("/proc/%d/comm", pid)) {
		if name, err := os.ReadFile(file); err == nil && string(name) != want+"\n" {
			t.Errorf("%s: %s is %q, want %q", what, file, name, want)
		}
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if args := strings.Split(string(line), "\x00"); err != nil || filepath.Base(args[0]) != "echo" ||
		!slices.Contains(args, "-addr") {
		t.Errorf("%s: the command line is %q, %v", what, args, err)
	}
}
