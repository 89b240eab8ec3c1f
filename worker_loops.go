package lineman

import (
	"fmt"
	"reflect"
	"time"
)

// loops is how many loops a process of the worker runs.
func (w *Worker) loops() int { return max(w.Loops, 1) }

// hasCallbacks reports whether something is set that runs on a loop.
func (w *Worker) hasCallbacks() bool {
	return w.OnStart != nil || w.OnPrepare != nil || w.OnReload != nil || w.OnStop != nil ||
		w.Save != nil || w.Restore != nil || w.SaveState != nil || w.SaveParts != nil ||
		w.RestoreState != nil || w.OnHandover != nil || w.Report != nil || !reflect.ValueOf(w.Events).IsZero()
}

// perLoop makes the worker of one loop: a copy, which PerLoop has completed.
func (w *Worker) perLoop() (own *Worker, err error) {
	if w.PerLoop == nil {
		return w, nil
	}
	copied := *w
	own = &copied
	own.Loops, own.PerLoop = 0, nil
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("lineman: worker %q: panic in PerLoop: %v", w.name(), v)
		}
	}()
	w.PerLoop(own)
	if own.Name != w.Name || own.Addr != w.Addr || own.Count != w.Count || own.User != w.User ||
		own.NoReload != w.NoReload || own.ReusePort != w.ReusePort || own.Mode != w.Mode || own.Owner != w.Owner ||
		own.Limits.Drain != w.Limits.Drain {
		return nil, fmt.Errorf("lineman: worker %q: PerLoop has changed what is the same for all loops: "+
			"set Name, Addr, Count, User, NoReload, ReusePort, Mode, Owner and Limits.Drain beside it", w.name())
	}
	return own, nil
}

// loopRun is a worker as one of its loops runs it.
type loopRun struct {
	loop   *Loop
	worker *Worker
	before *loopRun      // of the same worker, and starts first; nil for the first
	ready  chan struct{} // closed when OnStart has returned
}

// openLoops makes the loops that a process runs for a worker.
func openLoops(w *Worker, id int, clock func() time.Time, o opener) (runs []*loopRun, err error) {
	defer func() {
		if err != nil {
			for _, r := range runs {
				r.loop.shut()
			}
		}
	}()
	var loops []*Loop
	var before *loopRun
	for range w.loops() {
		own, err := w.perLoop()
		if err != nil {
			return runs, err
		}
		p, err := newPoller()
		if err != nil {
			return runs, err
		}
		l := newLoop(id, p, clock)
		l.open = o
		if own.Logger != nil {
			l.log = own.Logger
		}
		before = &loopRun{loop: l, worker: own, before: before, ready: make(chan struct{})}
		runs, loops = append(runs, before), append(loops, l)
	}
	newGroup(loops)
	return runs, nil
}
