//go:build unix

package lineman

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
func (s *supervision) endsAtHangup() bool {
	return !s.daemon && !signal.Ignored(syscall.SIGHUP) && (!s.files || master.HasTerminal())
}

// survivePipes has writing to a pipe fail when its reader has gone. If it is the standard output or error, such as the
// pipe to a pager, the process would end otherwise.
func survivePipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// heed does what signals ask, until the program has ended.
func (s *supervision) heed() {
	stops := 0
	again := time.NewTicker(reapEvery)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			s.reap()
		case <-s.stopped:
			return
		case sig := <-s.signals:
			switch sig {
			case syscall.SIGINT, syscall.SIGTERM:
				u := master.Prompt
				if stops++; stops > 1 {
					u = master.AtOnce
				}
				slog.Info("lineman: stop", "signal", sig)
				go s.stop(u)
			case syscall.SIGQUIT:
				slog.Info("lineman: graceful stop", "signal", sig)
				go s.stop(master.Patient)
			case syscall.SIGUSR1, syscall.SIGUSR2:
				go func() { _ = s.reload(sig == syscall.SIGUSR2, "") }() // the log has its error
			case syscall.SIGHUP:
				s.hangup()
			case syscall.SIGCHLD:
				s.reap()
			}
		}
	}
}

// hangup ends the program with its terminal, and otherwise reopens the log. A shell passes the signal on that the
// terminal sends, so it may come twice.
func (s *supervision) hangup() {
	if s.hangsUp {
		slog.Info("lineman: stop, as the terminal has hung up")
		go s.stop(master.Prompt)
		return
	}
	if !s.files {
		return
	}
	if err := s.reopen(); err != nil {
		slog.Error(err.Error())
	}
	slog.Info("lineman: the log was reopened")
}

// reap waits for orphans of the container whose first process this is.
func (s *supervision) reap() {
	if os.Getpid() == 1 {
		s.supervisor.Reap()
	}
}

// reapEvery is how often orphans are looked for that were left at first.
const reapEvery = 10 * time.Second
