//go:build unix

package master

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/lineman-go/lineman/internal/channel"
)

// TestCheck tells what a reload would do, and leaves everything as it was: nobody is told of the processes that it
// starts and ends.
func TestCheck(t *testing.T) {
	workers := append(two(2), channel.Worker{Name: "c", Count: 1, NoReload: true})
	try(t, workers, func(t *trial) {
		var exits atomic.Int64
		t.s.config.Exited = func(Exit) { exits.Add(1) }
		t.next(able)
		t.start()
		before, asked := t.serving(), t.seen()
		t.next(func(f *fake) { f.program = "v2" })
		image := t.image()
		r, err := t.s.Check(image, Manner{})
		if err != nil || len(r.Slots) != 3 || !slices.Equal(r.Rest, []string{"c/0"}) {
			t.Fatalf("%+v, %v", r, err)
		}
		for _, s := range r.Slots {
			if s.Old != "v1" || s.New != "v2" || s.Drains != "" || s.Crossed != 0 || s.Kept != 0 {
				t.Errorf("the report: %+v", s)
			}
		}
		if r, err := t.s.Check(t.image(), Manner{Drain: true}); err != nil || r.Slots[0].Drains != AsAsked {
			t.Errorf("%+v, %v", r, err)
		}
		if after := t.serving(); !maps.Equal(before, after) {
			t.Errorf("%v became %v", before, after)
		}
		for _, p := range t.processes[len(before):] {
			if got := t.stateOf(p.pid); got != "ended" {
				t.Errorf("pid %d, which was started to look at it, is %s", p.pid, got)
			}
		}
		if got := t.seen(); !slices.Equal(got, asked) {
			t.Errorf("asked were %q", got[len(asked):])
		}
		if exits.Load() > 0 || len(t.s.Snapshot().Exits) > 0 || !image.isClosed() {
			t.Errorf("%d exits; the image is closed: %v", exits.Load(), image.isClosed())
		}
	})
}

// TestCheckFaults says what a reload would say.
func TestCheckFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(*fake)
		text  string
	}{
		"another version":  {func(f *fake) { f.version++ }, "another version of Lineman: restart"},
		"another address":  {func(f *fake) { f.workers[0].Addr = "three" }, "that needs a restart"},
		"a wrong setting":  {op(channel.Hello, refuse), "does not start: it will not"},
		"it ends":          {op(channel.Hello, perish), "does not start: it ended with exit code 3"},
		"no answer":        {op(channel.Hello, never), "not ready after 10s"},
		"an old handover":  {func(f *fake) { f.handover = 0; f.workers = f.workers[:1] }, "that needs a restart"},
		"a later handover": {func(f *fake) { f.handover = 1 }, "reload --drain, or restart"},
	} {
		try(t, two(2), func(t *trial) {
			t.next(able)
			t.next(func(f *fake) { f.handover = 2 })
			t.start()
			before := t.serving()
			t.next(c.fault)
			r, err := t.s.Check(t.image(), Manner{})
			if err == nil || !strings.Contains(err.Error(), c.text) || len(r.Slots) != 0 {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
			if after := t.serving(); !maps.Equal(before, after) || len(t.s.Snapshot().Exits) > 0 {
				t.Errorf("%s: %v became %v", name, before, after)
			}
		})
	}
}

// TestCheckWhileReloading is refused, as a second reload is.
func TestCheckWhileReloading(t *testing.T) {
	try(t, one(), func(t *trial) {
		t.start()
		slow := make(chan struct{})
		t.next(op(channel.Prepare, func(*fake) error { <-slow; return nil }))
		first := make(chan error)
		go func() { first <- t.tryReload() }()
		synctest.Wait()
		image := t.image()
		if _, err := t.s.Check(image, Manner{}); !errors.Is(err, ErrReloading) || !image.isClosed() {
			t.Errorf("%v; its image is closed: %v", err, image.isClosed())
		}
		close(slow)
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}
