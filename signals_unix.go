//go:build unix

package lineman

import (
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/internal/master"
)

// handled are the signals that a master heeds.
var handled = []os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGCHLD,
}

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
				s.reopenBySignal()
			case syscall.SIGCHLD:
				s.reap()
			}
		}
	}
}

func (s *supervision) reopenBySignal() {
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
