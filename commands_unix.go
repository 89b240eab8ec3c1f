//go:build unix

package lineman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"github.com/lineman-go/lineman/internal/master"
)

// order is what a command asks of a running master.
type order struct {
	Command  string `json:"command"`
	Graceful bool   `json:"graceful,omitempty"`
	Program  string `json:"program,omitempty"` // the file of the program that asks
}

// reply is a line of the answer.
type reply struct {
	PID    int          `json:"pid"`
	Daemon bool         `json:"daemon,omitempty"` // it runs in the background
	Error  string       `json:"error,omitempty"`
	Code   int          `json:"code,omitempty"`
	Status *Status      `json:"status,omitempty"`
	Conns  []ConnStatus `json:"connections,omitempty"`
}

// answer does what a command asks.
func (s *supervision) answer(ctx context.Context, request json.RawMessage, send func(any) error) {
	var o order
	err := json.Unmarshal(request, &o)
	last := reply{PID: os.Getpid(), Daemon: s.daemon}
	if err == nil {
		err = s.obey(ctx, o, &last, send)
	}
	if err != nil {
		last.Error, last.Code = err.Error(), ExitCode(err)
	}
	_ = send(last) // who asked has gone
}

func (s *supervision) obey(ctx context.Context, o order, last *reply, send func(any) error) error {
	switch o.Command {
	case "stop":
		u := master.Prompt
		if o.Graceful {
			u = master.Patient
		}
		s.stop(u)
		return nil
	case "reload":
		return s.reload(o.Graceful, o.Program) // to its end, even if who asked goes away
	case "status":
		last.Status = s.status()
		return nil
	case "connections":
		return s.supervisor.Conns(ctx, func(worker string, id, pid int, page json.RawMessage) error {
			conns, err := connsOf(worker, id, pid, page)
			if err != nil {
				return err
			}
			return send(reply{Conns: conns})
		})
	}
	return errUsage("the running program does not know the command %q", o.Command)
}

// connsOf are connections of a process, by what it says of them.
func connsOf(worker string, id, pid int, page json.RawMessage) (conns []ConnStatus, err error) {
	if err := json.Unmarshal(page, &conns); err != nil {
		return nil, fmt.Errorf("lineman: the connections of %s/%d (pid %d): %w", worker, id, pid, err)
	}
	for i := range conns {
		conns[i].PID, conns[i].Process = pid, fmt.Sprintf("%s/%d", worker, id)
	}
	return conns, nil
}

// status gathers the status.
func (s *supervision) status() *Status {
	snapshot := s.supervisor.Snapshot()
	s.mu.Lock()
	reloads := s.reloads
	s.mu.Unlock()
	st := &Status{
		Name: s.name(), Version: linemanVersion(), PID: os.Getpid(), Started: s.began, Load: master.LoadAverage(),
		Reloads: reloads, Workers: len(s.Workers),
	}
	for _, p := range snapshot.Processes {
		var q ProcessStatus
		_ = json.Unmarshal(p.Status, &q) // one that does not serve yet has said nothing
		q.Worker, q.ID, q.PID, q.State, q.Started = p.Worker, p.ID, p.PID, string(p.State), p.Born
		q.Busy, q.Callback, q.Rate, q.Memory = p.Busy.Seconds(), p.Callback, p.Rate, master.Resident(p.PID)
		st.Processes = append(st.Processes, q)
	}
	for _, e := range snapshot.Exits {
		st.Exits = append(st.Exits, ExitStatus{Worker: e.Worker, Code: e.Status.Code, Signal: e.Status.Signal, Count: e.Count})
	}
	return st
}

// linemanVersion is the version of this package in the program.
func linemanVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/lineman-go/lineman" {
				return "Lineman/" + d.Version
			}
		}
	}
	return "Lineman/(devel)"
}

// ask asks the running master, and gives each line of its answer to f. It waits as long as that takes if within is 0.
func (m *Master) ask(within time.Duration, o order, f func(reply) error) error {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if within > 0 {
		ctx, cancel = context.WithTimeout(ctx, within)
	}
	defer cancel()
	answers, err := master.Ask(ctx, master.SocketPath(m.socket()), o)
	if errors.Is(err, master.ErrNoMaster) {
		return m.unreachable()
	}
	if err != nil {
		return err
	}
	defer answers.Close()
	for {
		var r reply
		if err := answers.Next(&r); err != nil {
			return fmt.Errorf("lineman: the running program did not answer the command in full: %w", master.Bare(err))
		}
		if r.Error != "" {
			return remoteError{r.Error, r.Code}
		}
		if err := f(r); err != nil || r.PID != 0 {
			return err
		}
	}
}

// remoteError is an error of the running master.
type remoteError struct {
	text string
	code int
}

func (e remoteError) Error() string { return e.text }

func (e remoteError) Is(target error) bool { return target == ErrUsage && e.code == exitUsage }

// unreachable says why nobody answers.
func (m *Master) unreachable() error {
	pid, err := master.Holder(m.pidFile())
	if err != nil {
		return err
	}
	if pid != 0 {
		return fmt.Errorf("lineman: it runs as pid %d, but does not listen on %s: end it with kill, or kill -9, %d", pid, m.socket(), pid)
	}
	return fmt.Errorf("%w (nobody holds %s): start it first", ErrNotRunning, m.pidFile())
}

// running is the process that runs the instance; 0 if none does. Its pid file tells or, if somebody has removed that,
// the socket.
func (m *Master) running() (pid int, err error) {
	if pid, err = master.Holder(m.pidFile()); pid != 0 || err != nil {
		return pid, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	answers, err := master.Ask(ctx, master.SocketPath(m.socket()), order{Command: "status"})
	if err != nil {
		return 0, nil // nobody is there; or somebody else, as listening will say
	}
	defer answers.Close()
	var r reply
	_ = answers.Next(&r) // likewise
	return r.PID, nil
}

func errRunning(pid int) error {
	return fmt.Errorf("%w (pid %d): stop it first, or restart it", ErrRunning, pid)
}

// CheckFiles tells whether the files of the instance could be written where they are to be, and changes nothing.
func (m *Master) CheckFiles() error {
	return errors.Join(master.CheckPlace("pid file", m.pidFile(), 0), master.CheckPlace("log", m.logFile(), 0),
		master.CheckPlace("control socket", master.SocketPath(m.socket()), fs.ModeSocket))
}

// answerTime bounds what a running master answers at once.
const answerTime = 5 * time.Second

// Stop ends the running program and returns when all of it has gone. The limits are those of the running program, which may have been started with others than m has. It
// matches ErrNotRunning if nothing runs.
func (m *Master) Stop(e Ending) error {
	_, err := m.end(e)
	return err
}

// end is Stop, and tells how the program ran.
func (m *Master) end(e Ending) (ran Mode, err error) {
	pid := 0
	err = m.ask(0, order{Command: "stop", Graceful: e == Graceful}, func(r reply) error {
		if pid = r.PID; r.Daemon {
			ran = Daemon
		}
		return nil
	})
	if err != nil {
		return Foreground, err
	}
	return ran, m.awaitEnd(pid)
}

// awaitEnd waits until the files of a master that ends are free, and for the process.
func (m *Master) awaitEnd(pid int) error {
	for until := time.Now().Add(answerTime); ; time.Sleep(2 * time.Millisecond) {
		holder, err := master.Holder(m.pidFile())
		if err != nil {
			return err
		}
		if holder != pid && master.Gone(pid) {
			return nil
		}
		if time.Now().After(until) {
			if holder != pid {
				return nil // its parent has not waited for it
			}
			return fmt.Errorf("lineman: pid %d has stopped its processes, but does not end", pid)
		}
	}
}

// Restart ends the running program, if there is one, and starts it as Start does.
func (m *Master) Restart(mode Mode, e Ending) error {
	if os.Getenv(workerVariable) != "" || os.Getenv(daemonVariable) != "" {
		return m.Start(Foreground) // this is a process of the program that was started
	}
	if m.Err != nil {
		return m.Err // and what runs goes on
	}
	ran, err := m.end(e)
	if mode == AsBefore {
		mode = ran
	}
	if errors.Is(err, ErrNotRunning) {
		return m.Start(mode)
	}
	if err != nil {
		return err
	}
	if err := m.Start(mode); err != nil {
		return fmt.Errorf("%w; what ran before has been stopped", err)
	}
	return nil
}

// Reload has every process of the running program succeeded by one of the program as it is now on disk, and returns
// when that is done or has failed. The ending is that of the predecessors.
func (m *Master) Reload(e Ending) error {
	own, err := os.Executable()
	if err != nil {
		own = "" // it matters to programs of go run alone
	}
	return m.ask(0, order{Command: "reload", Graceful: e == Graceful, Program: own}, func(reply) error { return nil })
}

// Status asks the running program how it is.
func (m *Master) Status() (*Status, error) {
	var st *Status
	err := m.ask(answerTime, order{Command: "status"}, func(r reply) error {
		st = r.Status
		return nil
	})
	return st, err
}

// Connections gives the connections of the running program to f, some at a time, until f fails.
func (m *Master) Connections(f func([]ConnStatus) error) error {
	return m.ask(0, order{Command: "connections"}, func(r reply) error { return f(r.Conns) })
}
