//go:build unix

package master

import (
	"context"
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

// TestStartOrder has the first process of each worker be ready before its siblings' OnStart runs.
func TestStartOrder(t *testing.T) {
	try(t, two(3), func(t *trial) {
		t.start()
		if got := t.serving(); len(got) != 4 {
			t.Fatalf("%v serve, want four", got)
		}
		var starts []string
		for _, e := range t.seen() {
			if rest, ok := strings.CutPrefix(e, "start "); ok {
				starts = append(starts, strings.Fields(rest)[0])
			}
		}
		firsts := starts[:2]
		slices.Sort(firsts)
		if !slices.Equal(firsts, []string{"a/0", "b/0"}) {
			t.Errorf("they started in the order %v", starts)
		}
	})
}

// TestStartTaken starts nothing where an address is taken.
func TestStartTaken(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.taken["two"] = true
		err := t.s.Start(context.Background())
		var unheard *ListenError
		if !errors.As(err, &unheard) || unheard.Worker != 1 {
			t.Errorf("the error is %v", err)
		}
		if len(t.processes) > 0 {
			t.Errorf("%d processes were started", len(t.processes))
		}
	})
}

// TestStartFaults has each step of the start fail, in one process or in all: the error says which and why, and nothing
// is left.
func TestStartFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(f *fake)
		text  string
	}{
		{"other version", func(f *fake) { f.version++ }, "another version of Lineman"},
		{"other workers", func(f *fake) { f.workers = nil }, "has 0 workers now"},
		{"hello: an error", op(channel.Hello, refuse), "does not start: it will not"},
		{"hello: it ends", op(channel.Hello, perish), "does not start: it ended with exit code 3"},
		{"hello: no answer", op(channel.Hello, never), "does not start: it is not ready after 10s"},
		{"prepare: an error", op(channel.Prepare, refuse), "does not prepare: it will not"},
		{"prepare: it ends", op(channel.Prepare, perish), "does not prepare: it ended with exit code 3"},
		{"prepare: no answer", op(channel.Prepare, never), "does not prepare: it is not ready after 10s"},
		{"start: an error", op(channel.Start, refuse), "does not start: it will not"},
		{"start: it ends", op(channel.Start, perish), "does not start: it ended with exit code 3"},
		{"start: no answer", op(channel.Start, never), "does not start: it is not ready after 10s"},
		{"start of one sibling", op(channel.Start, func(f *fake) error {
			if f.name == "a/2" {
				return errRefused
			}
			return nil
		}), "a/2 (pid"},
	} {
		try(t, two(3), func(t *trial) {
			t.next(c.fault)
			err := t.s.Start(context.Background())
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: the error is %v", c.name, err)
			}
			if got := t.serving(); len(got) > 0 {
				t.Errorf("%s: %v serve", c.name, got)
			}
		})
	}
	try(t, two(3), func(t *trial) {
		t.launching = errors.New("fork: no memory")
		err := t.s.Start(context.Background())
		if err == nil || !strings.Contains(err.Error(), "does not start: fork: no memory") {
			t.Errorf("a launch that fails: %v", err)
		}
	})
}

// TestStopWhileStarting ends what has begun.
func TestStopWhileStarting(t *testing.T) {
	for _, op := range []channel.Op{channel.Hello, channel.Prepare, channel.Start} {
		try(t, two(2), func(t *trial) {
			t.next(func(f *fake) { f.answers[op] = never })
			failed := make(chan error)
			go func() { failed <- t.s.Start(context.Background()) }()
			synctest.Wait()
			t.s.Stop(Prompt)
			if err := <-failed; !errors.Is(err, errStopping) {
				t.Errorf("%s: the error is %v", op, err)
			}
		})
	}
}

// kill ends the process that serves as name and returns its pid.
func (t *trial) kill(name string) int {
	t.Helper()
	pid := t.serving()[name]
	if pid == 0 {
		t.Fatalf("nobody serves as %s", name)
	}
	t.process(pid).Kill()
	synctest.Wait()
	return pid
}

// TestBackOff starts a process again with its number and its image: at once, then after pauses that grow up to 30 s,
// with one line of log each time; one that lasted begins anew.
func TestBackOff(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		others := t.serving()
		delete(others, "a/1")
		want := []time.Duration{0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000}
		for i, pause := range want {
			began := time.Now()
			t.kill("a/1")
			time.Sleep(pause*time.Millisecond - 1)
			if pause > 0 && t.serving()["a/1"] != 0 {
				t.Errorf("after death %d it was started before %v", i+1, pause*time.Millisecond)
			}
			time.Sleep(time.Nanosecond)
			if t.serving()["a/1"] == 0 {
				t.Fatalf("after death %d nobody serves after %v", i+1, time.Since(began))
			}
			if n := t.logged("signal 9 (killed); it starts again"); n != i+1 {
				t.Errorf("death %d: %d lines in the log", i+1, n)
			}
		}
		time.Sleep(time.Minute)
		t.kill("a/1")
		if got := t.serving(); got["a/1"] == 0 {
			t.Error("a process that lasted is not started again at once")
		}
		for name, pid := range others {
			if got := t.serving()[name]; got != pid {
				t.Errorf("%s is pid %d now, and was %d", name, got, pid)
			}
		}
	})
}

// TestCrashLoop goes on trying where the start fails at each of its steps.
func TestCrashLoop(t *testing.T) {
	for _, op := range []channel.Op{channel.Hello, channel.Prepare, channel.Start} {
		try(t, two(2), func(t *trial) {
			t.start()
			behave := t.behave
			t.next(func(f *fake) { f.answers[op] = perish })
			t.kill("a/0")
			time.Sleep(time.Minute)
			if got := t.serving(); got["a/0"] != 0 || len(got) != 2 {
				t.Errorf("%s: %v serve", op, got)
			}
			if n := t.logged("a/0"); n != 11 { // at 0, 0.1, 0.3, 0.7, 1.5 … 51.1 s
				t.Errorf("%s: %d lines in a minute", op, n)
			}
			t.machine.mu.Lock()
			t.behave = behave
			t.machine.mu.Unlock()
			time.Sleep(30 * time.Second)
			if t.serving()["a/0"] == 0 {
				t.Errorf("%s: it does not recover", op)
			}
		})
	}
}

// TestHung warns of a process whose loop stands still, tells of it, and replaces it after its time.
func TestHung(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		pid := t.serving()["a/1"]
		t.machine.mu.Lock()
		t.processes[pid-1].answers[channel.Beat] = never
		t.machine.mu.Unlock()
		time.Sleep(30 * time.Second)
		if n := t.logged("stands still"); n != 1 {
			t.Errorf("%d warnings after half a minute", n)
		}
		began := time.Now()
		for _, p := range t.s.Snapshot().Processes {
			if p.PID == pid && (p.State != Busy || p.Busy < 29*time.Second) {
				t.Errorf("it is shown as %s for %v", p.State, p.Busy)
			} else if p.PID != pid && p.State != Idle {
				t.Errorf("%s/%d is shown as %s", p.Worker, p.ID, p.State)
			}
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("the snapshot waited %v for a process that is known to stand still", took)
		}
		time.Sleep(35 * time.Second)
		if got := t.serving()["a/1"]; got == pid || got == 0 {
			t.Errorf("after a minute a/1 is pid %d", got)
		}
	})
}

// TestSnapshotJustHung waits for a process that does not answer some milliseconds only.
func TestSnapshotJustHung(t *testing.T) {
	try(t, two(16), func(t *trial) {
		t.start()
		pid := t.serving()["a/1"]
		time.Sleep(3 * time.Second)
		t.machine.mu.Lock()
		t.processes[pid-1].answers[channel.Beat] = never
		t.machine.mu.Unlock()
		began := time.Now()
		if n := len(t.s.Snapshot().Processes); n != 17 {
			t.Errorf("%d processes", n)
		}
		if took := time.Since(began); took > 40*time.Millisecond {
			t.Errorf("the snapshot took %v", took)
		}
	})
}

// TestStopUrgency ends a program as urgently as it was asked to, or more so.
func TestStopUrgency(t *testing.T) {

	for _, c := range []struct {
		name    string
		obeys   bool
		stops   []Urgency // one second apart
		atLeast time.Duration
		atMost  time.Duration
	}{
		{"prompt", true, []Urgency{Prompt}, 0, 0},
		{"prompt, and it does not obey", false, []Urgency{Prompt}, 5 * time.Second, 5 * time.Second},
		{"patient", true, []Urgency{Patient}, time.Minute, time.Minute},
		{"patient, then prompt", true, []Urgency{Patient, Prompt}, time.Second, time.Second},
		{"prompt, then at once", false, []Urgency{Prompt, AtOnce}, time.Second, time.Second},
		{"at once", false, []Urgency{AtOnce}, 0, 0},
	} {
		try(t, two(2), func(t *trial) {
			if !c.obeys {
				t.next(func(f *fake) { f.deaf = true })
			}
			t.start()
			began := time.Now()
			for i, u := range c.stops {
				if i > 0 {
					time.Sleep(time.Second)
				}
				go t.s.Stop(u)
				synctest.Wait()
			}
			t.s.Stop(Patient)
			if took := time.Since(began); took < c.atLeast || took > c.atMost {
				t.Errorf("%s: it took %v", c.name, took)
			}
		})
	}
}

// TestReusePortStandIn has a sibling accept for a process that waits to be started again.
func TestReusePortStandIn(t *testing.T) {
	workers := []channel.Worker{{Name: "a", Addr: "one", Count: 2, ReusePort: true}}
	try(t, workers, func(t *trial) {
		t.start()
		t.kill("a/1") // started again at once
		t.kill("a/1") // now it waits
		time.Sleep(50 * time.Millisecond)
		sibling := t.serving()["a/0"]
		if !slices.Contains(t.seen(), fmt.Sprintf("adopt a/0 %d", sibling)) {
			t.Errorf("nobody accepts in the place of a/1: %v", t.seen())
		}
		time.Sleep(time.Second)
		if t.serving()["a/1"] == 0 {
			t.Fatal("a/1 was not started again")
		}
		if !slices.Contains(t.seen(), fmt.Sprintf("return a/0 %d", sibling)) {
			t.Errorf("the sibling still accepts: %v", t.seen())
		}
	})
}

// listens has a process ask for an inner address.
func (t *trial) listens(pid int, target string) error {
	_, _, err := t.process(pid).ask(channel.Listen, func(v any) error {
		*v.(*channel.Address) = channel.Address{Worker: "inner", Network: "tcp", Target: target}
		return nil
	})
	return err
}

// TestInnerSockets keeps what a process listens on for the next one in its place, and for no other.
func TestInnerSockets(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		first := t.serving()["a/0"]
		if err := t.listens(first, "inner"); err != nil {
			t.Fatal(err)
		}
		kept := t.sockets["inner"]
		if err := t.listens(t.serving()["a/1"], "inner"); err == nil {
			t.Error("a sibling got the address too")
		}
		t.next(func(f *fake) {
			f.answers[channel.Start] = func(f *fake) error {
				if f.name == "a/0" {
					return t.listens(f.pid, "inner")
				}
				return nil
			}
		})
		t.kill("a/0")
		if t.serving()["a/0"] == 0 || t.sockets["inner"] != kept {
			t.Error("the replacement did not get the socket of its predecessor")
		}
		if _, err := t.s.Reload(t.image(), Manner{}, noHook); err != nil {
			t.Fatal(err)
		}
		if t.serving(); t.sockets["inner"] != kept {
			t.Error("the successor did not get the socket of its predecessor")
		}
		t.machine.mu.Lock()
		base := t.behave
		t.behave = func(f *fake) { base(f); delete(f.answers, channel.Start) }
		t.machine.mu.Unlock()
		if _, err := t.s.Reload(t.image(), Manner{}, noHook); err != nil {
			t.Fatal(err)
		}
		if t.serving(); t.sockets["inner"] != nil {
			t.Error("a socket that the new program does not ask for stays open")
		}
	})
}

// TestRecycle replaces the one process that asks, by the image that runs.
func TestRecycle(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		before := t.serving()
		p := t.process(before["a/0"])
		for range 3 { // asking again changes nothing
			if _, _, err := p.ask(channel.Recycle, nil); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		after := t.serving()
		if after["a/0"] == before["a/0"] || len(t.processes) != 4 {
			t.Errorf("%v became %v, with %d processes in all", before, after, len(t.processes))
		}
		after["a/0"] = before["a/0"]
		if !maps.Equal(before, after) {
			t.Errorf("others were replaced too: %v became %v", before, after)
		}
		if t.process(after["a/0"]).image != p.image {
			t.Error("another image was started")
		}
	})
}
