//go:build linux

package main

import (
	"context"
	"io"
	"testing"
	"time"
)

// TestSmall plays the scene with few connections: everything that is pushed comes, once, over a reload of every
// process too.
func TestSmall(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := scene{out: io.Discard, connections: 3000, each: 800}
	lineman, floor, err := s.run(ctx, true, true)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*figures{"Lineman": lineman, "floor": floor} {
		if f.user <= f.base || f.base == 0 || len(f.toAll) != broadcasts || f.cpu == 0 {
			t.Errorf("%s has shown %+v", name, f)
		}
	}
	r := lineman.reload
	if r.command == 0 || r.pushes.taken == 0 {
		t.Errorf("the reload has shown %+v", r)
	}
}

// TestPings counts the pings of connections that say nothing.
func TestPings(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := scene{out: io.Discard, connections: 500, each: 250, pings: 200 * time.Millisecond, watched: time.Second}
	lineman, _, err := s.run(ctx, false, true)
	if err != nil {
		t.Fatal(err)
	}
	// once in 0.2 s, with a tenth of a second or two more for the tick
	if p := lineman.pings; p.pings < 2*s.connections || p.pings > 6*s.connections || p.cpu == 0 {
		t.Errorf("%d pings in %v, %v of CPU", p.pings, p.span, p.cpu)
	}
}

// TestMemoryEnds has the scene end when too little memory is available.
func TestMemoryEnds(t *testing.T) {
	ctx, giveUp := context.WithCancelCause(t.Context())
	go watchMemory(ctx, 1<<60, giveUp)
	select {
	case <-ctx.Done():
		t.Log(context.Cause(ctx))
	case <-time.After(10 * time.Second):
		t.Error("nothing gave up")
	}
}

func TestLinesOf(t *testing.T) {
	s := &servers{ports: []string{"a", "b", "c"}}
	for user, want := range []string{"a", "a", "a", "b", "b", "b", "c", "c", "c", "c"} {
		if got := s.linesOf(user, 10); got != want+".lines" {
			t.Errorf("user %d: %s, want %s.lines", user, got, want)
		}
	}
}
