//go:build unix

package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/lineman-go/lineman/internal/grace"
	"github.com/lineman-go/lineman/internal/master"
)

// running is a program that runs: the master of its processes.
//
//	claim ──▶ prepare ──▶ start the processes ──▶ ready ──▶ stopped: every process has ended
type running struct {
	*Program
	daemon  bool     // it runs in the background
	report  *os.File // to the command that has started it; nil unless a daemon is being started
	files   bool     // it has a pid file, a log and a control socket
	began   time.Time
	workers []master.Worker // Immutable once they were checked.
	killed  bool            // the master before this one was: its processes may be about to end
	hangsUp bool            // SIGHUP is the end of its terminal, and so its own
	path    string          // where a reload finds the program

	log        *Log
	supervisor *master.Supervisor
	notifier   *Notifier
	signals    chan os.Signal
	stopping   sync.Once
	stopped    chan struct{} // closed when every process has ended
	hooks      sync.Mutex    // held while a hook runs

	mu      sync.Mutex // guards the following
	reloads int
}

// run is a master's life.
func (r *running) run() error {
	if r.daemon {
		master.Rename(Name())
	}
	r.hangsUp = r.endsAtHangup()
	r.signals = make(chan os.Signal, 16)
	signal.Notify(r.signals, handled...)
	defer signal.Stop(r.signals)
	SurvivePipes()
	r.stopped = make(chan struct{})
	r.notifier = NewNotifier(os.Getenv)
	r.log.SetDefault(r.LogHandler, "process", "master")
	var err error
	if r.workers, err = r.Workers(); err != nil {
		return err
	}
	if r.files {
		release, err := r.claim()
		if err != nil {
			return err
		}
		defer release()
	}
	if err := r.prepare(); err != nil {
		return err
	}
	if r.files {
		control, err := ListenControl(SocketPath(r.Socket), r.answer)
		if err != nil {
			return err
		}
		defer control.Close()
	}
	err = r.serve()
	return errors.Join(err, r.hook("OnStop", func() error {
		if r.OnStop != nil {
			r.OnStop()
		}
		return nil
	}))
}

// serve starts the processes, and returns when all have ended.
func (r *running) serve() error {
	go r.heed()
	err := r.supervisor.Start(context.Background())
	var unheard *master.ListenError
	switch {
	case errors.As(err, &unheard):
		return r.Explain(unheard.Worker, unheard.Err)
	case err != nil:
		return err
	}
	r.ready()
	<-r.stopped
	return nil
}

// claim takes the pid file and opens the log.
func (r *running) claim() (release func(), err error) {
	if pid, err := r.pid(); err != nil {
		return nil, err
	} else if pid != 0 {
		return nil, errRunning(pid)
	}
	pid, err := Claim(r.PIDFile)
	var running *RunningError
	switch {
	case errors.As(err, &running):
		return nil, errRunning(running.PID)
	case err != nil:
		return nil, err
	}
	r.killed = pid.Stale
	if err := r.reopen(); err != nil {
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
func (r *running) reopen() error {
	f, err := OpenLog(r.LogFile)
	if err != nil {
		return err
	}
	if err := r.log.Use(f); err != nil {
		return err
	}
	if r.supervisor != nil {
		if err := r.supervisor.Reopen(int(f.Fd())); err != nil {
			slog.Warn(err.Error())
		}
	}
	return nil
}

// prepare makes the supervisor.
func (r *running) prepare() (err error) {
	if r.path, err = master.ProgramPath(os.Args[0]); err != nil {
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
	if r.killed {
		host.Await(time.Duration(grace.OrphanGone))
	}
	for _, w := range r.workers {
		if err := host.CheckUser(w.User); err != nil {
			return fmt.Errorf("lineman: worker %q: %w", w.Name, master.Bare(err))
		}
	}
	r.supervisor = master.New(master.Config{
		Workers: r.workers, Limits: r.Limits, Image: image, System: host, Exited: r.exited,
		Log: slog.Default(), LogFile: r.log.descriptor, Daemon: r.daemon,
	})
	return r.hook("OnStart", r.OnStart)
}

// stop ends the program, with more urgency at each call that asks for more. It returns when every process has ended.
func (r *running) stop(u master.Urgency) {
	_ = r.notifier.Stopping() // a service manager that cannot be told has gone
	r.supervisor.Stop(u)
	r.stopping.Do(func() { close(r.stopped) })
}
