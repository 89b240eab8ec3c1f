package e2e

import (
	"fmt"
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/linemantest"
)

// heedHUP has programs that the test starts heed SIGHUP, also where the tests themselves were started to pass it over.
func heedHUP(t *testing.T) {
	t.Helper()
	taken := make(chan os.Signal, 1)
	ossignal.Notify(taken, syscall.SIGHUP) // what is taken is not passed over by who is started
	t.Cleanup(func() { ossignal.Stop(taken) })
}

// terminal is a terminal that can hang up: what a window, or a connection of ssh, is for the programs in it.
type terminal struct {
	t      *testing.T
	window *os.File
}

// newTerminal runs a command as the first one on a terminal of its own.
func newTerminal(t *testing.T, cmd *exec.Cmd) (*terminal, *program) {
	t.Helper()
	window, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		missing(t, "there are no terminals: "+err.Error())
	}
	t.Cleanup(func() { window.Close() })
	number := 0
	control(t, window, func(fd int) {
		if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	inside, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	p := &program{t: t, cmd: cmd, exited: make(chan struct{}), wrote: make(chan struct{}, 1)}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inside, inside, inside
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // its state is read by who waits for exited
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // gone already, mostly
		<-p.exited
	})
	go func() {
		for b := make([]byte, 4096); ; {
			n, err := window.Read(b)
			_, _ = p.Write(b[:n]) // it takes everything
			if err != nil {
				return // it has hung up
			}
		}
	}()
	return &terminal{t, window}, p
}

func control(t *testing.T, f *os.File, do func(fd int)) {
	t.Helper()
	rc, err := f.SyscallConn()
	if err == nil {
		err = rc.Control(func(fd uintptr) { do(int(fd)) })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// hangUp closes the window.
func (w *terminal) hangUp() {
	w.t.Helper()
	if err := w.window.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// TestHangup closes the terminal of programs. Those in the foreground end in order, with their files removed; a daemon
// goes on, and so does one that was told to ignore it.
func TestHangup(t *testing.T) {
	heedHUP(t)
	for name, c := range map[string]struct {
		command  string // by a shell, in which $0 is the program
		survives bool
	}{
		"start":                        {command: `exec "$0" start`},
		"start below a shell":          {command: `"$0" start; echo over`},
		"restart":                      {command: `exec "$0" restart`},
		"without files":                {command: `exec "$0"`},
		"without files below a shell":  {command: `"$0"; echo over`},
		"a daemon":                     {command: `"$0" start -d; exec sleep 60`, survives: true},
		"under nohup":                  {command: `nohup "$0" start & echo $! Press Ctrl+C; wait`, survives: true},
		"under nohup, and a daemon":    {command: `nohup "$0" start -d; exec sleep 60`, survives: true},
		"a pipe that has lost its end": {command: `"$0" start 2>&1 | head -n 1`},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstance(t, "echo", "-addr", "text://127.0.0.1:0", "-count", "2")
			cmd := exec.Command("sh", "-c", strings.ReplaceAll(c.command, `"$0"`, `"$0" "$@"`), i.path)
			cmd.Args = append(cmd.Args, i.flags...)
			cmd.Dir = i.dir
			w, p := newTerminal(t, cmd)
			if !strings.Contains(name, "without files") {
				linemantest.Until(t, "it does not start", func() bool { _, code := i.try("status"); return code == 0 })
				i.idle(2)
			} else {
				p.find(`Press Ctrl\+C to stop`)
			}
			w.hangUp()
			if c.survives {
				p.end() // the shell
				i.idle(2)
				i.do("stop")
				return
			}
			linemantest.Until(t, "it does not end", func() bool { return len(i.processes()) == 0 })
			for _, extension := range []string{".pid", ".sock"} {
				if _, err := os.Lstat(filepath.Join(i.dir, "echo"+extension)); !os.IsNotExist(err) {
					t.Errorf("echo%s is left behind: %v", extension, err)
				}
			}
		})
	}
}

// TestHangupWithoutTerminal sends the signal to a program in the foreground of a service manager: it reopens its log.
func TestHangupWithoutTerminal(t *testing.T) {
	heedHUP(t)
	i := newInstance(t, "echo", "-addr", "text://127.0.0.1:0")
	cmd := i.command(t.Context(), "start")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p := launch(t, cmd)
	p.find("runs in the foreground")
	log := filepath.Join(i.dir, "echo.log")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	kill(t, cmd.Process.Pid, syscall.SIGHUP)
	i.logs("the log was reopened")
	i.do("stop")
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestHangupTwice has the signal come twice, as from the terminal and from its shell: connections are told goodbye all
// the same.
func TestHangupTwice(t *testing.T) {
	heedHUP(t)
	i := newInstance(t, "echo", "-addr", "text://127.0.0.1:0")
	cmd := i.command(t.Context())
	p := launch(t, cmd)
	addr := p.find(`text://(127\.0\.0\.1:[1-9]\d*)`)[0]
	c := dial(t, addr)
	if answer, err := askLine(addr, "hello"); answer != "hello" {
		t.Fatalf("%q, %v", answer, err)
	}
	for range 3 {
		kill(t, cmd.Process.Pid, syscall.SIGHUP)
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || os.IsTimeout(err) {
		t.Errorf("the connection ends with %v", err)
	}
	c.Close()
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
