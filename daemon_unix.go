//go:build unix

package lineman

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/internal/master"
)

// Variables that tell a process what it was started for: each is the number of a descriptor. They are taken out of the
// environment before anything of the application's runs in Main.
const (
	workerVariable = "LINEMAN_WORKER" // the channel to the master
	daemonVariable = "LINEMAN_DAEMON" // where to report how the start went
)

// inherited is the file that a variable names, or nil.
func (m *Master) inherited(variable string) *os.File {
	text, ok := os.LookupEnv(variable)
	if !ok {
		return nil
	}
	_ = os.Unsetenv(variable) // it has a name
	fd, err := strconv.Atoi(text)
	if err != nil {
		return nil
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), variable)
}

// report is what a daemon tells the command that has started it.
type report struct {
	PID    int    `json:"pid"`
	Banner string `json:"banner"`
	Error  string `json:"error,omitempty"`
	Code   int    `json:"code"`
}

// daemonize starts the program again, in a session of its own and without a descriptor of the caller's, and waits until
// it is ready.
func (m *Master) daemonize() error {
	if m.Err != nil {
		return m.Err
	}
	if pid, err := m.running(); err != nil {
		return err
	} else if pid != 0 {
		return errRunning(pid)
	}
	log, err := master.OpenLog(m.logFile())
	if err != nil {
		return err
	}
	defer log.Close()
	logged, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("lineman: log: %w", err)
	}
	from, to, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("lineman: %w", err)
	}
	defer from.Close()
	image, err := master.RunningImage()
	if err != nil {
		return err
	}
	defer image.Close()
	master.CloseOnExecFrom(3)
	cmd := exec.Command(image.Path())
	cmd.Args = os.Args
	cmd.Env = append(os.Environ(), daemonVariable+"=3")
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{to}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	to.Close()
	if err != nil {
		return fmt.Errorf("lineman: the daemon does not start: %w", err)
	}
	var r report
	if err := json.NewDecoder(from).Decode(&r); err != nil {
		_ = cmd.Wait() // it has ended, or will
		return fmt.Errorf("lineman: the daemon ended before it was ready (%v): %s has what it said", cmd.ProcessState, m.logFile())
	}
	if r.Error != "" {
		_ = cmd.Wait()
		if r.Code == exitRunning {
			return fmt.Errorf("%w: stop it first, or restart it", ErrRunning)
		}
		return errors.New(r.Error)
	}
	said, _ := master.LogFrom(m.logFile(), logged) // who may only write to it can look elsewhere
	_, _ = os.Stdout.Write(said)
	fmt.Print(r.Banner)
	how := "the command stop" // go run has a file for each build
	if !master.ByGoRun(os.Args[0]) {
		how = fmt.Sprintf("`%s stop`", os.Args[0])
	}
	fmt.Printf("%s runs as pid %d and logs to %s; %s ends it.\n", m.name(), r.PID, m.logFile(), how)
	return nil
}

// tell tells the command that has started this daemon how it went.
func (s *supervision) tell(failed error) {
	r := report{PID: os.Getpid()}
	if failed != nil {
		r.Error, r.Code = failed.Error(), ExitCode(failed)
		slog.Error(r.Error)
	} else {
		r.Banner = s.banner()
	}
	if err := json.NewEncoder(s.report).Encode(r); err != nil {
		slog.Warn("lineman: the command that started this could not be told", "error", err)
	}
	s.report.Close()
	s.report = nil
}

// ready tells everybody that the program serves.
func (s *supervision) ready() {
	if err := s.notifier.Ready(fmt.Sprintf("serves with %d processes", s.processes())); err != nil {
		slog.Warn("lineman: the service manager could not be told", "error", err)
	}
	if every := s.notifier.WatchdogInterval(); every > 0 {
		go s.watchdog(every)
	}
	if s.report != nil {
		s.tell(nil)
		return
	}
	fmt.Print(s.banner())
	if s.files {
		fmt.Printf("%s runs in the foreground as pid %d. Press Ctrl+C to stop.\n", s.name(), os.Getpid())
	} else {
		fmt.Println("Press Ctrl+C to stop.")
	}
}

// watchdog shows a service manager that the master lives.
func (s *supervision) watchdog(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-s.stopped:
			return
		case <-t.C:
			_ = s.notifier.Watchdog() // likewise: it has gone
		}
	}
}

// processes is how many processes the program has.
func (s *supervision) processes() (n int) {
	for _, w := range s.Workers {
		n += w.count()
	}
	return n
}

// banner lists the workers and where they listen.
func (s *supervision) banner() string {
	var b bytes.Buffer
	t := newTable(&b)
	t.row("worker", "processes", "listening")
	listening := s.supervisor.Listening()
	for _, w := range s.Workers {
		addr := "-"
		if at := listening[w.name()]; len(at) > 0 {
			addr = strings.Join(at, " ")
		}
		t.row(w.name(), w.count(), addr)
	}
	t.end()
	return b.String()
}
