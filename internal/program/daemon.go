//go:build unix

package program

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"

	"github.com/lineman-go/lineman/internal/master"
)

// report is what a daemon tells the command that has started it.
type report struct {
	PID    int    `json:"pid"`
	Banner string `json:"banner"`
	Error  string `json:"error,omitempty"`
	Code   int    `json:"code"`
}

// daemonize starts the program again, in a session of its own and without a descriptor of the caller's, and waits until
// it is ready.
func (p *Program) daemonize() error {
	if p.Err != nil {
		return p.Err
	}
	if pid, err := p.pid(); err != nil {
		return err
	} else if pid != 0 {
		return errRunning(pid)
	}
	log, err := OpenLog(p.LogFile)
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
	return p.awaitDaemon(cmd, from, logged)
}

// awaitDaemon waits for the report of a daemon, and shows what it has logged meanwhile, from a size of the log on.
func (p *Program) awaitDaemon(cmd *exec.Cmd, from io.Reader, logged int64) error {
	var r report
	if err := json.NewDecoder(from).Decode(&r); err != nil {
		_ = cmd.Wait() // it has ended, or will
		return fmt.Errorf("lineman: the daemon ended before it was ready (%v): %s has what it said",
			cmd.ProcessState, p.LogFile)
	}
	if r.Error != "" {
		_ = cmd.Wait()
		if r.Code == ExitRunning {
			return fmt.Errorf("%w: stop it first, or restart it", ErrRunning)
		}
		return errors.New(r.Error)
	}
	said, _ := LogFrom(p.LogFile, logged) // who may only write to it can look elsewhere
	_, _ = os.Stdout.Write(said)
	fmt.Print(r.Banner)
	how := "the command stop" // go run has a file for each build
	if !master.ByGoRun(os.Args[0]) {
		how = fmt.Sprintf("`%s stop`", os.Args[0])
	}
	fmt.Printf("%s runs as pid %d and logs to %s; %s ends it.\n", p.Name, r.PID, p.LogFile, how)
	return nil
}

// tell tells the command that has started this daemon how it went.
func (r *running) tell(failed error) {
	told := report{PID: os.Getpid()}
	if failed != nil {
		told.Error, told.Code = failed.Error(), ExitCode(failed)
		slog.Error(told.Error)
	} else {
		told.Banner = r.banner()
	}
	if err := json.NewEncoder(r.report).Encode(told); err != nil {
		slog.Warn("lineman: the command that started this could not be told", "error", err)
	}
	r.report.Close()
	r.report = nil
}
