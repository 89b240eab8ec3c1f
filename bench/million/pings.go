//go:build linux

package main

import (
	"context"
	"time"
)

// pinged is what pings cost while nothing else happens.
type pinged struct {
	pings int
	cpu   time.Duration
	span  time.Duration
}

// watchPings watches the CPU time of the servers, once pings have begun.
func (s *scene) watchPings(ctx context.Context, on *servers, by *audience, f *figures) error {
	if err := wait(ctx, s.pings); err != nil {
		return err
	}
	first, err := by.counts(ctx)
	if err != nil {
		return err
	}
	before, err := on.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := wait(ctx, s.watched); err != nil {
		return err
	}
	after, err := on.cpu()
	if err != nil {
		return err
	}
	last, err := by.counts(ctx)
	if err != nil {
		return err
	}
	f.pings = pinged{last.Pings - first.Pings, after - before, time.Since(began)}
	return s.allOpen(ctx, by) // still, as pages answer
}
