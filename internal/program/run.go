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
	"sync/atomic"
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

	environ []string // that it was started with

	log        *Log
	pidFile    *PIDFile // nil without files
	control    *Control // likewise
	host       *master.Host
	supervisor *master.Supervisor
	notifier   *Notifier
	signals    chan os.Signal
	heedless   chan chan struct{} // to heed: it waits until what it gets is closed
	ending     atomic.Bool        // a signal has ended the program
	stopping   sync.Once
	stopped    chan struct{} // closed when every process has ended
	hooks      sync.Mutex    // held while a hook runs
	reloading  sync.Mutex    // held by the one reload that may be under way

	mu      sync.Mutex // guards the following
	reloads int
}

// run is a master's life.
func (r *running) run() error {
	if r.daemon {
		master.Rename(Name())
	}
	r.hangsUp = r.endsAtHangup()
	r.attend()
	defer signal.Stop(r.signals)
	r.log.SetDefault(r.LogHandler, "process", "master")
	var err error
	if r.workers, err = r.Workers(); err != nil {
		return err
	}
	if r.files {
		if err := r.claim(); err != nil {
			return err
		}
		defer r.release()
	}
	if err := r.prepare(); err != nil {
		return err
	}
	if r.files {
		if r.control, err = ListenControl(SocketPath(r.Socket), r.answer); err != nil {
			return err
		}
		defer r.control.Close()
	}
	return r.finish(r.serve())
}

// attend begins to take signals, and to know who is to be told of what.
func (r *running) attend() {
	r.signals, r.heedless = make(chan os.Signal, 16), make(chan chan struct{})
	signal.Notify(r.signals, handled...)
	SurvivePipes()
	r.stopped = make(chan struct{})
	r.notifier = NewNotifier(os.Getenv)
}

// finish runs OnStop, last of all.
func (r *running) finish(err error) error {
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
func (r *running) claim() (err error) {
	if pid, err := r.pid(); err != nil {
		return err
	} else if pid != 0 {
		return errRunning(pid)
	}
	var running *RunningError
	switch r.pidFile, err = Claim(r.PIDFile); {
	case errors.As(err, &running):
		return errRunning(running.PID)
	case err != nil:
		return err
	}
	r.killed = r.pidFile.Stale
	if err := r.reopen(); err != nil {
		_ = r.pidFile.Release() // the failure that counts is the log's
		return err
	}
	return nil
}

// release lets the pid file go.
func (r *running) release() {
	if err := r.pidFile.Release(); err != nil {
		slog.Warn("lineman: pid file", "error", err)
	}
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
	r.environ = os.Environ()
	if r.host, err = master.NewHost(os.Args, workerVariable, activated); err != nil {
		return err
	}
	if r.killed {
		r.host.Await(time.Duration(grace.OrphanGone))
	}
	for _, w := range r.workers {
		if err := r.host.CheckUser(w.User); err != nil {
			return fmt.Errorf("lineman: worker %q: %w", w.Name, master.Bare(err))
		}
	}
	r.supervisor = master.New(r.config(image))
	return r.hook("OnStart", r.OnStart)
}

// config is that of the supervisor.
func (r *running) config(image *master.Image) master.Config {
	return master.Config{
		Workers: r.workers, Limits: r.Limits, Image: image, System: r.host, Exited: r.exited,
		Log: slog.Default(), LogFile: r.log.descriptor, Daemon: r.daemon,
	}
}

// stop ends the program, with more urgency at each call that asks for more. It returns when every process has ended.
func (r *running) stop(u master.Urgency) {
	_ = r.notifier.Stopping() // a service manager that cannot be told has gone
	r.supervisor.Stop(u)
	r.stopping.Do(func() { close(r.stopped) })
}
