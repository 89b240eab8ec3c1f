//go:build unix

package program

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/internal/master"
)

// handled are the signals that a master heeds.
var handled = []os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGCHLD,
}

// endsAtHangup reports whether SIGHUP, which has not been asked for yet, ends the program: it runs in the foreground,
// on a terminal or without a log that could be reopened. Who has the signal ignored, as nohup does, has it go on.
func (r *running) endsAtHangup() bool {
	return !r.daemon && !signal.Ignored(syscall.SIGHUP) && (!r.files || HasTerminal())
}

// SurvivePipes has writing to a pipe fail when its reader has gone. If it is the standard output or error, such as the
// pipe to a pager, the process would end otherwise.
func SurvivePipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// heed does what signals ask, until the program has ended.
func (r *running) heed() {
	stops := 0
	again := time.NewTicker(reapEvery)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			r.reap()
		case <-r.stopped:
			return
		case waits := <-r.heedless:
			<-waits
		case sig := <-r.signals:
			switch sig {
			case syscall.SIGINT, syscall.SIGTERM:
				u := master.Prompt
				if stops++; stops > 1 {
					u = master.AtOnce
				}
				slog.Info("lineman: stop", "signal", sig)
				r.stopSoon(u)
			case syscall.SIGQUIT:
				slog.Info("lineman: graceful stop", "signal", sig)
				r.stopSoon(master.Patient)
			case syscall.SIGUSR1:
				r.reloadUnasked(master.Manner{})
			case syscall.SIGUSR2:
				r.reloadUnasked(master.Manner{Patient: true})
			case syscall.SIGHUP:
				r.hangup()
			case syscall.SIGCHLD:
				r.reap()
			}
		}
	}
}

// stopSoon ends the program, because of a signal.
func (r *running) stopSoon(u master.Urgency) {
	r.ending.Store(true)
	go r.stop(u)
}

// hangup ends the program with its terminal, and otherwise reopens the log. A shell passes the signal on that the
// terminal sends, so it may come twice.
func (r *running) hangup() {
	if r.hangsUp {
		slog.Info("lineman: stop, as the terminal has hung up")
		r.stopSoon(master.Prompt)
		return
	}
	if !r.files {
		return
	}
	if err := r.reopen(); err != nil {
		slog.Error(err.Error())
	}
	slog.Info("lineman: the log was reopened")
}

// reap waits for orphans of the container whose first process this is.
func (r *running) reap() {
	if os.Getpid() == 1 {
		r.supervisor.Reap()
	}
}

// reapEvery is how often orphans are looked for that were left at first.
const reapEvery = 10 * time.Second
