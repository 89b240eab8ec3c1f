//go:build unix

package lineman

import (
	"log/slog"
	"strings"

	"github.com/lineman-go/lineman/internal/master"
)

// reload replaces the processes by new ones of the program. other is another file of it, for programs that have none of
// their own.
func (s *supervision) reload(graceful bool, other string) error {
	err := s.tryReload(graceful, other)
	if err != nil {
		slog.Error("lineman: no reload: " + strings.TrimPrefix(err.Error(), "lineman: "))
		return err
	}
	s.mu.Lock()
	s.reloads++
	s.mu.Unlock()
	slog.Info("lineman: reloaded")
	return nil
}

func (s *supervision) tryReload(graceful bool, other string) error {
	path := s.program
	if master.ByGoRun(path) && master.ByGoRun(other) {
		path = other
	}
	image, err := master.OpenImage(path)
	if err != nil {
		return err
	}
	return s.supervisor.Reload(image, graceful, func() (after func(), err error) {
		slog.Info("lineman: reload", "program", path)
		_ = s.notifier.Reloading() // likewise
		return func() { _ = s.notifier.Ready("") }, s.hook("OnReload", s.OnReload)
	})
}
