//go:build unix

package program

import (
	"log/slog"
	"strings"

	"github.com/lineman-go/lineman/internal/master"
)

// reload replaces the processes by new ones of the program; the ending is that of their predecessors. other is another
// file of it, for programs that have none of their own.
func (r *running) reload(ending master.Urgency, other string) error {
	err := r.tryReload(ending, other)
	if err != nil {
		slog.Error("lineman: no reload: " + strings.TrimPrefix(err.Error(), "lineman: "))
		return err
	}
	r.mu.Lock()
	r.reloads++
	r.mu.Unlock()
	slog.Info("lineman: reloaded")
	return nil
}

func (r *running) tryReload(ending master.Urgency, other string) error {
	path := r.path
	if master.ByGoRun(path) && master.ByGoRun(other) {
		path = other
	}
	image, err := master.OpenImage(path)
	if err != nil {
		return err
	}
	return r.supervisor.Reload(image, ending == master.Patient, func() (after func(), err error) {
		slog.Info("lineman: reload", "program", path)
		_ = r.notifier.Reloading() // likewise
		return func() { _ = r.notifier.Ready("") }, r.hook("OnReload", r.OnReload)
	})
}
