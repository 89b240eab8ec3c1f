//go:build unix

package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// restTime bounds how long a Supervisor may take to come to rest.
const restTime = 5 * time.Second

// A Rest is a time in which a Supervisor starts, tells and answers nothing. What happens meanwhile waits: requests and
// answers in the channels, and the ends of processes in the system.
type Rest struct {
	Saved

	supervisor *Supervisor
	resume     []func() // in the order in which they were held up
}

// Suspend has the Supervisor rest, so that another one can go on in its place: one by one it holds up reloads, the
// starts of processes, what is told to processes, the news of their ends, and their channels. It is an error if that
// takes longer than some seconds, or if Stop is called meanwhile: then nothing has changed.
func (s *Supervisor) Suspend() (*Rest, error) {
	ctx, cancel := s.bounded(s.ctx, restTime)
	defer cancel()
	r := &Rest{supervisor: s}
	err := r.begin(ctx)
	if err == nil && s.ctx.Err() != nil {
		err = errStopping
	}
	if err != nil {
		r.End()
		if s.ctx.Err() != nil {
			return nil, errStopping
		}
		return nil, err
	}
	return r, nil
}

// End has the Supervisor go on.
func (r *Rest) End() {
	for _, f := range slices.Backward(r.resume) {
		f()
	}
	r.resume = nil
}

func (r *Rest) begin(ctx context.Context) error {
	s := r.supervisor
	if err := r.hold(ctx, s.reloading, "a start or a reload is under way"); err != nil {
		return err
	}
	for _, sl := range s.slots() {
		if err := r.hold(ctx, sl.turn, sl.String()+" is being started"); err != nil {
			return err
		}
	}
	for _, g := range s.groups {
		g.lending.Lock()
		r.resume = append(r.resume, g.lending.Unlock)
	}
	if err := s.errands.await(ctx); err != nil {
		return errors.New("lineman: a process does not take what it is told")
	}
	if err := r.hold(ctx, s.noting, "OnExit of the master has not returned"); err != nil {
		return err
	}
	r.resume = append(r.resume, s.config.System.HoldEnds())
	for _, p := range s.alive() {
		if p.isTrial {
			continue // it ends with who tries it
		}
		saved, err := r.suspend(ctx, p)
		if err != nil {
			return err
		}
		r.Processes = append(r.Processes, saved)
	}
	r.Saved = s.saved(r.Processes)
	return nil
}

// hold sends to a channel that is held by sending.
func (r *Rest) hold(ctx context.Context, held chan struct{}, why string) error {
	select {
	case held <- struct{}{}:
		r.resume = append(r.resume, func() { <-held })
		return nil
	case <-ctx.Done():
		return errors.New("lineman: " + why)
	}
}

// suspend has the channel of a process rest.
func (r *Rest) suspend(ctx context.Context, p *process) (SavedProcess, error) {
	saved := p.saved()
	at, err := p.Suspend(ctx)
	switch {
	case err == nil:
		saved.Channel = &at
		r.resume = append(r.resume, p.Resume)
	case !errors.Is(err, channel.ErrClosed):
		return saved, fmt.Errorf("lineman: %s: its requests are not answered: %w", p, err)
	}
	saved.Spent = p.spent.Load() // it may have asked for that until now
	if p.ended() {
		status := p.Status()
		saved.Ended = &status
	}
	return saved, nil
}

func (p *process) saved() SavedProcess {
	p.mu.Lock()
	defer p.mu.Unlock()
	return SavedProcess{
		Number: p.number, Worker: p.slot.group.index, ID: p.slot.id, PID: p.PID(), Began: startOf(p.PID()),
		Born: p.born, Ready: p.ready.Load(), Leaving: p.left.saved(), About: p.about, Relays: p.relays.Load(),
		Told: p.heartbeat.Messages,
	}
}

// saved is the Supervisor with these processes. It rests.
func (s *Supervisor) saved(processes []SavedProcess) Saved {
	all := Saved{Processes: processes}
	images := make(map[*Image]int)
	s.mu.Lock()
	defer s.mu.Unlock()
	all.Launched = s.launched
	for _, sl := range s.slots() {
		if _, known := images[sl.image]; !known {
			images[sl.image] = len(all.Images)
			all.Images = append(all.Images, int(sl.image.file.Fd()))
		}
		all.Slots = append(all.Slots, SavedSlot{
			Worker: sl.group.index, ID: sl.id, Image: images[sl.image], Serves: numberOf(sl.current),
			LentTo: numberOf(sl.lentTo),
		})
	}
	for k, n := range s.exits {
		all.Exits = append(all.Exits, ExitCount{Worker: k.worker, Status: k.status, Count: n})
	}
	sortExits(all.Exits)
	s.sockets.save(&all)
	return all
}

// numberOf is the number of a process, or 0 for none.
func numberOf(p *process) int {
	if p == nil {
		return 0
	}
	return p.number
}

func (t *sockets) save(all *Saved) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all.Opened = t.opened
	for k, sk := range t.open {
		saved := SavedSocket{
			Number: sk.number, Worker: k.group.index, ID: k.id, Released: slices.Sorted(maps.Keys(sk.released)),
			Address: channel.Address{
				Worker: k.worker, Outer: sk.outer, Scheme: sk.scheme, Network: k.network, Target: k.target,
				ReusePort: sk.reuse,
			},
		}
		saved.FD, saved.Path = sk.File()
		for p := range sk.users {
			if !p.ended() {
				saved.Users = append(saved.Users, p.number)
			}
		}
		slices.Sort(saved.Users)
		all.Sockets = append(all.Sockets, saved)
	}
	slices.SortFunc(all.Sockets, func(a, b SavedSocket) int { return cmp.Compare(a.Number, b.Number) })
}

// errands counts what is under way on goroutines of its own.
type errands struct {
	mu   sync.Mutex // guards the following
	n    int
	none chan struct{} // closed when n is 0; nil while nobody waits for that
}

// run runs f on another goroutine.
func (e *errands) run(f func()) {
	e.mu.Lock()
	e.n++
	e.mu.Unlock()
	go func() {
		defer e.end()
		f()
	}()
}

func (e *errands) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n--; e.n == 0 && e.none != nil {
		close(e.none)
		e.none = nil
	}
}

// await waits until nothing is under way.
func (e *errands) await(ctx context.Context) error {
	e.mu.Lock()
	none := e.none
	if none == nil {
		none = make(chan struct{})
		if e.n == 0 {
			close(none)
		} else {
			e.none = none
		}
	}
	e.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
