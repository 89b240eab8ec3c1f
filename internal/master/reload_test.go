//go:build unix

package master

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// TestReload has every process succeeded, and the predecessors leave.
func TestReload(t *testing.T) {
	try(t, two(3), func(t *trial) {
		t.start()
		before := t.serving()
		image := t.image()
		hooked, ended := 0, 0
		_, err := t.s.Reload(image, Manner{}, func() (func(), error) { hooked++; return func() { ended++ }, nil })
		if err != nil || hooked != 1 || ended != 1 {
			t.Fatalf("%v; the hook ran %d times, and what it asked for %d", err, hooked, ended)
		}
		after := t.serving()
		for name, pid := range before {
			if after[name] == pid || after[name] == 0 || t.process(after[name]).image != image {
				t.Errorf("%s was pid %d and is %d", name, pid, after[name])
			}
		}
		t.kill("a/1") // what is started again is the new program
		if p := t.serving()["a/1"]; p == 0 || t.process(p).image != image {
			t.Error("a crash went back to the old program")
		}
	})
}

// TestNoReload leaves the processes that want it, and tells them.
func TestNoReload(t *testing.T) {
	workers := two(2)
	workers[1].NoReload = true
	try(t, workers, func(t *trial) {
		t.start()
		before := t.serving()
		if _, err := t.s.Reload(t.image(), Manner{}, noHook); err != nil {
			t.Fatal(err)
		}
		after := t.serving()
		if after["b/0"] != before["b/0"] || after["a/0"] == before["a/0"] {
			t.Errorf("%v became %v", before, after)
		}
		if n := strings.Count(strings.Join(t.seen(), "\n"), "reload b/0"); n != 1 {
			t.Errorf("b was told %d times", n)
		}
	})
}

// TestReloadFaults has each step of a reload fail, in the first successor and in the second. Each process that serves
// is the old one or the new one, as the row says; none is lost, none doubled.
func TestReloadFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  func(f *fake) // of the successors of a
		only   string        // the successor that it is of; empty: all
		text   string
		newOne []string // who is new afterwards
	}{
		{"other version", func(f *fake) { f.version++ }, "", "another version of Lineman: restart", nil},
		{"a worker less", func(f *fake) { f.workers = f.workers[:1] }, "",
			"has 1 workers now, and had 2: that needs a restart", nil},
		{"another address", func(f *fake) { f.workers[0].Addr = "three" }, "",
			`worker 0 is a on "three", Count 3 now, and was a on "one", Count 3: that needs a restart`, nil},
		{"hello: an error", op(channel.Hello, refuse), "", "does not start: it will not", nil},
		{"hello: it ends", op(channel.Hello, perish), "", "does not start: it ended with exit code 3", nil},
		{"hello: no answer", op(channel.Hello, never), "", "not ready after 10s", nil},
		{"prepare: an error", op(channel.Prepare, refuse), "", "does not prepare: it will not", nil},
		{"prepare: it ends", op(channel.Prepare, perish), "", "does not prepare: it ended with exit code 3", nil},
		{"prepare: no answer", op(channel.Prepare, never), "", "does not prepare: it is not ready after 10s", nil},
		{"prepare of the last", op(channel.Prepare, refuse), "b/0", "does not prepare: it will not", nil},
		{"start: an error", op(channel.Start, refuse), "", "does not start: it will not", nil},
		{"start: it ends", op(channel.Start, perish), "", "does not start: it ended with exit code 3", nil},
		{"start: no answer", op(channel.Start, never), "", "does not start: it is not ready after 10s", nil},
		{"start of the second", op(channel.Start, refuse), "a/1",
			"it will not; a/0 run the new program, the others still the old", []string{"a/0"}},
		{"start of the last", op(channel.Start, perish), "b/0",
			"a/0, a/1, a/2 run the new program", []string{"a/0", "a/1", "a/2"}},
	} {
		try(t, two(3), func(t *trial) {
			t.start()
			before := t.serving()
			t.next(func(f *fake) {
				faulty := &fake{workers: f.workers, version: f.version, answers: map[channel.Op]func(*fake) error{}}
				c.fault(faulty)
				if c.only == "" {
					f.workers, f.version, f.answers = faulty.workers, faulty.version, faulty.answers
					return
				}
				for op, act := range faulty.answers {
					f.answers[op] = func(f *fake) error {
						if f.name == c.only {
							return act(f)
						}
						return nil
					}
				}
			})
			_, err := t.s.Reload(t.image(), Manner{}, noHook)
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: the error is %v", c.name, err)
			}
			after := t.serving()
			for _, name := range c.newOne {
				if after[name] == before[name] {
					t.Errorf("%s: %s is still the old one", c.name, name)
				}
				after[name] = before[name]
			}
			if !maps.Equal(before, after) {
				t.Errorf("%s: %v became %v", c.name, before, after)
			}
		})
	}
}

// op is a fault in the answer to a request.
func op(o channel.Op, act func(*fake) error) func(*fake) {
	return func(f *fake) { f.answers[o] = act }
}

// TestReloadPredecessorFaults has predecessors go wrong: their successors serve in any case, and nothing is left of
// them.
func TestReloadPredecessorFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(f *fake)
		took  time.Duration // at most
	}{
		{"it does not stand still", op(channel.Freeze, never), 8 * time.Second},
		{"it dies before", op(channel.Freeze, perish), time.Second},
		{"it refuses", op(channel.Freeze, refuse), time.Second},
		{"it does not leave", func(f *fake) { f.deaf = true }, time.Second},
		{"it cannot be told to leave", op(channel.Leave, never), time.Second},
		{"it dies as it leaves", op(channel.Leave, perish), time.Second},
	} {
		try(t, two(3), func(t *trial) {
			plain := t.behave
			t.next(c.fault)
			t.start()
			t.machine.mu.Lock()
			t.behave = plain
			t.machine.mu.Unlock()
			before, began := t.serving(), time.Now()
			if _, err := t.s.Reload(t.image(), Manner{}, noHook); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if took := time.Since(began); took > c.took {
				t.Errorf("%s: the reload took %v", c.name, took)
			}
			time.Sleep(3 * time.Second)
			after := t.serving()
			for name, pid := range before {
				if after[name] == 0 || after[name] == pid || t.stateOf(pid) != "ended" {
					t.Errorf("%s: %s was pid %d and is %d; the predecessor is %s",
						c.name, name, pid, after[name], t.stateOf(pid))
				}
			}
			if n := len(t.processes); n != 8 {
				t.Errorf("%s: %d processes were started, want 8", c.name, n)
			}
		})
	}
}

// TestReloadDiesFrozen has the predecessor die while it stands still for a successor that then fails: it is started
// again.
func TestReloadDiesFrozen(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		before := t.serving()
		plain := t.behave
		t.next(op(channel.Start, func(f *fake) error {
			if f.name == "a/0" {
				t.process(before["a/0"]).Kill()
			}
			return errRefused
		}))
		_, err := t.s.Reload(t.image(), Manner{}, noHook)
		t.machine.mu.Lock()
		t.behave = plain
		t.machine.mu.Unlock()
		if err == nil {
			t.Error("the reload succeeded")
		}
		time.Sleep(time.Second)
		after := t.serving()
		if after["a/0"] == 0 || after["a/0"] == before["a/0"] || len(after) != 3 {
			t.Errorf("%v became %v", before, after)
		}
	})
}

// TestReloadTwice refuses the second reload while the first is under way, and takes another one afterwards.
func TestReloadTwice(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		plain := t.behave
		slow := make(chan struct{})
		t.next(op(channel.Prepare, func(*fake) error { <-slow; return nil }))
		first := make(chan error)
		go func() { first <- t.tryReload() }()
		synctest.Wait()
		if _, err := t.s.Reload(t.image(), Manner{}, noHook); !errors.Is(err, ErrReloading) {
			t.Errorf("the second reload: %v", err)
		}
		close(slow)
		if err := <-first; err != nil {
			t.Errorf("the first reload: %v", err)
		}
		t.machine.mu.Lock()
		t.behave = plain
		t.machine.mu.Unlock()
		if _, err := t.s.Reload(t.image(), Manner{Patient: true}, noHook); err != nil {
			t.Errorf("the third reload: %v", err)
		}
	})
}

// TestStopWhileReloading ends both generations.
func TestStopWhileReloading(t *testing.T) {
	for _, o := range []channel.Op{channel.Hello, channel.Prepare, channel.Start, channel.Freeze} {
		try(t, two(3), func(t *trial) {
			if o == channel.Freeze {
				t.next(op(o, never))
			}
			t.start()
			if o != channel.Freeze {
				t.next(op(o, never))
			}
			failed := make(chan error)
			go func() { failed <- t.tryReload() }()
			synctest.Wait()
			began := time.Now()
			go t.s.Stop(Prompt)
			if err := <-failed; err == nil {
				t.Errorf("%s: the reload succeeded", o)
			}
			t.s.Stop(Prompt)
			if took := time.Since(began); took > 0 {
				t.Errorf("%s: the stop took %v", o, took)
			}
		})
	}
}

// TestReloadPatience keeps predecessors as long as they have connections, and no longer than the limit.
func TestReloadPatience(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		before := t.serving()
		if _, err := t.s.Reload(t.image(), Manner{Patient: true}, noHook); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		if got := t.stateOf(before["a/0"]); got != "leaving" {
			t.Errorf("before the limit the predecessor is %s", got)
		}
		time.Sleep(2 * time.Second)
		if got := t.stateOf(before["a/0"]); got != "ended" {
			t.Errorf("after the limit the predecessor is %s", got)
		}
	})
}

// TestReloadWhileStarting waits for the start to be over.
func TestReloadWhileStarting(t *testing.T) {
	try(t, two(2), func(t *trial) {
		slow := make(chan struct{})
		t.next(op(channel.Start, func(*fake) error { <-slow; return nil }))
		started := make(chan error)
		go func() { started <- t.s.Start(context.Background()) }()
		synctest.Wait()
		if _, err := t.s.Reload(t.image(), Manner{}, noHook); !errors.Is(err, ErrReloading) {
			t.Errorf("a reload during the start: %v", err)
		}
		close(slow)
		if err := <-started; err != nil {
			t.Error(err)
		}
		if got := t.serving(); len(got) != 3 {
			t.Errorf("%v serve", got)
		}
	})
}
