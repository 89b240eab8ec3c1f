//go:build !unix

package lineman

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"

	"github.com/lineman-go/lineman/internal/program"
)

// errUnsupported says what this system cannot do.
func errUnsupported(what string) error {
	return program.Usage("%s needs processes that share sockets, which %s does not have: "+
		"run `start` in the foreground, with one process for each worker", what, runtime.GOOS)
}

// Run runs the workers in this process until it is interrupted.
func (m *Master) Run() error { return m.Start(Foreground) }

// Start runs the workers in this process, each on a loop of its own, until it is interrupted. A Daemon, and a Count
// above 1, are errors that match ErrUsage.
func (m *Master) Start(mode Mode) error {
	if mode == Daemon {
		return errUnsupported("start -d")
	}
	if err := m.check(); err != nil {
		return err
	}
	if m.LogHandler != nil {
		(&program.Log{}).SetDefault(m.LogHandler)
	}
	for _, w := range m.Workers {
		if w.count() > 1 {
			return errUnsupported(fmt.Sprintf("worker %q with Count %d", w.name(), w.Count))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return Run(ctx, m.Workers...)
}

// CheckFiles finds nothing: on this system there are no files.
func (m *Master) CheckFiles() error { return nil }

// Stop is an error that matches ErrUsage.
func (m *Master) Stop(Ending) error { return errUnsupported("stop") }

// Restart is an error that matches ErrUsage.
func (m *Master) Restart(Mode, Ending) error { return errUnsupported("restart") }

// Reload is an error that matches ErrUsage.
func (m *Master) Reload(Ending) error { return errUnsupported("reload") }

// ReloadWith is an error that matches ErrUsage.
func (m *Master) ReloadWith(ReloadOptions) (*ReloadReport, error) {
	return nil, errUnsupported("reload")
}

// Status is an error that matches ErrUsage.
func (m *Master) Status() (*Status, error) { return nil, errUnsupported("status") }

// Connections is an error that matches ErrUsage.
func (m *Master) Connections(func([]ConnStatus) error) error { return errUnsupported("connections") }
