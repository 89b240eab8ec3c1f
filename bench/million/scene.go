//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

const (
	messageSize = 128 // bytes of a message to all
	broadcasts  = 3
)

// scene is what is done, once for each kind of server.
type scene struct {
	out         io.Writer
	connections int
	each        int
	pings       time.Duration // 0: push messages; else watch pings
	watched     time.Duration // how long
	quiet       time.Duration

	programs map[string]string // the path of each
	folder   string
}

// figures are what a server has shown.
type figures struct {
	name       string
	connect    time.Duration
	base, user uint64 // bytes of user memory before the first connection, and with all
	kernel     uint64 // bytes of kernel memory of both ends
	toAll      []time.Duration
	cpu        time.Duration // of all broadcasts together
	pings      pinged
	reload     reloaded
}

// run has floor and Lineman show their figures, those that are wanted; the others are nil.
func (s *scene) run(ctx context.Context, withFloor, withLineman bool) (lineman, floor *figures, err error) {
	if s.folder, err = os.MkdirTemp("", "lineman-million-"); err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(s.folder)
	if err := s.build(ctx); err != nil {
		return nil, nil, err
	}
	n := (s.connections + s.each - 1) / s.each
	s.say("%d connections to %d processes", s.connections, n)
	if withFloor {
		start := func() (*servers, error) { return startFloor(s.programs["floor"], n) }
		if floor, err = s.play(ctx, start, s.pushToAll); err != nil {
			return nil, nil, fmt.Errorf("floor: %w", err)
		}
	}
	if !withLineman {
		return nil, floor, nil
	}
	do := []act{s.pushToAll, s.reload}
	if s.pings > 0 {
		do = []act{s.watchPings}
	}
	start := func() (*servers, error) { return startLineman(s.programs["server"], s.folder, n, s.pings) }
	lineman, err = s.play(ctx, start, do...)
	return lineman, floor, err
}

// build makes the programs: without cgo, whose C library takes 100 KiB of each process and serves nothing here.
func (s *scene) build(ctx context.Context) error {
	s.programs = map[string]string{}
	for _, pkg := range []string{"floor", "million/server", "million/pages"} {
		name := filepath.Base(pkg)
		s.programs[name] = filepath.Join(s.folder, name)
		cmd := exec.CommandContext(ctx, "go", "build", "-o", s.programs[name],
			"github.com/lineman-go/lineman/bench/"+pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w: %s", pkg, err, out)
		}
	}
	return nil
}

// act is something that is done with all connections open.
type act func(ctx context.Context, on *servers, by *audience, f *figures) error

// play starts servers, has all pages connect, and does something with them.
func (s *scene) play(ctx context.Context, start func() (*servers, error), do ...act) (*figures, error) {
	on, err := start()
	if on != nil {
		defer on.kill()
	}
	if err != nil {
		return nil, err
	}
	f := &figures{name: on.name}
	if err := s.perform(ctx, on, f, do); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, on.says())
	}
	return f, nil
}

func (s *scene) perform(ctx context.Context, on *servers, f *figures, do []act) error {
	if err := on.begun(ctx); err != nil {
		return err
	}
	kernel, err := kernelMemory()
	if err != nil {
		return err
	}
	if f.base, err = on.memory(); err != nil {
		return err
	}
	began := time.Now()
	by, err := invite(s.programs["pages"], on, s.connections)
	defer by.leave()
	if err != nil {
		return err
	}
	if err := s.allOpen(ctx, by); err != nil {
		return err
	}
	f.connect = time.Since(began)
	s.say("%s: %d connected in %.1f s", on.name, s.connections, f.connect.Seconds())
	if err := s.weigh(ctx, on, kernel, f); err != nil {
		return err
	}
	for _, act := range do {
		if err := act(ctx, on, by, f); err != nil {
			return err
		}
	}
	return nil
}

// weigh looks at memory once it is quiet; before the first connection the kernel had so much.
func (s *scene) weigh(ctx context.Context, on *servers, kernel uint64, f *figures) error {
	if err := wait(ctx, s.quiet); err != nil {
		return err
	}
	after, err := kernelMemory()
	if err != nil {
		return err
	}
	f.kernel = after - min(kernel, after)
	if f.user, err = on.memory(); err != nil {
		return err
	}
	s.say("%s: %d bytes of user memory each, %d of kernel memory a pair", on.name, f.user/uint64(s.connections),
		f.kernel/uint64(s.connections))
	return nil
}

// say tells how far it is.
func (s *scene) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// allOpen waits until every page is open. None may have ended.
func (s *scene) allOpen(ctx context.Context, by *audience) error {
	return eventually(ctx, func() (bool, error) {
		c, err := by.counts(ctx)
		if err == nil && c.Ended > 0 {
			err = fmt.Errorf("%d connections have ended: after two minutes try -backlog", c.Ended)
		}
		return c.Open == s.connections, err
	})
}

// pushToAll pushes messages to everybody, one after the other.
func (s *scene) pushToAll(ctx context.Context, on *servers, by *audience, f *figures) error {
	if err := s.allOpen(ctx, by); err != nil { // still
		return err
	}
	before, err := on.cpu()
	if err != nil {
		return err
	}
	for number := range broadcasts {
		began := time.Now()
		if err := by.hear(ctx, number+1); err != nil {
			return err
		}
		f.toAll = append(f.toAll, time.Since(began))
	}
	after, err := on.cpu()
	if err != nil {
		return err
	}
	f.cpu = after - before
	c, err := by.counts(ctx)
	if err != nil {
		return err
	}
	s.say("%s: to all in %.3f s at best, %.1f us of CPU each", on.name, slices.Min(f.toAll).Seconds(),
		f.cpu.Seconds()*1e6/float64(broadcasts*s.connections))
	if c.Wrong > 0 || c.All != broadcasts*s.connections {
		return fmt.Errorf("pages got %d messages to all, want %d, and %d wrong ones", c.All, broadcasts*s.connections,
			c.Wrong)
	}
	return nil
}
