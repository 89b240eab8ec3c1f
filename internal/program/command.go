//go:build unix

package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/lineman-go/lineman/internal/master"
)

// order is what a command asks of a running program.
type order struct {
	Command  string `json:"command"`
	Graceful bool   `json:"graceful,omitempty"`
	Drain    bool   `json:"drain,omitempty"`   // no connection is handed over
	Program  string `json:"program,omitempty"` // the file of the program that asks
}

// newOrder asks for an ending of the processes that run: Patient, or Prompt.
func newOrder(command string, ending master.Urgency) order {
	return order{Command: command, Graceful: ending == master.Patient}
}

// ending is what newOrder was given.
func (o order) ending() master.Urgency {
	if o.Graceful {
		return master.Patient
	}
	return master.Prompt
}

// manner is how a reload is to go.
func (o order) manner() master.Manner { return master.Manner{Patient: o.Graceful, Drain: o.Drain} }

// reply is a line of the answer. The last one has a PID.
type reply struct {
	PID    int             `json:"pid"`
	Daemon bool            `json:"daemon,omitempty"` // it runs in the background
	Error  string          `json:"error,omitempty"`
	Code   int             `json:"code,omitempty"`
	Status json.RawMessage `json:"status,omitempty"`
	Conns  json.RawMessage `json:"connections,omitempty"`
	Report *master.Report  `json:"report,omitempty"` // also of a reload that has failed half way
}

// tell answers with a report.
func (r *reply) tell(report master.Report, err error) error {
	r.Report = &report
	return err
}

// replyTime bounds what a running program answers at once.
const replyTime = 5 * time.Second

// ask asks the running program, and gives each line of its answer to f. It waits as long as that takes if within is 0.
func (i Instance) ask(within time.Duration, o order, f func(reply) error) error {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if within > 0 {
		ctx, cancel = context.WithTimeout(ctx, within)
	}
	defer cancel()
	answers, err := Ask(ctx, SocketPath(i.Socket), o)
	if errors.Is(err, ErrNoMaster) {
		return i.unreachable()
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
		err := f(r)
		if r.Error != "" {
			return remoteError{r.Error, r.Code}
		}
		if err != nil || r.PID != 0 {
			return err
		}
	}
}

// unreachable says why nobody answers.
func (i Instance) unreachable() error {
	pid, err := Holder(i.PIDFile)
	if err != nil {
		return err
	}
	if pid != 0 {
		return fmt.Errorf("lineman: it runs as pid %d, but does not listen on %s: end it with kill, or kill -9, %d",
			pid, i.Socket, pid)
	}
	return fmt.Errorf("%w (nobody holds %s): start it first", ErrNotRunning, i.PIDFile)
}

// pid is the process that runs the instance; 0 if none does. Its pid file tells or, if somebody has removed that, the
// socket.
func (i Instance) pid() (pid int, err error) {
	if pid, err = Holder(i.PIDFile); pid != 0 || err != nil {
		return pid, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), replyTime)
	defer cancel()
	answers, err := Ask(ctx, SocketPath(i.Socket), order{Command: "status"})
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
func (i Instance) CheckFiles() error {
	return errors.Join(checkPlace("pid file", i.PIDFile, 0), checkPlace("log", i.LogFile, 0),
		checkPlace("control socket", SocketPath(i.Socket), fs.ModeSocket))
}

// Stop ends the running program, and returns when all of it has gone and whether it was a daemon.
func (i Instance) Stop(ending master.Urgency) (daemon bool, err error) {
	pid := 0
	err = i.ask(0, newOrder("stop", ending), func(r reply) error {
		pid, daemon = r.PID, r.Daemon
		return nil
	})
	if err != nil {
		return false, err
	}
	return daemon, i.awaitEnd(pid)
}

// awaitEnd waits until the files of a program that ends are free, and for the process.
func (i Instance) awaitEnd(pid int) error {
	for until := time.Now().Add(replyTime); ; time.Sleep(2 * time.Millisecond) {
		holder, err := Holder(i.PIDFile)
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

// Reload has every process of the running program succeeded by one of the program as it is now on disk, and returns
// when that is done or has failed. The report is of what was done, also with an error; nil if that is not known.
func (i Instance) Reload(how master.Manner) (*master.Report, error) { return i.reload("reload", how) }

// Check tells what Reload would do, or why it would fail, and changes nothing.
func (i Instance) Check(how master.Manner) (*master.Report, error) { return i.reload("check", how) }

func (i Instance) reload(command string, how master.Manner) (report *master.Report, err error) {
	o := order{Command: command, Graceful: how.Patient, Drain: how.Drain}
	if own, err := os.Executable(); err == nil {
		o.Program = own // it matters to programs of go run alone
	}
	err = i.ask(0, o, func(r reply) error {
		report = r.Report
		return nil
	})
	return report, err
}

// Status asks the running program how it is, and decodes what Program.TellStatus says.
func (i Instance) Status(into any) error {
	return i.ask(replyTime, order{Command: "status"}, func(r reply) error { return json.Unmarshal(r.Status, into) })
}

// Connections gives what Program.TellConns says of the running program to f, some at a time, until f fails.
func (i Instance) Connections(f func(page json.RawMessage) error) error {
	return i.ask(0, order{Command: "connections"}, func(r reply) error {
		if len(r.Conns) == 0 {
			return nil
		}
		return f(r.Conns)
	})
}
