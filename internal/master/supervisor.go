//go:build unix

package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// Config is what a Supervisor supervises, and how.
type Config struct {
	Workers []Worker
	Image   *Image // that runs now; the Supervisor takes it over
	System  System
	Log     *slog.Logger
	Exited  func(Exit) // called for every process that has ended; nil means nobody cares
	LogFile func() int // a new descriptor of the log that a process is to write to, or -1; nil: none is
	Daemon  bool       // the standard output is the log

	Limits
}

// Limits are those of time, of which a negative one is none, and a number.
type Limits struct {
	Start    time.Duration // from exec to ready, for each step of it
	Stop     time.Duration // then a process is killed
	Reload   time.Duration // for a predecessor to finish what was begun
	Graceful time.Duration // for its connections to end by themselves
	Relay    time.Duration // for one that leaves to relay connections of its successor
	Relays   int           // processes of a slot that do that at a time; none unless above zero
	Hang     time.Duration // a process whose loop stands still for so long is replaced
}

// A Worker is a group of processes that do the same.
type Worker struct {
	channel.Worker
	Address channel.Address // Network is empty for one without an address
}

// A Supervisor keeps the processes of a program running. Its methods may be called from any goroutine.
type Supervisor struct {
	config  Config
	groups  []*group
	sockets *sockets

	ctx       context.Context // ends when the stopping begins
	cancel    context.CancelFunc
	keepers   sync.WaitGroup
	ends      sync.WaitGroup // who wait for the end of a process, to note it
	launching sync.RWMutex   // held for reading from a launch to the entry in processes
	reaper    Reaper         // guarded by launching
	reloading chan struct{}  // held, by sending, by the one Reload under way; guards images
	images    []*Image       // open
	noting    chan struct{}  // held, by sending, by who notes the end of a process
	errands   errands        // what is being told to processes

	mu        sync.Mutex // guards the following
	processes map[*process]bool
	exits     map[exitKey]int
	launched  int // how many processes ever
	urgency   Urgency
	urged     chan struct{} // closed when urgency grows
}

// Urgency is how a program is to end.
type Urgency int

// The ways to end a program, beside not at all.
const (
	Patient Urgency = iota + 1 // when the connections have ended by themselves, within Config.Graceful
	Prompt                     // within Config.Stop
	AtOnce                     // by kill
)

// group is a Worker's processes.
type group struct {
	Worker
	index int
	slots []*slot

	lending sync.Mutex // held while it is settled who accepts for whom
}

// New makes a Supervisor that has started nothing.
func New(c Config) *Supervisor {
	s := &Supervisor{
		config: c, sockets: newSockets(c.System), processes: make(map[*process]bool), exits: make(map[exitKey]int),
		urged: make(chan struct{}), reloading: make(chan struct{}, 1), noting: make(chan struct{}, 1),
		images: []*Image{c.Image},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for i, w := range c.Workers {
		g := &group{Worker: w, index: i}
		for id := range w.Count {
			g.slots = append(g.slots, newSlot(s, g, id))
		}
		s.groups = append(s.groups, g)
	}
	return s
}

// slots are the places of all processes.
func (s *Supervisor) slots() (all []*slot) {
	for _, g := range s.groups {
		all = append(all, g.slots...)
	}
	return all
}

// Start opens the listeners and starts every process. The first of each worker is ready before its siblings' OnStart
// runs, so that it is the one to get what only one can have. If anything fails, everything is ended and the first error
// returned.
func (s *Supervisor) Start(ctx context.Context) error {
	s.reloading <- struct{}{} // not before all serve
	err := s.start(ctx)
	<-s.reloading
	if err != nil {
		s.Stop(AtOnce)
	}
	return err
}

func (s *Supervisor) start(ctx context.Context) error {
	for _, g := range s.groups {
		if err := s.sockets.openOuter(g); err != nil {
			return err
		}
	}
	all := s.slots()
	processes := make([]*process, len(all))
	err := s.together(ctx, all, func(ctx context.Context, i int) (err error) {
		processes[i], err = all[i].launch(ctx, s.config.Image)
		return err
	})
	if err != nil {
		return err
	}
	for _, first := range []bool{true, false} {
		err := s.together(ctx, all, func(ctx context.Context, i int) error {
			if (all[i].id == 0) != first {
				return nil
			}
			return processes[i].begin(ctx)
		})
		if err != nil {
			return err
		}
	}
	s.occupyAll(all, processes)
	for i, sl := range all {
		s.keepers.Add(1)
		go sl.keep(processes[i])
	}
	return nil
}

// occupyAll notes that every slot is served, so that none looks vacant to the first keeper that runs.
func (s *Supervisor) occupyAll(slots []*slot, processes []*process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, sl := range slots {
		sl.current = processes[i]
	}
}

// together calls f for each slot's index at the same time. The first error ends the others, and is returned.
func (s *Supervisor) together(ctx context.Context, slots []*slot, f func(ctx context.Context, i int) error) error {
	ctx, cancel := s.bounded(ctx, 0)
	defer cancel()
	var wait sync.WaitGroup
	var once sync.Once
	var first error
	for i := range slots {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if err := f(ctx, i); err != nil {
				once.Do(func() { first = err })
				cancel()
			}
		}()
	}
	wait.Wait()
	return first
}

// bounded is a context that ends with ctx, with the Supervisor's stopping, and after d if that is above zero.
func (s *Supervisor) bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(s.ctx, func() { cancel(errStopping) })
	end := func() { unhook(); cancel(nil) }
	if d <= 0 {
		return ctx, end
	}
	ctx, release := context.WithTimeout(ctx, d)
	return ctx, func() { release(); end() }
}

var errStopping = errors.New("lineman: it was stopped before it was ready")

// Stop ends every process, closes the listeners and returns when all of it is gone, and Config.Exited has returned for
// the last process. A second Stop with a greater urgency hurries the first.
func (s *Supervisor) Stop(u Urgency) {
	s.mu.Lock()
	if u > s.urgency {
		s.urgency = u
		close(s.urged)
		s.urged = make(chan struct{})
	}
	s.mu.Unlock()
	s.cancel()
	s.reloading <- struct{}{} // its Start or Reload ends by ctx
	defer func() { <-s.reloading }()
	s.keepers.Wait()
	s.sockets.closeAll() // nobody is let in who would not be answered
	var wait sync.WaitGroup
	for _, p := range s.alive() {
		wait.Add(1)
		go func() {
			defer wait.Done()
			p.end()
		}()
	}
	wait.Wait()
	s.ends.Wait()
	for _, i := range s.images {
		i.Close()
	}
	s.images = nil
}

// Stopping is closed when Stop is called.
func (s *Supervisor) Stopping() <-chan struct{} { return s.ctx.Done() }

// urge is the present urgency, and a channel that is closed when it grows.
func (s *Supervisor) urge() (Urgency, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.urgency, s.urged
}

// alive are the processes that have not ended, oldest first.
func (s *Supervisor) alive() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*process, 0, len(s.processes))
	for p := range s.processes {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *process) int { return a.number - b.number })
	return all
}

// Reap waits for strangers that have died, for a master that is the first process of a container.
func (s *Supervisor) Reap() {
	s.launching.Lock() // a process that has just been started is not known yet
	defer s.launching.Unlock()
	all := s.alive()
	s.reaper.Reap(time.Now(), func(pid int) bool {
		return slices.ContainsFunc(all, func(p *process) bool { return p.PID() == pid })
	})
}

// Listening are the sockets that are open now: the addresses of each worker, its own first, those of Loop.Listen after
// it.
func (s *Supervisor) Listening() map[string][]string { return s.sockets.list() }

// Reopen has every process write its log to the file of this descriptor.
func (s *Supervisor) Reopen(file int) error {
	var errs []error
	for _, p := range s.alive() {
		ctx, cancel := context.WithTimeout(s.ctx, callTime)
		if _, err := p.Call(ctx, channel.Log, nil, nil, file); err != nil && !errors.Is(err, channel.ErrClosed) {
			errs = append(errs, fmt.Errorf("lineman: %s: its log was not reopened: %w", p, Bare(err)))
		}
		cancel()
	}
	return errors.Join(errs...)
}

// callTime bounds what a process answers beside its loop.
const callTime = 2 * time.Second
