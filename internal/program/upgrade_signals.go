//go:build unix

package program

import (
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/internal/master"
)

// Signals in the moment in which a master becomes another program. Until deafen they wait in the channel of heed. Those
// that come from then on are held by the candidate, until the new program takes signals. If it cannot do that, nobody
// takes them: a program loses its handlers by exec, and one in Go takes none before it asks for them. Then
//
//	SIGUSR1, SIGUSR2          are ignored: a reload is under way, and a second one is refused
//	SIGHUP                    is ignored: the new master opens the log anew at its start
//	SIGTERM, SIGINT, SIGQUIT  end the program, as they are to, but at once
//	SIGCHLD                   tells nothing that is not looked for: processes are waited for by their pids

// HoldSignals is what a candidate does while its master becomes another program: see master.HoldSignals.
func HoldSignals(within time.Duration, until *os.File, begun func()) error {
	held := slices.DeleteFunc(slices.Clone(handled), func(s os.Signal) bool { return s == syscall.SIGCHLD })
	return master.HoldSignals(held, within, until, begun)
}

var errStopped = errors.New("lineman: it was stopped")

// heedNothing has signals wait, as soon as what the last one asked for is under way, until again.
func (r *running) heedNothing() (again func(), err error) {
	waits := make(chan struct{})
	select {
	case r.heedless <- waits:
	case <-r.stopped:
		return nil, errStopped
	}
	if r.ending.Load() {
		close(waits)
		return nil, errStopped
	}
	return func() { close(waits) }, nil
}

// deafen has signals do what they are to do in the moment before exec, until hear. It fails if one that waits ends the
// program: that is for this one to do.
func (r *running) deafen() (hear func(), err error) {
	ignored := []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2}
	if !r.hangsUp {
		ignored = append(ignored, syscall.SIGHUP)
		signal.Ignore(syscall.SIGHUP) // before nobody takes it
	}
	signal.Stop(r.signals)    // waits for those that are on their way,
	signal.Ignore(ignored...) // which this would not
	var ends []os.Signal
	for len(r.signals) > 0 {
		switch s := <-r.signals; {
		case s == syscall.SIGUSR1, s == syscall.SIGUSR2:
			slog.Error("lineman: no reload: one is under way", "signal", s)
		case s != syscall.SIGCHLD && !slices.Contains(ignored, s):
			ends = append(ends, s)
		}
	}
	hear = func() {
		signal.Notify(r.signals, handled...)
		for _, s := range ends {
			r.signals <- s // it had room for them before
		}
	}
	if ends != nil {
		hear()
		return nil, errStopped
	}
	return hear, nil
}
