//go:build unix

package lineman

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
	"github.com/lineman-go/lineman/internal/grace"
	"github.com/lineman-go/lineman/internal/master"
)

// Run runs the program in the foreground until SIGINT, SIGTERM, SIGHUP unless that was ignored before, or the end of
// its terminal. It writes no files and takes no commands, so two may run.
func (m *Master) Run() error { return m.start(false, nil) }

// Start runs the program in the foreground until stop, SIGINT, SIGTERM or the end of its terminal or, as a Daemon,
// starts it in the background and returns nil once every process is ready. It matches ErrRunning if it runs already.
func (m *Master) Start(mode Mode) error {
	switch report := m.inherited(daemonVariable); {
	case report != nil:
		return m.start(true, report)
	case mode == Daemon && os.Getenv(workerVariable) == "":
		return m.daemonize()
	}
	return m.start(true, nil)
}

// start is the life of a master or, in a process that a master has started, of that process. report is where a daemon
// tells how its start went; nil in the foreground.
func (m *Master) start(files bool, report *os.File) error {
	if control := m.inherited(workerVariable); control != nil {
		os.Exit(m.work(control))
	}
	if m.Err != nil && report == nil {
		return m.Err
	}
	s := &supervision{Master: m, report: report, daemon: report != nil, files: files, began: time.Now()}
	s.log = &logOutput{daemon: s.daemon}
	err := s.run()
	if err != nil && report != nil {
		s.tell(err)
	}
	return err
}

// supervision is a running master.
type supervision struct {
	*Master
	report     *os.File // nil unless a daemon is being started
	daemon     bool     // it runs in the background
	log        *logOutput
	files      bool
	hangsUp    bool // SIGHUP is the end of its terminal, and so its own
	began      time.Time
	killed     bool // the master before this one was: its processes may be about to end
	supervisor *master.Supervisor
	notifier   *master.Notifier
	program    string // where a reload finds it
	signals    chan os.Signal
	stopped    chan struct{} // closed when every process has ended
	stopping   sync.Once
	hooks      sync.Mutex // held while a hook runs

	mu      sync.Mutex // guards the following
	reloads int
}

// run is a master's life.
func (s *supervision) run() error {
	if s.daemon {
		master.Rename(programName())
	}
	s.hangsUp = s.endsAtHangup()
	s.signals = make(chan os.Signal, 16)
	signal.Notify(s.signals, handled...)
	defer signal.Stop(s.signals)
	survivePipes()
	s.stopped = make(chan struct{})
	s.notifier = master.NewNotifier(os.Getenv)
	s.install(s.log, "process", "master")
	if err := s.check(); err != nil {
		return err
	}
	if s.files {
		release, err := s.claim()
		if err != nil {
			return err
		}
		defer release()
	}
	if err := s.prepare(); err != nil {
		return err
	}
	if s.files {
		control, err := master.ListenControl(master.SocketPath(s.socket()), s.answer)
		if err != nil {
			return err
		}
		defer control.Close()
	}
	err := s.serve()
	return errors.Join(err, s.hook("OnStop", func() error {
		if s.OnStop != nil {
			s.OnStop()
		}
		return nil
	}))
}

// serve starts the processes, and returns when all have ended.
func (s *supervision) serve() error {
	go s.heed()
	err := s.supervisor.Start(context.Background())
	var unheard *master.ListenError
	switch {
	case errors.As(err, &unheard):
		return listenError(s.Workers[unheard.Worker], unheard.Err)
	case err != nil:
		return err
	}
	s.ready()
	<-s.stopped
	return nil
}

// claim takes the pid file and opens the log.
func (s *supervision) claim() (release func(), err error) {
	if pid, err := s.running(); err != nil {
		return nil, err
	} else if pid != 0 {
		return nil, errRunning(pid)
	}
	pid, err := master.Claim(s.pidFile())
	var running *master.RunningError
	switch {
	case errors.As(err, &running):
		return nil, errRunning(running.PID)
	case err != nil:
		return nil, err
	}
	s.killed = pid.Stale
	if err := s.reopen(); err != nil {
		_ = pid.Release() // the failure that counts is the log's
		return nil, err
	}
	return func() {
		if err := pid.Release(); err != nil {
			slog.Warn("lineman: pid file", "error", err)
		}
	}, nil
}

// reopen opens the log anew, here and in every process.
func (s *supervision) reopen() error {
	f, err := master.OpenLog(s.logFile())
	if err != nil {
		return err
	}
	if err := s.log.use(f); err != nil {
		return err
	}
	if s.supervisor != nil {
		if err := s.supervisor.Reopen(int(f.Fd())); err != nil {
			slog.Warn(err.Error())
		}
	}
	return nil
}

// prepare makes the supervisor.
func (s *supervision) prepare() (err error) {
	if s.program, err = master.ProgramPath(os.Args[0]); err != nil {
		return err
	}
	image, err := master.RunningImage()
	if err != nil {
		return err
	}
	activated, err := master.Activated(os.Getenv, os.Unsetenv)
	if err != nil {
		return err
	}
	master.CloseOnExecFrom(3) // what the caller left open is none of the workers' business
	host, err := master.NewHost(os.Args, workerVariable, activated)
	if err != nil {
		return err
	}
	if s.killed {
		host.Await(time.Duration(grace.OrphanGone))
	}
	c := master.Config{
		Image: image, System: host, Log: slog.Default(), Exited: s.exited, LogFile: s.log.descriptor, Daemon: s.daemon,
		Start: cmp.Or(s.StartTimeout, time.Minute), Stop: cmp.Or(s.StopTimeout, grace.ForStop(s.longestDrain())), Reload: cmp.Or(s.ReloadTimeout, grace.ForReload(s.longestDrain())),
		Graceful: cmp.Or(s.GracefulTimeout, 10*time.Minute), Hang: cmp.Or(s.HangTimeout, time.Minute),
	}
	for i, w := range s.describe() {
		a, err := parseAddress(w.Addr)
		if err != nil {
			return err
		}
		if err := host.CheckUser(w.User); err != nil {
			return fmt.Errorf("lineman: worker %q: %w", w.Name, master.Bare(err))
		}
		c.Workers = append(c.Workers, master.Worker{Worker: w, Address: channelAddress(s.Workers[i], a)})
	}
	s.supervisor = master.New(c)
	return s.hook("OnStart", s.OnStart)
}

// longestDrain is that of all workers.
func (m *Master) longestDrain() (longest time.Duration) {
	for _, w := range m.Workers {
		longest = max(longest, w.Limits.Drain)
	}
	return longest
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

// stop ends the program, with more urgency at each call that asks for more. It returns when every process has ended.
func (s *supervision) stop(u master.Urgency) {
	_ = s.notifier.Stopping() // a service manager that cannot be told has gone
	s.supervisor.Stop(u)
	s.stopping.Do(func() { close(s.stopped) })
}
