package lineman_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// TestMasterUpgrades has the program's file be replaced, three times: the master goes on as the new program in the same
// process, without OnStart, and its hooks run there. A connection crosses each time.
func TestMasterUpgrades(t *testing.T) {
	if portable() {
		t.Skip("over package net, connections stay where they are")
	}
	t.Setenv(handoverVariable, "")
	path := filepath.Join(t.TempDir(), "program")
	putCopy(t, path)
	r := startFile(t, path, "")
	said := r.until("Press Ctrl+C")
	i := slices.IndexFunc(said, func(s string) bool { return strings.HasPrefix(s, "OnStart") })
	c := dial(t, tcp(strings.Fields(said[i])[2]))
	answers := bufio.NewReader(c)
	for n := range 3 {
		putCopy(t, path)
		r.signal(syscall.SIGUSR1)
		said = r.until("master OnExit")
		r.awaitProgram(path)
		if !in(said, "master OnReload", "OnStart 0", "OnReload 0", "OnStop 0", "master OnExit w/0 code 0") ||
			in(said, "master OnStart") {
			t.Errorf("reload %d: %q", n, said)
		}
		if _, err := io.WriteString(c, "x\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := answers.ReadString('\n'); err != nil || strings.Fields(got)[1] != fmt.Sprint(n+1) {
			t.Errorf("message %d was answered by %q, %v", n+1, got, err)
		}
	}
	r.signal(syscall.SIGTERM)
	code, said := r.end()
	if code != 0 || !in(said, "OnStop 0", "master OnExit w/0 code 0", "master OnStop") {
		t.Errorf("the stop: exit code %d, %q", code, said)
	}
	if end, err := net.Dial("tcp", c.RemoteAddr().String()); err == nil {
		t.Error("somebody listens still")
		end.Close()
	}
}

// putCopy puts a copy of this program into the place of a file.
func putCopy(t *testing.T, path string) {
	t.Helper()
	program, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(path+".new", program, 0o755)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// awaitProgram waits until the process runs the file that is at a path now, and takes signals: it calls itself by its
// name after that, and was called by the number of a descriptor.
func (r *running) awaitProgram(path string) {
	r.t.Helper()
	file, err := os.Stat(path)
	if err != nil {
		r.t.Fatal(err)
	}
	linemantest.Until(r.t, "it does not run the new program", func() bool {
		exe, err := os.Stat(fmt.Sprintf("/proc/%d/exe", r.cmd.Process.Pid))
		if err != nil || !os.SameFile(exe, file) {
			return false
		}
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", r.cmd.Process.Pid))
		return err == nil && string(name) == filepath.Base(path)+"\n"
	})
}
