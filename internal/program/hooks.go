//go:build unix

package program

import (
	"fmt"
	"log/slog"

	"github.com/lineman-go/lineman/internal/master"
)

// exited hands the end of a process to the application.
func (r *running) exited(e master.Exit) {
	if r.OnExit == nil {
		return
	}
	err := r.hook("OnExit", func() error {
		r.OnExit(e)
		return nil
	})
	if err != nil {
		slog.Error(err.Error())
	}
}

// hook runs a hook of the application; a panic in it is its error.
func (r *running) hook(name string, f func() error) (err error) {
	if f == nil {
		return nil
	}
	r.hooks.Lock()
	defer r.hooks.Unlock()
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
