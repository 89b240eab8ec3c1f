//go:build unix

package master

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// able is a process that hands over, and one that takes what is handed over.
func able(f *fake) {
	f.handover, f.program = 1, "v1"
	f.handed = channel.Handed{Crossed: 7, Stayed: map[string]int{"it is busy": 2}}
	f.started = channel.Started{Kept: 7, Pauses: []channel.Pause{{Conns: 7, Time: time.Millisecond}}}
}

// one is a program of one process.
func one() []channel.Worker { return []channel.Worker{{Name: "a", Addr: "one", Count: 1}} }

// after has something be answered later.
func after(d time.Duration, act func(*fake) error) func(*fake) error {
	return func(f *fake) error {
		select {
		case <-f.exited:
		case <-time.After(d):
		}
		return act(f)
	}
}

func obey(*fake) error { return nil }

// untilGone has a predecessor answer when the stream ends: when the process that came after it has.
func untilGone(act func(*fake) error) func(*fake) error {
	return func(f *fake) error {
		f.machine.mu.Lock()
		successor := f.machine.processes[f.pid]
		f.machine.mu.Unlock()
		select {
		case <-successor.exited:
		case <-f.exited:
		}
		return act(f)
	}
}

// TestHandover has connections cross in every slot, and reports it.
func TestHandover(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.next(able)
		t.start()
		before := t.serving()
		t.next(func(f *fake) { f.program = "v2" })
		r, err := t.s.Reload(t.image(), Manner{}, noHook)
		if err != nil {
			t.Fatal(err)
		}
		if r.Kept() != 21 || r.Drained() != 6 || len(r.Slots) != 3 || len(r.Rest) != 0 {
			t.Errorf("the report: %+v", r)
		}
		for _, s := range r.Slots {
			if s.Old != "v1" || s.New != "v2" || s.Drains != "" || s.Crossed != 7 || len(s.Pauses) != 1 || s.Died {
				t.Errorf("the report: %+v", s)
			}
		}
		after := t.serving()
		for name, pid := range before {
			if after[name] == pid || t.stateOf(pid) != "ended" {
				t.Errorf("%s was pid %d, which is %s, and is %d", name, pid, t.stateOf(pid), after[name])
			}
		}
		p, q := fmt.Sprintf(" a/0 %d", before["a/0"]), fmt.Sprintf(" a/0 %d", after["a/0"])
		asked := slices.DeleteFunc(t.seen(), func(e string) bool {
			return !strings.HasSuffix(e, p) && e != "start"+q || e == "prepare"+p || e == "start"+p
		})
		sideBySide := asked[1:3]
		slices.Sort(sideBySide)
		if want := []string{"freeze" + p, "hand" + p, "start" + q, "leave" + p}; !slices.Equal(asked, want) {
			t.Errorf("asked were %q, want %q", asked, want)
		}
	})
}

// TestHandoverFaults has each side answer, fail, die and stay silent, and be the first or the second to do so. One
// process serves afterwards: the new one, the old one with its connections or, if both have died, another one.
func TestHandoverFaults(t *testing.T) {
	const (
		old  = "old"
		next = "new"
		none = "started again"
	)
	first, second := time.Second, 2*time.Second
	back := "; a/0 (pid 1) has its connections back, and serves on"
	for _, c := range []struct {
		name   string
		hand   func(*fake) error // of the predecessor
		start  func(*fake) error // of the successor; nil: it is as good as its predecessor's death
		text   string            // of the error; empty: none
		serves string
		took   time.Duration
	}{
		{"both", after(first, obey), after(second, obey), "", next, second},
		{"both, the successor first", after(second, obey), after(first, obey), "", next, second},

		{"it takes back", after(first, refuse), never, "hand its connections over: it will not" + back, old, first},
		{"it takes back, and the successor serves", after(second, refuse), after(first, obey),
			"hand its connections over: it will not" + back, old, second},
		{"it takes back from one that failed", after(second, refuse), after(first, refuse),
			"a/0 (pid 2) does not start: it will not" + back, old, second},
		{"it takes back from one that died", after(second, refuse), after(first, perish),
			"a/0 (pid 2) does not start: it ended with exit code 3; the log has what it said" + back, old, second},
		{"it takes back from one that is slow", after(10*time.Second, refuse), never,
			"hand its connections over: it will not" + back, old, 10 * time.Second},

		{"it dies, the successor has them", after(first, perish), nil, "", next, first},
		{"it dies, and so does the successor", after(first, perish), after(second, perish),
			"does not start: it ended with exit code 3", none, second},
		{"it dies, the successor has not all", after(first, perish), after(second, refuse),
			"does not start: it will not", none, second},
		{"it dies, the successor is silent", after(first, perish), never, "after 40s", none, 40 * time.Second},
		{"it dies when the successor serves", after(second, perish), after(first, obey), "", next, second},

		{"it is silent, the successor serves", never, after(first, obey), "", next, 3 * time.Second},
		{"it is silent, the successor fails", never, after(first, refuse), "it will not", none, 3 * time.Second},
		{"it is silent, the successor dies", never, after(first, perish), "exit code 3", none, 3 * time.Second},
		{"both are silent", never, never, "not ready after 40s", none, 42 * time.Second},
		{"it waits for the last word of a successor that hangs", untilGone(obey), never,
			"not ready after 40s; 7 connections of a/0 (pid 1), which had crossed, have ended", old, 40 * time.Second},
		{"it hears that the successor dies", untilGone(refuse), after(first, perish),
			"a/0 (pid 2) does not start: it ended with exit code 3; the log has what it said" + back, old, first},

		{"they crossed, the successor fails", after(first, obey), after(second, refuse),
			"does not start: it will not; 7 connections of a/0 (pid 1), which had crossed, have ended", old, second},
		{"they crossed, the successor dies", after(first, obey), after(second, perish),
			"exit code 3; the log has what it said; 7 connections of a/0 (pid 1), which", old, second},
		{"they crossed, the successor is silent", after(first, obey), never,
			"not ready after 40s; 7 connections of a/0 (pid 1), which had crossed, have ended", old, 40 * time.Second},
	} {
		try(t, one(), func(t *trial) {
			t.next(able)
			t.next(op(channel.Hand, c.hand))
			t.start()
			if c.start == nil {
				p := t.process(1)
				c.start = func(*fake) error { <-p.exited; return nil }
			}
			t.next(op(channel.Start, func(f *fake) error {
				if f.pid == 2 {
					return c.start(f)
				}
				return nil // it is started again
			}))
			began := time.Now()
			r, err := t.s.Reload(t.image(), Manner{}, noHook)
			if took := time.Since(began); took != c.took {
				t.Errorf("%s: it took %v, want %v", c.name, took, c.took)
			}
			if (err == nil) != (c.text == "") || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: %v", c.name, err)
			}
			if err == nil && r.Kept() != 7 || err != nil && len(r.Slots) != 0 {
				t.Errorf("%s: the report: %+v", c.name, r)
			}
			if err == nil && r.Slots[0].Died != (t.stateOf(1) == "ended" && r.Drained() == 0) {
				t.Errorf("%s: the report: %+v", c.name, r)
			}
			pid := map[string]int{old: 1, next: 2, none: 3}[c.serves]
			if got := t.serving(); !maps.Equal(got, map[string]int{"a/0": pid}) {
				t.Errorf("%s: %v serve, want pid %d", c.name, got, pid)
			}
			time.Sleep(time.Minute)
			if got := t.serving(); !maps.Equal(got, map[string]int{"a/0": pid}) {
				t.Errorf("%s: a minute later %v serve, want pid %d", c.name, got, pid)
			}
		})
	}
}

// TestHandoverNever lets a predecessor go on only when its successor has ended, though that says that it serves.
func TestHandoverNever(t *testing.T) {
	try(t, one(), func(t *trial) {
		t.next(able)
		t.next(op(channel.Hand, after(time.Second, refuse)))
		t.next(op(channel.Resume, func(f *fake) error {
			if f.pid == 1 && t.stateOf(2) != "ended" {
				t.Errorf("it goes on while its successor is %s", t.stateOf(2))
			}
			return nil
		}))
		t.start()
		if err := t.tryReload(); err == nil {
			t.Error("the reload succeeded")
		}
		if n := len(slices.DeleteFunc(t.seen(), func(e string) bool { return e != "resume a/0 1" })); n != 1 {
			t.Errorf("it was told to go on %d times", n)
		}
	})
}

// TestHandoverHalfWay stops at the slot whose process has taken its connections back.
func TestHandoverHalfWay(t *testing.T) {
	try(t, two(3), func(t *trial) {
		t.next(able)
		t.next(op(channel.Hand, func(f *fake) error {
			if f.name == "a/1" {
				return errRefused
			}
			return nil
		}))
		t.start()
		before := t.serving()
		r, err := t.s.Reload(t.image(), Manner{}, noHook)
		if err == nil || !strings.Contains(err.Error(), "on; a/0 run the new program, the others still the old") {
			t.Errorf("the error is %v", err)
		}
		if len(r.Slots) != 1 || r.Slots[0].Worker != "a" || r.Slots[0].ID != 0 || r.Kept() != 7 {
			t.Errorf("the report: %+v", r)
		}
		after := t.serving()
		if after["a/0"] == before["a/0"] {
			t.Error("a/0 is still the old one")
		}
		after["a/0"] = before["a/0"]
		if !maps.Equal(before, after) {
			t.Errorf("%v became %v", before, after)
		}
	})
}

// TestHandoverPair fails where no pair can be made.
func TestHandoverPair(t *testing.T) {
	try(t, one(), func(t *trial) {
		t.next(able)
		t.start()
		t.pairing = errors.New("too many open files")
		if err := t.tryReload(); err == nil || !strings.Contains(err.Error(), "over: too many open files") {
			t.Errorf("the error is %v", err)
		}
		if got := t.serving(); got["a/0"] != 1 || t.stateOf(2) != "ended" {
			t.Errorf("%v serve", got)
		}
	})
}

// TestHandoverHindered reloads as if there were no handover where one side knows of none, or the command asks for it.
func TestHandoverHindered(t *testing.T) {
	for _, c := range []struct {
		old, next int
		how       Manner
		why       Hindrance
	}{
		{0, 1, Manner{}, OldHasNo}, {1, 0, Manner{}, NewHasNo}, {0, 0, Manner{}, OldHasNo},
		{1, 1, Manner{Drain: true}, AsAsked}, {2, 1, Manner{Drain: true}, AsAsked}, {1, 2, Manner{}, ""},
	} {
		try(t, one(), func(t *trial) {
			t.next(able)
			t.next(func(f *fake) { f.handover = c.old })
			t.start()
			t.next(func(f *fake) { f.handover = c.next })
			r, err := t.s.Reload(t.image(), c.how, noHook)
			if err != nil || len(r.Slots) != 1 || r.Slots[0].Drains != c.why {
				t.Errorf("%+v: %+v, %v", c, r, err)
			}
			if asked := slices.Contains(t.seen(), "hand a/0 1"); asked != (c.why == "") {
				t.Errorf("%+v: it was asked to hand over: %v", c, asked)
			}
			if got := t.serving()["a/0"]; got != 2 {
				t.Errorf("%+v: pid %d serves", c, got)
			}
		})
	}
}

// TestHandoverOlder refuses a program that does not understand what would be handed over, before anything stands still.
func TestHandoverOlder(t *testing.T) {
	try(t, one(), func(t *trial) {
		t.next(able)
		t.next(func(f *fake) { f.handover = 2 })
		t.start()
		t.next(func(f *fake) { f.handover = 1 })
		err := t.tryReload()
		if err == nil || !strings.Contains(err.Error(), "version 2: reload --drain, or restart") {
			t.Errorf("the error is %v", err)
		}
		if slices.Contains(t.seen(), "freeze a/0 1") || t.serving()["a/0"] != 1 {
			t.Errorf("%v serve, asked were %q", t.serving(), t.seen())
		}
	})
}

// TestHandoverRecycle hands over to a replacement, too, and goes on if that fails.
func TestHandoverRecycle(t *testing.T) {
	try(t, one(), func(t *trial) {
		t.next(able)
		t.start()
		t.recycle("a/0")
		if !slices.Contains(t.seen(), "hand a/0 1") || t.serving()["a/0"] != 2 {
			t.Errorf("%v serve, asked were %q", t.serving(), t.seen())
		}
		t.change(2, op(channel.Hand, refuse))
		t.recycle("a/0")
		if t.serving()["a/0"] != 2 || t.logged("was not recycled") != 1 {
			t.Errorf("%v serve; the log: %s", t.serving(), t.log.String())
		}
	})
}

// TestHandoverRoom tells a successor how many connections will come: those that its predecessor had at its last
// heartbeat or, before the first one, has taken over.
func TestHandoverRoom(t *testing.T) {
	try(t, one(), func(t *trial) {
		t.next(able)
		t.start()
		t.change(1, func(f *fake) { f.heartbeat = func() channel.Heartbeat { return channel.Heartbeat{Conns: 9} } })
		time.Sleep(2 * heartbeatEvery)
		t.reload()
		t.reload()
		t.serving()
		for pid, want := range map[int]int{1: 0, 2: 9, 3: 7} {
			if got := t.process(pid).prospect.Conns; got != want {
				t.Errorf("process %d is told of %d connections, want %d", pid, got, want)
			}
		}
	})
}

// TestHandoverStop ends a handover at once.
func TestHandoverStop(t *testing.T) {
	for name, acts := range map[string][2]func(*fake) error{
		"both are silent": {never, never}, "the predecessor": {never, obey}, "the successor": {obey, never},
	} {
		try(t, one(), func(t *trial) {
			t.next(able)
			t.next(op(channel.Hand, acts[0]))
			t.start()
			t.next(op(channel.Start, acts[1]))
			failed := make(chan error)
			go func() { failed <- t.tryReload() }()
			synctest.Wait()
			began := time.Now()
			go t.s.Stop(Prompt)
			if err := <-failed; err == nil {
				t.Errorf("%s: the reload succeeded", name)
			}
			t.s.Stop(Prompt)
			if took := time.Since(began); took > 0 {
				t.Errorf("%s: the stop took %v", name, took)
			}
		})
	}
}

// TestHandoverWithin tells a predecessor how long its successor may take to start. With many connections the limits are
// longer.
func TestHandoverWithin(t *testing.T) {
	try(t, one(), func(t *trial) {
		for limit, want := range map[time.Duration]transferTimes{
			time.Minute: {time.Minute, 90 * time.Second, 2 * time.Second},
			-1:          {24 * time.Hour, 0, 2 * time.Second},
		} {
			t.s.config.Start = limit
			if got := (&process{slot: t.s.slots()[0]}).transferTimes(); got != want {
				t.Errorf("%v: %+v, want %+v", limit, got, want)
			}
		}
		t.s.config.Start = time.Minute
		many := &process{slot: t.s.slots()[0], heartbeat: channel.Heartbeat{Conns: 1_000_000}}
		want := transferTimes{time.Minute, 190 * time.Second, 102 * time.Second}
		if got := many.transferTimes(); got != want {
			t.Errorf("with a million connections: %+v, want %+v", got, want)
		}
		t.s.config.Start = 10 * time.Second
	})
}
