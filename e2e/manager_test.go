package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// TestNotify reads what a service manager is told, as systemd does.
func TestNotify(t *testing.T) {
	i := newInstance(t, "misbehave", "-stop-timeout", "5s")
	socket := filepath.Join(i.dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	if err := manager.SetReadDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	told := func(wanted string) string {
		t.Helper()
		for message := make([]byte, 4096); ; {
			n, err := manager.Read(message)
			if err != nil {
				t.Fatalf("%s is not told: %v", wanted, err)
			}
			switch text := string(message[:n]); {
			case strings.HasPrefix(text, wanted):
				return text
			case text != "WATCHDOG=1":
				t.Fatalf("%q is told, want %s", text, wanted)
			}
		}
	}

	i.env = []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=200000"}
	end := i.background("start")
	ready := told("READY=1")
	i.env = nil
	if pid := i.status().PID; !strings.Contains(ready, fmt.Sprintf("\nMAINPID=%d\n", pid)) ||
		!strings.Contains(ready, "\nSTATUS=serves with 6 processes") {
		t.Errorf("pid %d told %q", pid, ready)
	}
	told("WATCHDOG=1")
	told("WATCHDOG=1")
	i.do("reload")
	if text := told("RELOADING=1"); !strings.Contains(text, "\nMONOTONIC_USEC=") {
		t.Errorf("it told %q", text)
	}
	told("READY=1")
	i.do("stop")
	told("STOPPING=1")
	if out, code := end(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

// TestSocketActivation hands over sockets that were open before the program, as systemd does: what comes meanwhile is
// served.
func TestSocketActivation(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	defer f.Close()
	early := dial(t, addr)
	fmt.Fprintln(early, "early")

	i := newInstance(t, "echo", "-addr", "text://"+addr, "-count", "2")
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"`, i.path)
	cmd.Args = append(cmd.Args, append(slices.Clone(i.flags), "start")...)
	cmd.Dir, cmd.ExtraFiles = i.dir, []*os.File{f}
	p := launch(t, cmd)
	p.find("runs in the foreground")
	answer := make([]byte, len("early\n"))
	if _, err := io.ReadFull(early, answer); err != nil || string(answer) != "early\n" {
		t.Errorf("who came early has %q, %v", answer, err)
	}
	i.do("reload")
	if answer, err := askLine(addr, "hello"); answer != "hello" {
		t.Errorf("after a reload the echo is %q, %v", answer, err)
	}
	i.do("stop")
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if c, err := net.DialTimeout("tcp", addr, patience); err != nil {
		t.Errorf("the service manager's socket is shut: %v", err)
	} else {
		c.Close()
	}
}

// TestFirstProcess is the program as the first process of a container: it reaps the orphans of others, and heeds
// SIGTERM.
func TestFirstProcess(t *testing.T) {
	need(t, "unshare")
	if os.Geteuid() != 0 {
		missing(t, "only root can make a namespace")
	}
	i := newInstance(t, "echo", "-addr", "text://"+free(t), "-count", "2")
	p, first := i.startFirst()

	// The shell ends at once: its child is the first process's from then on, and ends as one.
	orphan := output(t, "", "nsenter", "--target", fmt.Sprint(first), "--pid", "--mount", "setsid", "sh", "-c",
		"sleep 0.01 >&- 2>&- & echo $!")
	linemantest.Until(t, "the orphan is not reaped", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d/root/proc/%s", first, strings.TrimSpace(orphan)))
		return os.IsNotExist(err)
	})
	if text := i.do("status"); !strings.Contains(text, "master 1 ") {
		t.Errorf("status says:\n%s", text)
	}
	if answer, err := askLine(i.outer(), "hello"); answer != "hello" {
		t.Errorf("the echo is %q, %v", answer, err)
	}
	kill(t, first, syscall.SIGTERM)
	if code := p.end(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}

// startFirst starts an instance as the first process of a container, and returns its pid outside of that.
func (i *instance) startFirst() (p *program, pid int) {
	i.t.Helper()
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "setsid", i.path)
	cmd.Args = append(cmd.Args, append(slices.Clone(i.flags), "start")...)
	cmd.Dir = i.dir
	p = launch(i.t, cmd)
	p.find("runs in the foreground as pid 1")
	return p, childOf(i.t, cmd.Process.Pid)
}

// childOf is the one child of a process.
func childOf(t *testing.T, pid int) (child int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "pgrep", "-P", fmt.Sprint(pid)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(out), &child); err != nil {
		t.Fatalf("children %q: %v", out, err)
	}
	return child
}
