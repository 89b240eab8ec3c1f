//go:build unix

package master

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/channel"
)

// become has a Supervisor go on in the place of the trial's, with what that has saved, as a text. The old one stops for
// good, as one does whose program is gone.
func (t *trial) become(changes ...func(*Saved)) Saved {
	t.Helper()
	old := t.s
	rest, err := old.Suspend()
	if err != nil {
		t.Fatal(err)
	}
	for i, fd := range rest.Images { // both Supervisors are in this process, and close what they have
		if rest.Images[i], err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(rest.Saved)
	if err != nil {
		t.Fatal(err)
	}
	old.cancel()
	close(old.urged) // who waits for a process that leaves does so no more
	synctest.Wait()  // nor does a keeper for its turn
	rest.End()
	synctest.Wait()
	for _, i := range old.images {
		i.Close()
	}
	var saved Saved
	if err := json.Unmarshal(text, &saved); err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change(&saved)
	}
	config := old.config
	config.Image = nil
	if t.s, err = Restore(config, saved); err != nil {
		t.Fatal(err)
	}
	t.machine.mu.Lock()
	defer t.machine.mu.Unlock()
	t.machine.images = append(t.machine.images, t.s.images...)
	return saved
}

// TestBecome has a second Supervisor go on with the processes of a first: all that it knew, and all that it did.
func TestBecome(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		t.next(deaf)
		t.reload()
		before, snapshot, listening := t.serving(), t.s.Snapshot(), t.s.Listening()
		saved := t.become()
		if got := t.serving(); !reflect.DeepEqual(got, before) {
			t.Errorf("%v serve, want %v", got, before)
		}
		after := t.s.Snapshot()
		for i := range after.Processes {
			if !after.Processes[i].Born.Equal(snapshot.Processes[i].Born) {
				t.Errorf("%+v, and it was %+v", after.Processes[i], snapshot.Processes[i])
			}
			after.Processes[i].Born = snapshot.Processes[i].Born // without the monotonic clock
		}
		if !reflect.DeepEqual(after, snapshot) || !reflect.DeepEqual(t.s.Listening(), listening) {
			t.Errorf("%+v and %v,\nand it was %+v and %v", after, t.s.Listening(), snapshot, listening)
		}
		if again := t.become(); !reflect.DeepEqual(withoutImages(again), withoutImages(saved)) {
			t.Errorf("saved again, without a change between:\n%+v\n%+v", again, saved)
		}
	})
}

// withoutImages is a state but for the descriptors that a test duplicates.
func withoutImages(s Saved) Saved {
	s.Images = nil
	return s
}

// TestBecomeSupervises has the second Supervisor do what the first one did: replace who dies, is spent, or is
// reloaded, and end who leaves.
func TestBecomeSupervises(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		before := t.serving()
		t.become()
		t.process(before["a/1"]).exit(Status{Code: 3})
		died := fmt.Sprintf("a/1 (pid %d) ended with exit code 3", before["a/1"])
		if t.serving()["a/1"] == before["a/1"] || t.logged(died) != 1 {
			t.Error("nobody has replaced who has died")
		}
		t.recycle("b/0")
		if t.serving()["b/0"] == before["b/0"] {
			t.Error("nobody has replaced who asked for it")
		}
		serving := t.serving()
		t.reload()
		for name, pid := range t.serving() {
			if pid == serving[name] {
				t.Errorf("%s was not reloaded", name)
			}
		}
	})
}

// TestBecomeLeaving has a predecessor leave across two Supervisors: the second one kills it when its time is over,
// counted from its beginning, and no earlier.
func TestBecomeLeaving(t *testing.T) {
	try(t, two(1), func(t *trial) {
		t.start()
		before := t.serving()
		for _, pid := range before {
			t.change(pid, deaf)
		}
		t.reload()
		time.Sleep(1500 * time.Millisecond)
		t.become()
		time.Sleep(400 * time.Millisecond)
		if state := t.stateOf(before["a/0"]); state != "leaving" {
			t.Errorf("after 1.9 s of 2 it is %s", state)
		}
		time.Sleep(200 * time.Millisecond)
		killed := t.logged("has not ended within 2s: it is killed")
		if state := t.stateOf(before["a/0"]); state != "ended" || killed != 2 {
			t.Errorf("after 2.1 s of 2 it is %s; %d were killed", state, killed)
		}
		leaves := 0
		for _, e := range t.seen() {
			if strings.HasPrefix(e, "leave ") {
				leaves++
			}
		}
		if leaves != 2 {
			t.Errorf("%d times somebody was told to leave, want once each", leaves)
		}
	})
}

// TestBecomeClock has the clock be set while a predecessor leaves: its time stays as long as it is.
func TestBecomeClock(t *testing.T) {
	for _, jump := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		try(t, two(1), func(t *trial) {
			t.start()
			before := t.serving()
			for _, pid := range before {
				t.change(pid, deaf)
			}
			t.reload()
			time.Sleep(1500 * time.Millisecond)
			t.become(func(s *Saved) {
				for _, p := range s.Processes {
					if p.Leaving != nil {
						p.Leaving.Since = p.Leaving.Since.Add(-jump) // as the clock that was set sees it
					}
				}
			})
			time.Sleep(400 * time.Millisecond)
			if state := t.stateOf(before["a/0"]); state != "leaving" {
				t.Errorf("set by %v: after 1.9 s of 2 it is %s", jump, state)
			}
			time.Sleep(200 * time.Millisecond)
			if state := t.stateOf(before["a/0"]); state != "ended" {
				t.Errorf("set by %v: after 2.1 s of 2 it is %s", jump, state)
			}
		})
	}
}

// TestBecomeVacant has a slot be vacant, which a sibling accepts for: it is filled, and the sibling is told so.
func TestBecomeVacant(t *testing.T) {
	workers := two(2)
	workers[0].ReusePort = true
	try(t, workers, func(t *trial) {
		t.start()
		plain := t.behave
		t.next(op(channel.Prepare, refuse))
		t.process(t.serving()["a/1"]).exit(Status{Code: 3})
		synctest.Wait()
		t.behaveLike(plain)
		t.become()
		if t.serving()["a/1"] == 0 {
			t.Fatal("the slot is vacant")
		}
		lent := 0
		for _, e := range t.seen() {
			switch {
			case strings.HasPrefix(e, "adopt a/0"):
				lent++
			case strings.HasPrefix(e, "return a/0"):
				lent--
			}
		}
		if lent != 0 {
			t.Errorf("a sibling accepts for it still: %v", t.seen())
		}
	})
}

// TestBecomeEnds has a process end while the Supervisor rests: the second one says how, once.
func TestBecomeEnds(t *testing.T) {
	try(t, two(1), func(t *trial) {
		t.start()
		pid := t.serving()["a/0"]
		t.change(pid, op(suspended, func(f *fake) error { f.exit(Status{Code: 9}); return nil }))
		t.become()
		if t.serving()["a/0"] == pid {
			t.Error("nobody has replaced it")
		}
		exits := t.s.Snapshot().Exits
		if len(exits) != 1 || exits[0] != (ExitCount{Worker: "a", Status: Status{Code: 9}, Count: 1}) {
			t.Errorf("the ends that are known: %v", exits)
		}
	})
}

// TestBecomeSpent has a process ask for a successor while the Supervisor comes to rest: the second one gives it one.
func TestBecomeSpent(t *testing.T) {
	try(t, two(1), func(t *trial) {
		t.start()
		pid := t.serving()["a/0"]
		t.change(pid, op(suspended, func(f *fake) error {
			_, _, err := f.ask(channel.Recycle, nil)
			return err
		}))
		t.become()
		if t.serving()["a/0"] == pid {
			t.Error("nobody has replaced it")
		}
	})
}

// TestSuspendFails has the Supervisor not come to rest, for each reason: it says which, and goes on.
func TestSuspendFails(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *trial) (mend func())
		words string
	}{
		"a reload": {func(t *trial) func() {
			t.s.reloading <- struct{}{}
			return func() { <-t.s.reloading }
		}, "a start or a reload is under way"},
		"a start": {func(t *trial) func() {
			sl := t.s.groups[0].slots[1]
			sl.turn <- struct{}{}
			return func() { <-sl.turn }
		}, "a/1 is being started"},
		"a hook": {func(t *trial) func() {
			t.s.noting <- struct{}{}
			return func() { <-t.s.noting }
		}, "OnExit of the master has not returned"},
		"an errand": {func(t *trial) func() {
			done := make(chan struct{})
			t.s.errands.run(func() { <-done })
			return func() { close(done) }
		}, "a process does not take what it is told"},
		"a request": {func(t *trial) func() {
			pid := t.serving()["b/0"]
			t.change(pid, op(suspended, never))
			return func() { t.change(pid, op(suspended, nil)) }
		}, "b/0 (pid "},
	} {
		try(t, two(2), func(t *trial) {
			t.start()
			before := t.serving()
			mend := c.spoil(t)
			if _, err := t.s.Suspend(); err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%s: %v", name, err)
			}
			mend()
			synctest.Wait()
			rest, err := t.s.Suspend()
			if err != nil {
				t.Fatalf("%s is over: %v", name, err)
			}
			rest.End()
			t.process(before["a/0"]).exit(Status{})
			if t.serving()["a/0"] == before["a/0"] {
				t.Errorf("%s: it supervises no more", name)
			}
		})
	}
}

// TestSuspendStopped has the program be stopped while the Supervisor comes to rest, and before: it does not rest.
func TestSuspendStopped(t *testing.T) {
	try(t, two(1), func(t *trial) {
		t.start()
		t.change(t.serving()["a/0"], op(suspended, never))
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			time.Sleep(time.Second)
			t.s.Stop(Prompt)
		}()
		began := time.Now()
		if _, err := t.s.Suspend(); err != errStopping || time.Since(began) != time.Second {
			t.Errorf("%v, after %v", err, time.Since(began))
		}
		<-stopped
		if _, err := t.s.Suspend(); err != errStopping {
			t.Error(err)
		}
	})
}

// TestRestoreRefuses has a state be of other workers, or of nonsense.
func TestRestoreRefuses(t *testing.T) {
	good := func() Saved {
		return Saved{
			Slots: []SavedSlot{{Worker: 0, ID: 0}, {Worker: 0, ID: 1}, {Worker: 1, ID: 0}},
		}
	}
	workers := []Worker{{Worker: channel.Worker{Name: "a", Count: 2}}, {Worker: channel.Worker{Name: "b", Count: 1}}}
	if s := good(); s.Fits(workers) != nil {
		t.Error(s.Fits(workers))
	}
	for name, spoil := range map[string]func(*Saved){
		"fewer":      func(s *Saved) { s.Slots = s.Slots[1:] },
		"no worker":  func(s *Saved) { s.Slots[0].Worker = 2 },
		"below zero": func(s *Saved) { s.Slots[0].ID = -1 },
		"no process": func(s *Saved) { s.Slots[2].ID = 1 },
	} {
		s := good()
		spoil(&s)
		if err := s.Fits(workers); err == nil || !strings.Contains(err.Error(), "needs a restart") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Restore(Config{Workers: workers, System: &machine{}}, s); err == nil {
			t.Errorf("%s: it goes on", name)
		}
	}
	for name, spoil := range map[string]func(*Saved){
		"no image":        func(s *Saved) {},
		"an image closed": func(s *Saved) { s.Images = []int{-1} },
		"a process":       func(s *Saved) { s.Processes = []SavedProcess{{Worker: 5}} },
		"a pid":           func(s *Saved) { s.Processes = []SavedProcess{{PID: 77}} },
		"a socket":        func(s *Saved) { s.Sockets = []SavedSocket{{Worker: -1}} },
		"a descriptor":    func(s *Saved) { s.Sockets = []SavedSocket{{Path: "nowhere"}} },
	} {
		s := good()
		spoil(&s)
		if _, err := Restore(Config{Workers: workers, System: &machine{}}, s); err == nil {
			t.Errorf("%s: it goes on", name)
		}
	}
}
