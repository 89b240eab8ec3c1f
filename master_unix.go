//go:build unix

package lineman

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
	"github.com/lineman-go/lineman/internal/grace"
	"github.com/lineman-go/lineman/internal/master"
	"github.com/lineman-go/lineman/internal/program"
)

// Run runs the program in the foreground until SIGINT, SIGTERM, SIGHUP unless that was ignored before, or the end of
// its terminal. It writes no files and takes no commands, so two may run.
func (m *Master) Run() error { return m.program().Run() }

// Start runs the program in the foreground until stop, SIGINT, SIGTERM or the end of its terminal or, as a Daemon,
// starts it in the background and returns nil once every process is ready. It matches ErrRunning if it runs already.
func (m *Master) Start(mode Mode) error {
	if mode == Daemon {
		return m.program().StartDaemon()
	}
	return m.program().Start()
}

// Stop ends the running program and returns when all of it has gone. The limits are those of the running program, which
// may have been started with others than m has. It matches ErrNotRunning if nothing runs.
func (m *Master) Stop(e Ending) error {
	_, err := m.stop(e)
	return err
}

// stop is Stop, and tells how the program ran.
func (m *Master) stop(e Ending) (Mode, error) {
	daemon, err := m.instance().Stop(e.urgency())
	if daemon {
		return Daemon, err
	}
	return Foreground, err
}

// Restart ends the running program, if there is one, and starts it as Start does. If the start fails, nothing runs any
// more, and the error says so. With Err nothing is ended.
func (m *Master) Restart(mode Mode, e Ending) error {
	if program.Started() {
		return m.Start(Foreground) // this is a process of the program that was started
	}
	if m.Err != nil {
		return m.Err // and what runs goes on
	}
	ran, err := m.stop(e)
	if err != nil && !errors.Is(err, ErrNotRunning) {
		return err
	}
	if mode == AsBefore {
		mode = ran
	}
	started := m.Start(mode)
	if started != nil && err == nil {
		return fmt.Errorf("%w; what ran before has been stopped", started)
	}
	return started
}

// Reload replaces every process of the running program by one of the program as it is now on disk, and returns when
// that is done or has failed. The ending is for connections that are not handed over. It matches ErrNotRunning if
// nothing runs.
func (m *Master) Reload(e Ending) error {
	_, err := m.ReloadWith(ReloadOptions{Ending: e})
	return err
}

// ReloadWith is Reload, and tells what was done. If it fails half way, the report is of the processes that were
// replaced before. It is nil if nothing is known, as of a program that was started by an older Lineman.
func (m *Master) ReloadWith(o ReloadOptions) (*ReloadReport, error) {
	how := master.Manner{Patient: o.Ending == Graceful, Drain: o.Drain}
	ask := program.Instance.Reload
	if o.DryRun {
		ask = program.Instance.Check
	}
	did, err := ask(m.instance(), how)
	if did == nil {
		return nil, err
	}
	return reloadReport(did, o.DryRun), err
}

// Status asks the running program how it is. It matches ErrNotRunning if nothing runs.
func (m *Master) Status() (*Status, error) {
	var s Status
	if err := m.instance().Status(&s); err != nil {
		return nil, err
	}
	return &s, nil
}

// Connections gives the connections of the running program to f, some at a time, until f fails: then it returns the
// error of f. It matches ErrNotRunning if nothing runs.
func (m *Master) Connections(f func([]ConnStatus) error) error {
	return m.instance().Connections(func(page json.RawMessage) error {
		var conns []ConnStatus
		if err := json.Unmarshal(page, &conns); err != nil {
			return fmt.Errorf("lineman: the connections of the running program: %w", err)
		}
		return f(conns)
	})
}

// CheckFiles tells whether the files of the instance could be written where they are to be, and changes nothing.
func (m *Master) CheckFiles() error { return m.instance().CheckFiles() }

func (e Ending) urgency() master.Urgency {
	if e == Graceful {
		return master.Patient
	}
	return master.Prompt
}

// program is what stands around the master, for these settings.
func (m *Master) program() *program.Program {
	p := &program.Program{
		Instance: m.instance(), Err: m.Err, Workers: m.supervised, Work: m.work, Limits: m.limits(),
		Explain:    func(worker int, failed error) error { return listenError(m.Workers[worker], failed) },
		LogHandler: m.LogHandler, OnStart: m.OnStart, OnReload: m.OnReload, OnStop: m.OnStop,
		TellStatus: func(s program.State) any { return m.statusOf(s) },
		TellConns: func(worker string, id, pid int, page json.RawMessage) (any, error) {
			return connsOf(worker, id, pid, page)
		},
	}
	if m.OnExit != nil {
		p.OnExit = func(e master.Exit) {
			m.OnExit(Exit{Worker: e.Worker, ID: e.ID, PID: e.PID, Code: e.Status.Code, Signal: e.Status.Signal})
		}
	}
	return p
}

// limits are the times that the fields say or, where they say nothing, that the workers need.
func (m *Master) limits() master.Limits {
	drain := time.Duration(0)
	for _, w := range m.Workers {
		drain = max(drain, w.Limits.Drain)
	}
	return master.Limits{
		Start: cmp.Or(m.StartTimeout, time.Minute), Stop: cmp.Or(m.StopTimeout, grace.ForStop(drain)),
		Reload: cmp.Or(m.ReloadTimeout, grace.ForReload(drain)), Graceful: cmp.Or(m.GracefulTimeout, 10*time.Minute),
		Relay: cmp.Or(m.RelayTimeout, 24*time.Hour), Relays: cmp.Or(m.RelayProcesses, 4),
		Hang: cmp.Or(m.HangTimeout, time.Minute),
	}
}

// supervised are the workers as a supervisor knows them, once they were checked.
func (m *Master) supervised() (all []master.Worker, err error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	for i, w := range m.describe() {
		a, err := parseAddress(w.Addr)
		if err != nil {
			return nil, err
		}
		all = append(all, master.Worker{Worker: w, Address: channelAddress(m.Workers[i], a)})
	}
	return all, nil
}

// describe is what the master and its processes compare.
func (m *Master) describe() (all []channel.Worker) {
	for _, w := range m.Workers {
		all = append(all, channel.Worker{
			Name: w.name(), Addr: w.Addr, Count: w.count(), ReusePort: w.ReusePort, User: w.User, NoReload: w.NoReload,
		})
	}
	return all
}

// statusOf is the status of a program: what its processes say of themselves, and what only the master knows.
func (m *Master) statusOf(s program.State) *Status {
	st := &Status{
		Name: m.name(), Version: linemanVersion(), PID: os.Getpid(), Started: s.Began, Load: master.LoadAverage(),
		Reloads: s.Reloads, Workers: len(m.Workers),
	}
	for _, p := range s.Processes {
		var q ProcessStatus
		_ = json.Unmarshal(p.Status, &q) // one that does not serve yet has said nothing
		q.Worker, q.ID, q.PID, q.State, q.Started = p.Worker, p.ID, p.PID, string(p.State), p.Born
		q.Busy, q.Callback, q.Memory = p.Busy.Seconds(), p.Callback, master.Resident(p.PID)
		q.Rate, q.RateOut = p.Rates.Messages, p.Rates.MessagesOut
		q.ReadRate, q.WriteRate = p.Rates.BytesIn, p.Rates.BytesOut
		st.Processes = append(st.Processes, q)
	}
	for _, e := range s.Exits {
		st.Exits = append(st.Exits, ExitStatus{
			Worker: e.Worker, Code: e.Status.Code, Signal: e.Status.Signal, Count: e.Count,
		})
	}
	return st
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

// reloadReport is a report as programs are told it.
func reloadReport(did *master.Report, isDryRun bool) *ReloadReport {
	r := &ReloadReport{DryRun: isDryRun, Kept: did.Kept(), Drained: did.Drained(), Rest: did.Rest}
	r.Reasons = make(map[string]int)
	var waited pauses
	var before, now []string
	for _, s := range did.Slots {
		r.Processes = append(r.Processes, ReloadedProcess{
			Worker: s.Worker, ID: s.ID, Drains: string(s.Drains), Kept: s.Kept, Drained: s.Drained(), Died: s.Died,
		})
		for why, n := range s.Stayed {
			r.Reasons[why] += n
		}
		for _, p := range s.Pauses {
			waited = append(waited, pause{p.Conns, p.Time})
		}
		before, now = append(before, s.Old), append(now, s.New)
	}
	r.PauseP50, r.PauseP99, r.PauseMax = waited.quantile(50), waited.quantile(99), waited.quantile(100)
	r.OldVersion, r.NewVersion = versions(before), versions(now)
	return r
}

// versions are the different ones.
func versions(of []string) string {
	slices.Sort(of)
	return strings.Join(slices.DeleteFunc(slices.Compact(of), func(v string) bool { return v == "" }), ", ")
}
