//go:build unix

package master

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/lineman-go/lineman/internal/channel"
)

// A Candidate is a process of a program that this process may become. It says whether a master of that program could
// go on, and serves nothing. It runs as this process does, whatever the user of the worker.
type Candidate struct {
	process *process
	ending  sync.Once
}

// Candidate starts one. It is nil if this process cannot become the program: that does not know what a Candidate is, as
// with an older Lineman, or a reload replaces no process. The image stays the caller's. It fails with ErrReloading
// while a start, a reload or a Check is under way.
func (s *Supervisor) Candidate(image *Image) (*Candidate, error) {
	select {
	case s.reloading <- struct{}{}:
	default:
		return nil, ErrReloading
	}
	defer func() { <-s.reloading }() // Stop ends all that have been started before
	if replaced, _ := s.replaceable(); len(replaced) == 0 {
		return nil, nil
	}
	p, err := s.groups[0].slots[0].create(image, "", true)
	if err != nil {
		return nil, err
	}
	err = p.hello(s.ctx)
	if err != nil || p.about.Master == 0 {
		p.discard()
		return nil, err
	}
	return &Candidate{process: p}, nil
}

// Check asks whether a master of the program could go on from a state, which is sealed.
func (c *Candidate) Check(state *os.File) error {
	return c.process.step(context.Background(), "go on as the master", channel.Check, nil, nil, int(state.Fd()))
}

// End ends it, and waits for that. It may be called more than once.
func (c *Candidate) End() { c.ending.Do(c.process.discard) }

// Image is the program that all processes run which a reload replaces, or an error if they run several.
func (r *Rest) Image() (*Image, error) {
	replaced, _ := r.supervisor.replaceable()
	image := replaced[0].image
	if slices.ContainsFunc(replaced, func(sl *slot) bool { return !sl.image.Same(image) }) {
		return nil, errors.New("lineman: not all processes run the new program")
	}
	return image, nil
}

// Fits tells whether a program with these workers has a place for each process.
func (s *Saved) Fits(workers []Worker) error {
	places := 0
	for _, w := range workers {
		places += w.Count
	}
	if places != len(s.Slots) {
		return fmt.Errorf("lineman: the program has %d processes now, and had %d: that needs a restart",
			places, len(s.Slots))
	}
	for _, v := range s.Slots {
		if v.Worker < 0 || v.Worker >= len(workers) || v.ID < 0 || v.ID >= workers[v.Worker].Count {
			return fmt.Errorf("lineman: the program has no worker %d with a process %d: that needs a restart",
				v.Worker, v.ID)
		}
	}
	return nil
}
