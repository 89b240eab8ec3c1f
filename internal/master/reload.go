//go:build unix

package master

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/lineman-go/lineman/internal/channel"
)

// ErrReloading means that a reload, or the start, is under way.
var ErrReloading = errors.New("lineman: a start or a reload is under way: try again when it is over")

// Reload is a rolling reload. It calls before, and what that returns at its end. If before succeeds, every process gets
// a successor from the image, which the Supervisor takes over. All successors are started and prepared while their
// predecessors serve. Then, one slot after the other, the predecessor stands still while the successor's OnStart runs
// and connections are handed over, and either leaves or, if that fails, goes on. Reload returns when every slot is
// served by its successor: predecessors may still have connections then. An error names what failed, and which
// processes were replaced before it; they are in the report.
func (s *Supervisor) Reload(image *Image, how Manner, before func() (after func(), err error)) (Report, error) {
	select {
	case s.reloading <- struct{}{}:
	default:
		image.Close()
		return Report{}, ErrReloading
	}
	defer func() { <-s.reloading }()
	after, err := before()
	defer after()
	var r Report
	if err == nil {
		r, err = s.reload(s.ctx, image, how)
	}
	s.closeUnused(image)
	return r, err
}

func (s *Supervisor) reload(ctx context.Context, image *Image, how Manner) (r Report, err error) {
	replaced, kept := s.replaceable()
	successors := make([]*process, len(replaced))
	err = s.together(ctx, replaced, func(ctx context.Context, i int) (err error) {
		successors[i], err = replaced[i].launch(ctx, image)
		if err == nil {
			err = replaced[i].serves().fits(successors[i], how)
		}
		return err
	})
	for i, sl := range replaced {
		if err == nil {
			var done Succession
			if done, err = sl.succeed(ctx, successors[i], how); err == nil {
				r.Slots = append(r.Slots, done)
				continue
			}
			if i > 0 {
				err = fmt.Errorf("%w; %s run the new program, the others still the old", err,
					strings.Join(names(replaced[:i]), ", "))
			}
		}
		if successors[i] != nil {
			successors[i].discard()
		}
	}
	if err != nil {
		return r, err
	}
	r.Rest = names(kept)
	return r, s.tellKept(kept)
}

// replaceable are the slots that a reload replaces the processes of, and the others.
func (s *Supervisor) replaceable() (replaced, kept []*slot) {
	for _, sl := range s.slots() {
		if sl.group.NoReload {
			kept = append(kept, sl)
		} else {
			replaced = append(replaced, sl)
		}
	}
	return replaced, kept
}

func names(slots []*slot) (all []string) {
	for _, sl := range slots {
		all = append(all, sl.String())
	}
	return all
}

// succeed has q take the place of the process in the slot.
func (sl *slot) succeed(ctx context.Context, q *process, how Manner) (r Succession, err error) {
	s := sl.supervisor
	select {
	case sl.turn <- struct{}{}:
	case <-s.ctx.Done():
		return r, errStopping
	}
	defer func() { <-sl.turn }()
	p := sl.serves()
	if r, err = p.yield(ctx, q, how); err != nil {
		return r, err
	}
	sl.image = q.image
	sl.occupy(q)
	select {
	case sl.successor <- q:
	case <-s.ctx.Done():
		return r, errStopping
	}
	if p == nil {
		s.sockets.sweep(sl)
	} else {
		p.leave(how.Patient)
	}
	return r, nil
}

// freeze has a process stand still. One that cannot be reached is killed: it serves nobody.
func (p *process) freeze(ctx context.Context) {
	s := p.slot.supervisor
	p.frozen.Store(true)
	limit := s.config.Reload
	if limit < 0 {
		limit = 0
	}
	ctx, cancel := s.bounded(ctx, limit)
	defer cancel()
	_, err := p.Call(ctx, channel.Freeze, nil, nil)
	switch {
	case err == nil || s.ctx.Err() != nil:
		return
	case errors.Is(err, channel.ErrClosed): // it has ended by itself, as its keeper will say
	case errors.Is(err, context.DeadlineExceeded):
		s.config.Log.Warn(fmt.Sprintf("lineman: %s does not stand still for its successor within %v: it is killed",
			p, limit))
		p.leaving.Store(true)
	default:
		s.config.Log.Warn(fmt.Sprintf("lineman: %s does not stand still for its successor: %v: it is killed", p, err))
		p.leaving.Store(true)
	}
	p.discard()
}

// thaw lets a process that stood still go on.
func (p *process) thaw() {
	p.tell(channel.Resume, nil)
	p.frozen.Store(false)
}

// tellKept runs OnReload in the processes that a reload does not replace.
func (s *Supervisor) tellKept(slots []*slot) error {
	errs := make([]error, len(slots))
	var wait sync.WaitGroup
	for i, sl := range slots {
		p := sl.serves()
		if p == nil {
			continue
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			ctx, cancel := s.bounded(s.ctx, s.config.Start)
			defer cancel()
			if _, err := p.Call(ctx, channel.Reload, nil, nil); err != nil {
				errs[i] = fmt.Errorf("lineman: %s was not told of the reload: %w", p, Bare(err))
			}
		}()
	}
	wait.Wait()
	return errors.Join(errs...)
}

// recycle has the keeper of a process replace it, as soon as it serves.
func (p *process) recycle() {
	p.spent.Store(true)
	select {
	case p.slot.recycling <- struct{}{}:
	default: // the keeper is about to look
	}
}

// renew replaces p, which has asked for it, by a process of the image that it runs.
func (sl *slot) renew(p *process) (*process, error) {
	s := sl.supervisor
	select {
	case sl.turn <- struct{}{}:
	case q := <-sl.successor:
		return q, nil
	case <-s.ctx.Done():
		return nil, errStopping
	}
	defer func() { <-sl.turn }()
	p.spent.Store(false) // not before: until then it is for whoever goes on in the place of this Supervisor
	q, err := sl.launch(s.ctx, sl.image)
	if err == nil {
		_, err = p.yield(s.ctx, q, Manner{})
	}
	if err != nil {
		return nil, fmt.Errorf("lineman: %s was not recycled: %w", p, Bare(err))
	}
	sl.occupy(q)
	p.leave(false)
	return q, nil
}

// closeUnused closes the images that nothing is started from any more. Reloading is held.
func (s *Supervisor) closeUnused(came *Image) {
	used := make(map[*Image]bool)
	for _, sl := range s.slots() {
		sl.turn <- struct{}{}
		used[sl.image] = true
		<-sl.turn
	}
	s.images = slices.DeleteFunc(append(s.images, came), func(i *Image) bool {
		if !used[i] {
			i.Close()
		}
		return !used[i]
	})
}

// compare tells what of a program makes it no successor.
func (s *Supervisor) compare(d channel.Description) error {
	if d.Version != channel.Version {
		return errors.New("lineman: the program was built with another version of Lineman: restart")
	}
	var have []channel.Worker
	for _, w := range s.config.Workers {
		have = append(have, w.Worker)
	}
	if slices.Equal(have, d.Workers) {
		return nil
	}
	if len(have) != len(d.Workers) {
		return fmt.Errorf("lineman: the program has %d workers now, and had %d: that needs a restart",
			len(d.Workers), len(have))
	}
	for i, w := range d.Workers {
		if w != have[i] {
			return fmt.Errorf("lineman: the program's worker %d is %s now, and was %s: that needs a restart",
				i, describe(w), describe(have[i]))
		}
	}
	return nil
}

func describe(w channel.Worker) string {
	text := fmt.Sprintf("%s on %q, Count %d", w.Name, w.Addr, w.Count)
	if w.ReusePort {
		text += ", ReusePort"
	}
	if w.NoReload {
		text += ", NoReload"
	}
	if w.User != "" {
		text += ", User " + w.User
	}
	return text
}
