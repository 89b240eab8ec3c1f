//go:build unix

package program

import (
	"context"
	"log/slog"

	"github.com/lineman-go/lineman/internal/master"
)

// reload replaces the processes by new ones of the program and then, if that is another one, the program of this
// process: ctx is that of who waits for the answer. other is another file of it, for programs that have none of their
// own.
func (r *running) reload(ctx context.Context, how master.Manner, other string, answer *reply) error {
	if !r.reloading.TryLock() {
		answer.Report = &master.Report{}
		return noReload(master.ErrReloading)
	}
	defer r.reloading.Unlock()
	return r.reloadAlone(ctx, how, other, answer)
}

// reloadUnasked is a reload that nobody waits for: the log has what it did. It is under way, or refused, when
// reloadUnasked returns.
func (r *running) reloadUnasked(how master.Manner) {
	if !r.reloading.TryLock() {
		_ = noReload(master.ErrReloading) // the log has it
		return
	}
	go func() {
		defer r.reloading.Unlock()
		_ = r.reloadAlone(context.Background(), how, "", &reply{}) // likewise
	}()
}

// noReload logs why there is none.
func noReload(err error) error {
	slog.Error("lineman: no reload: " + master.Bare(err).Error())
	return err
}

// reloadAlone is reload, while there is no other.
func (r *running) reloadAlone(ctx context.Context, how master.Manner, other string, answer *reply) error {
	next, report, err := r.tryReload(how, other)
	answer.Report = &report
	if err != nil {
		return noReload(err)
	}
	r.mu.Lock()
	r.reloads++
	r.mu.Unlock()
	slog.Info("lineman: reloaded", "kept", report.Kept())
	if next == nil {
		return nil
	}
	defer next.End()
	return r.become(ctx, next, answer)
}

// tryReload replaces the processes. next is of the program that this process is to become then, or nil.
func (r *running) tryReload(how master.Manner, other string) (
	next *master.Candidate, report master.Report, err error,
) {
	path := r.file(other)
	image, err := master.OpenImage(path)
	if err != nil {
		return nil, report, err
	}
	if next, err = r.candidate(image); err != nil {
		image.Close()
		return nil, report, err
	}
	report, err = r.reloadFrom(image, path, how)
	if err != nil && next != nil {
		next.End()
	}
	return next, report, err
}

func (r *running) reloadFrom(image *master.Image, path string, how master.Manner) (master.Report, error) {
	return r.supervisor.Reload(image, how, func() (after func(), err error) {
		slog.Info("lineman: reload", "program", path)
		_ = r.notifier.Reloading() // likewise
		return func() { _ = r.notifier.Ready("") }, r.hook("OnReload", r.OnReload)
	})
}

// check tells what a reload would do, also with this process.
func (r *running) check(how master.Manner, other string) (master.Report, error) {
	image, err := master.OpenImage(r.file(other))
	if err != nil {
		return master.Report{}, err
	}
	next, err := r.candidate(image)
	if err != nil {
		image.Close()
		return master.Report{}, err
	}
	if next != nil {
		defer next.End()
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
