//go:build unix

package lineman

import (
	"fmt"
	"log/slog"

	"github.com/lineman-go/lineman/internal/master"
)

// exited hands the end of a process to the application.
func (s *supervision) exited(e master.Exit) {
	if s.OnExit == nil {
		return
	}
	err := s.hook("OnExit", func() error {
		s.OnExit(Exit{Worker: e.Worker, ID: e.ID, PID: e.PID, Code: e.Status.Code, Signal: e.Status.Signal})
		return nil
	})
	if err != nil {
		slog.Error(err.Error())
	}
}

// hook runs a hook of the application; a panic in it is its error.
func (s *supervision) hook(name string, f func() error) (err error) {
	if f == nil {
		return nil
	}
	s.hooks.Lock()
	defer s.hooks.Unlock()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("lineman: panic in %s of the master: %v", name, v)
		}
	}()
	if err := f(); err != nil {
		return fmt.Errorf("lineman: %s of the master: %w", name, master.Bare(err))
	}
	return nil
}
