package lineman

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/lineman-go/lineman/internal/grace"
	"github.com/lineman-go/lineman/internal/poll"
)

// Run runs the workers in this process until ctx ends: each on a loop of its own, or on as many as its Loops says, so
// they share no variables. First all listen, then OnStart runs for each. Connections are accepted only when all have
// succeeded. Run returns the first error of that. It returns nil when ctx has ended and every connection has been told
// goodbye, within Limits.Shutdown.
//
// The environment variable LINEMAN_POLLER=portable runs the loops over package net instead of the system's own
// readiness, as they run on systems that have no native loop.
func Run(ctx context.Context, workers ...*Worker) error { return run(ctx, time.Now, workers) }

func run(ctx context.Context, clock func() time.Time, workers []*Worker) error {
	if len(workers) == 0 {
		return errors.New("lineman: nothing to run: give Run a worker")
	}
	r := &runner{ctx: ctx, begin: make(chan struct{})}
	for _, w := range workers {
		if w.Count > 1 {
			return fmt.Errorf("lineman: worker %q: Count is %d: Run runs one process, leave Count at 0",
				w.Name, w.Count)
		}
		if err := r.open(w, clock); err != nil {
			r.abandon()
			return err
		}
	}
	return r.run()
}

// open makes the loops of a worker, and has them listen.
func (r *runner) open(w *Worker, clock func() time.Time) error {
	if err := checkWorker(w); err != nil {
		return err
	}
	runs, err := openLoops(w, 0, clock, ownSockets{})
	if err != nil {
		return err
	}
	r.runs = append(r.runs, runs...)
	for _, own := range runs {
		if _, err := own.loop.Listen(own.worker); err != nil {
			return err
		}
	}
	return nil
}

// checkWorker finds what is wrong with a worker, before anything is opened for it.
func checkWorker(w *Worker) error {
	_, err := (&Loop{log: slog.Default()}).serviceOf(w)
	return err
}

// newPoller makes the poller that the environment asks for.
func newPoller() (poll.Poller, error) {
	switch backend := os.Getenv("LINEMAN_POLLER"); backend {
	case "":
		p, err := poll.New()
		if err != nil {
			return nil, fmt.Errorf("lineman: %w", err)
		}
		return p, nil
	case "portable":
		return poll.NewPortable(), nil
	default:
		return nil, fmt.Errorf("lineman: LINEMAN_POLLER is %q: want portable, or nothing", backend)
	}
}

// runner runs the loops of one Run.
type runner struct {
	ctx   context.Context
	runs  []*loopRun
	begin chan struct{} // closed when every OnStart has returned

	mu     sync.Mutex // guards failed
	failed error      // the first failed start
}

func (r *runner) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = err
	}
}

func (r *runner) abandon() {
	for _, own := range r.runs {
		own.loop.shut()
	}
}

// run runs the loops until they have ended. It reads failed without the lock: nobody fails once all have started.
func (r *runner) run() error {
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	var started, ended sync.WaitGroup
	for _, own := range r.runs {
		l := own.loop
		started.Add(1)
		ended.Add(1)
		go func() {
			defer ended.Done()
			defer l.shut()
			r.start(own, started.Done)
			<-r.begin
			if r.failed != nil {
				return // nothing is served
			}
			if ctx.Err() != nil {
				l.beginStop(grace.None)
			}
			stop := context.AfterFunc(ctx, func() { l.Do(func() { l.beginStop(grace.None) }) })
			defer stop()
			if err := l.run(); err != nil {
				cancel(err)
			}
		}()
	}
	started.Wait()
	close(r.begin)
	ended.Wait()
	if r.failed != nil {
		return r.failed
	}
	if r.ctx.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// start runs OnStart of one worker, after that of the loop before, and says so when it has returned, in whichever way.
func (r *runner) start(own *loopRun, done func()) {
	defer done()
	defer close(own.ready)
	if own.before != nil {
		<-own.before.ready
	}
	err := errors.New("lineman: OnStart did not return: runtime.Goexit, or Fatal of a test, ended its goroutine")
	defer func() {
		if err != nil {
			r.fail(err)
		}
	}()
	if err = own.loop.prepare(own.worker); err == nil {
		err = own.loop.start(own.worker)
	}
}

// prepare runs OnPrepare.
func (l *Loop) prepare(w *Worker) error { return l.first(inOnPrepare, w.OnPrepare) }

// start runs OnStart.
func (l *Loop) start(w *Worker) error { return l.first(inOnStart, w.OnStart) }

// first runs a callback of the start. A panic in it is a failed start.
func (l *Loop) first(what callback, f func(*Loop) error) (err error) {
	if f == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			l.panicked(what.String(), v)
			err = fmt.Errorf("lineman: panic in %v: %v", what, v)
		}
	}()
	return f(l)
}
