//go:build unix

package program

import (
	"log/slog"
	"strings"

	"github.com/lineman-go/lineman/internal/master"
)

// reload replaces the processes by new ones of the program. other is another file of it, for programs that have none of
// their own.
func (r *running) reload(how master.Manner, other string) (master.Report, error) {
	report, err := r.tryReload(how, other)
	if err != nil {
		slog.Error("lineman: no reload: " + strings.TrimPrefix(err.Error(), "lineman: "))
		return report, err
	}
	r.mu.Lock()
	r.reloads++
	r.mu.Unlock()
	slog.Info("lineman: reloaded", "kept", report.Kept())
	return report, nil
}

func (r *running) tryReload(how master.Manner, other string) (master.Report, error) {
	path := r.file(other)
	image, err := master.OpenImage(path)
	if err != nil {
		return master.Report{}, err
	}
	return r.supervisor.Reload(image, how, func() (after func(), err error) {
		slog.Info("lineman: reload", "program", path)
		_ = r.notifier.Reloading() // likewise
		return func() { _ = r.notifier.Ready("") }, r.hook("OnReload", r.OnReload)
	})
}

// check tells what a reload would do.
func (r *running) check(how master.Manner, other string) (master.Report, error) {
	image, err := master.OpenImage(r.file(other))
	if err != nil {
		return master.Report{}, err
	}
	return r.supervisor.Check(image, how)
}

// file is the program's; other is another one that go run has built.
func (r *running) file(other string) string {
	if master.ByGoRun(r.path) && master.ByGoRun(other) {
		return other
	}
	return r.path
}
