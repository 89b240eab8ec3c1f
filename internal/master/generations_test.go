//go:build unix

package master

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// imageOf is the program that serves as a name.
func (t *trial) imageOf(name string) *Image {
	t.Helper()
	pid := t.serving()[name]
	if pid == 0 {
		t.Fatalf("nobody serves as %s", name)
	}
	return t.process(pid).image
}

// TestImages keeps a program open as long as a process may be started from it, and starts every process again from its
// own.
func TestImages(t *testing.T) {
	workers := two(2)
	workers[1].NoReload = true
	try(t, workers, func(t *trial) {
		t.start()
		plain := t.behave
		first := t.imageOf("a/0")
		failing := t.image()
		t.behaveLike(plain, op(channel.Prepare, refuse))
		if _, err := t.s.Reload(failing, Manner{}, noHook); err == nil {
			t.Fatal("the reload succeeded")
		}
		if !failing.isClosed() || first.isClosed() {
			t.Error("after a reload that failed, the wrong program is open")
		}
		half := t.image()
		t.behaveLike(plain, op(channel.Start, func(f *fake) error {
			if f.name == "a/1" {
				return errRefused
			}
			return nil
		}))
		if _, err := t.s.Reload(half, Manner{}, noHook); err == nil {
			t.Fatal("the reload succeeded")
		}
		t.behaveLike(plain)
		t.kill("a/0")
		t.kill("a/1")
		t.kill("b/0")
		if half.isClosed() || first.isClosed() {
			t.Error("after a reload that went half through, a program is closed that is needed")
		}
		if t.imageOf("a/0") != half || t.imageOf("a/1") != first || t.imageOf("b/0") != first {
			t.Error("a process was started again from another program")
		}
		last := t.image()
		if _, err := t.s.Reload(last, Manner{}, noHook); err != nil {
			t.Fatal(err)
		}
		t.recycle("a/0")
		if t.imageOf("a/0") != last || !half.isClosed() || first.isClosed() || last.isClosed() {
			t.Error("after a reload, the wrong programs are open")
		}
	})
}

// TestReloadLaunchFails has nothing but the reload fail where no process can be made.
func TestReloadLaunchFails(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		before := t.serving()
		t.launching = errors.New("fork: no memory")
		_, err := t.s.Reload(t.image(), Manner{}, noHook)
		if err == nil || !strings.Contains(err.Error(), "does not start: fork: no memory") {
			t.Errorf("the error is %v", err)
		}
		if after := t.serving(); !maps.Equal(before, after) {
			t.Errorf("%v became %v", before, after)
		}
	})
}

// TestReloadHook starts nothing if the hook before it fails, and says what it said.
func TestReloadHook(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		ended := false
		refused := errors.New("not now")
		_, err := t.s.Reload(t.image(), Manner{}, func() (func(), error) { return func() { ended = true }, refused })
		if !errors.Is(err, refused) || !ended || len(t.processes) != 3 {
			t.Errorf("%v; %d processes", err, len(t.processes))
		}
	})
}

// TestReloadVacant fills the place of a process that crashes, at once, in its pause or in the middle of its start.
func TestReloadVacant(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(*fake)
		waits time.Duration
	}{
		"in its pause": {op(channel.Prepare, perish), 10 * time.Second},
		"in hello":     {op(channel.Hello, never), 0},
		"in start":     {op(channel.Start, never), 0},
	} {
		try(t, two(2), func(t *trial) {
			t.start()
			plain := t.behave
			t.behaveLike(plain, c.fault)
			t.kill("a/1")
			time.Sleep(c.waits)
			t.behaveLike(plain)
			image := t.image()
			if _, err := t.s.Reload(image, Manner{}, noHook); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if t.imageOf("a/1") != image || len(t.serving()) != 3 {
				t.Errorf("%s: %v serve", name, t.serving())
			}
			after := t.serving()
			time.Sleep(time.Minute)
			if later := t.serving(); !maps.Equal(after, later) {
				t.Errorf("%s: %v became %v", name, after, later)
			}
		})
	}
}

// TestReloadCrashes has each process die while all others are succeeded or while its own successor comes: afterwards
// one serves in each place, the new one unless that failed.
func TestReloadCrashes(t *testing.T) {
	for _, at := range []channel.Op{channel.Hello, channel.Prepare, channel.Start} {
		for _, victim := range []string{"a/0", "a/1", "b/0"} {
			for _, fails := range []bool{false, true} {
				try(t, two(2), func(t *trial) {
					t.start()
					plain, before := t.behave, t.serving()
					hit := make(chan bool, 1)
					hit <- true
					kill := func(*fake) error {
						select {
						case <-hit:
							t.process(before[victim]).Kill()
						default:
						}
						time.Sleep(time.Second) // in which it is replaced already
						return nil
					}
					t.behaveLike(plain, op(at, kill), func(f *fake) {
						begin := f.answers[channel.Start]
						f.answers[channel.Start] = func(f *fake) error {
							if begin != nil {
								_ = begin(f) // kill, which does not fail
							}
							if fails && f.name == victim && f.image != t.s.config.Image {
								return errRefused
							}
							return nil
						}
					})
					_, err := t.s.Reload(t.image(), Manner{}, noHook)
					if (err != nil) != fails {
						t.Errorf("%s, %s: %v", at, victim, err)
					}
					t.behaveLike(plain)
					time.Sleep(time.Minute)
					after := t.serving()
					if len(after) != 3 || after[victim] == before[victim] ||
						!fails && t.imageOf(victim) == t.s.config.Image {
						t.Errorf("%s, %s, fails %v: %v became %v", at, victim, fails, before, after)
					}
				})
			}
		}
	}
}

// TestKept tells those that stay, says which could not be told, and waits for none longer than a step may take.
func TestKept(t *testing.T) {
	workers := two(2)
	workers[0].NoReload = true
	for name, c := range map[string]struct {
		act  func(*fake) error
		text string
		took time.Duration
	}{
		"refused":   {refuse, "was not told of the reload: it will not", 0},
		"it ends":   {perish, "was not told of the reload: channel: closed", 0},
		"no answer": {never, "was not told of the reload: context deadline exceeded", 10 * time.Second},
	} {
		try(t, workers, func(t *trial) {
			t.start()
			before := t.serving()
			t.change(before["a/1"], op(channel.Reload, c.act))
			began := time.Now()
			_, err := t.s.Reload(t.image(), Manner{}, noHook)
			if err == nil || !strings.Contains(err.Error(), c.text) || strings.Count(err.Error(), "a/") != 1 {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took != c.took {
				t.Errorf("%s: it took %v", name, took)
			}
			if after := t.serving(); len(after) != 3 || after["a/0"] != before["a/0"] || after["b/0"] == before["b/0"] {
				t.Errorf("%s: %v became %v", name, before, after)
			}
		})
	}
}

// TestRecycleEarly replaces a process that asks for it in its OnStart, whatever it is started for.
func TestRecycleEarly(t *testing.T) {
	for name, begin := range map[string]func(t *trial){
		"restarted": func(t *trial) { t.kill("a/0") },
		"recycled":  func(t *trial) { t.recycle("a/0") },
		"reloaded":  func(t *trial) { t.reload() },
	} {
		try(t, two(1), func(t *trial) {
			t.start()
			plain, early := t.behave, 0
			t.behaveLike(plain, op(channel.Start, func(f *fake) error {
				if f.name != "a/0" || early > 0 {
					return nil
				}
				early = f.pid
				_, _, err := f.ask(channel.Recycle, nil)
				return err
			}))
			begin(t)
			if got := t.serving()["a/0"]; early == 0 || got <= early || len(t.serving()) != 2 {
				t.Errorf("%s: pid %d asked for a replacement, and %d serves", name, early, got)
			}
		})
	}
}

// TestSecondReload closes the program that it was given.
func TestSecondReload(t *testing.T) {
	try(t, two(1), func(t *trial) {
		t.start()
		slow := make(chan struct{})
		t.next(op(channel.Prepare, func(*fake) error { <-slow; return nil }))
		first := make(chan error)
		go func() { first <- t.tryReload() }()
		synctest.Wait()
		image := t.image()
		if _, err := t.s.Reload(image, Manner{}, noHook); !errors.Is(err, ErrReloading) || !image.isClosed() {
			t.Errorf("%v; its image is closed: %v", err, image.isClosed())
		}
		close(slow)
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}
