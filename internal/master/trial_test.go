//go:build unix

package master

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// trial is a Supervisor over a machine.
type trial struct {
	*testing.T
	*machine
	s *Supervisor
}

// try runs a test by a clock that stands still while anything runs.
func try(t *testing.T, workers []channel.Worker, f func(t *trial)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{sockets: make(map[string]*fakeSocket), taken: make(map[string]bool)}
		c := Config{
			Image: m.image(), System: m, Log: slog.New(slog.NewTextHandler(&m.log, nil)),
			Limits: Limits{
				Start: 10 * time.Second, Stop: 5 * time.Second, Reload: 2 * time.Second,
				Graceful: time.Minute, Hang: time.Minute, Relay: time.Hour,
			},
		}
		for _, w := range workers {
			a := channel.Address{Worker: w.Name, Network: "tcp", Target: w.Addr, ReusePort: w.ReusePort}
			if w.Addr == "" {
				a.Network = ""
			}
			c.Workers = append(c.Workers, Worker{Worker: w, Address: a})
		}
		good := func(f *fake) { f.workers = slices.Clone(workers) }
		m.behave = good
		tr := &trial{t, m, New(c)}
		defer tr.end()
		f(tr)
	})
}

// end stops everything, after which nothing may be left.
func (t *trial) end() {
	t.s.Stop(AtOnce)
	synctest.Wait()
	for _, p := range t.processes {
		if p.state != "ended" {
			t.Errorf("%s (pid %d) is left, %s", p.name, p.pid, p.state)
		}
	}
	if len(t.sockets) > 0 {
		t.Errorf("sockets are left: %v", t.sockets)
	}
	if slices.ContainsFunc(t.images, func(i *Image) bool { return !i.isClosed() }) {
		t.Error("an image is left open")
	}
	if slices.ContainsFunc(t.ends, func(f *os.File) bool { return f.Fd() != ^uintptr(0) }) {
		t.Error("an end of a pair is left open")
	}
}

// start starts everything.
func (t *trial) start() {
	t.Helper()
	if err := t.s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// reload has a new program succeed.
func (t *trial) reload() {
	t.Helper()
	if _, err := t.s.Reload(t.image(), Manner{}, noHook); err != nil {
		t.Fatal(err)
	}
}

// tryReload is the error of a reload.
func (t *trial) tryReload() error {
	_, err := t.s.Reload(t.image(), Manner{}, noHook)
	return err
}

// recycle has a process ask for a replacement.
func (t *trial) recycle(name string) {
	t.Helper()
	if _, _, err := t.process(t.serving()[name]).ask(channel.Recycle, nil); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// next says how the processes launched from now on are, beside what all are.
func (t *trial) next(how func(f *fake)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.behave
	t.behave = func(f *fake) {
		old(f)
		how(f)
	}
}

// change says how the process of a pid is from now on.
func (t *trial) change(pid int, how func(*fake)) {
	p := t.process(pid)
	t.machine.mu.Lock()
	defer t.machine.mu.Unlock()
	how(p)
}

// behaveLike says how the processes launched from now on are, whatever was said before.
func (t *trial) behaveLike(plain func(*fake), how ...func(*fake)) {
	t.machine.mu.Lock()
	defer t.machine.mu.Unlock()
	t.behave = func(f *fake) {
		plain(f)
		for _, h := range how {
			h(f)
		}
	}
}

// serving are the processes that serve, by name, each with its pid. Every name must have one.
func (t *trial) serving() map[string]int {
	t.Helper()
	synctest.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[string]int)
	for _, p := range t.processes {
		if p.state == "serving" {
			if all[p.name] != 0 {
				t.Errorf("two processes serve as %s: %d and %d", p.name, all[p.name], p.pid)
			}
			all[p.name] = p.pid
		}
	}
	return all
}

// process is that of a pid.
func (t *trial) process(pid int) *fake {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.processes[pid-1]
}

// stateOf is what the process of a pid is about.
func (t *trial) stateOf(pid int) string {
	p := t.process(pid)
	t.machine.mu.Lock()
	defer t.machine.mu.Unlock()
	return p.state
}

// seen are the requests that processes have obeyed, each with the process.
func (t *trial) seen() []string {
	synctest.Wait()
	t.machine.mu.Lock()
	defer t.machine.mu.Unlock()
	return slices.Clone(t.events)
}

// logged counts the lines of the log that have these words.
func (t *trial) logged(words string) (n int) {
	synctest.Wait()
	for line := range strings.Lines(t.log.String()) {
		if strings.Contains(line, words) {
			n++
		}
	}
	return n
}

func two(count int) []channel.Worker {
	return []channel.Worker{{Name: "a", Addr: "one", Count: count}, {Name: "b", Addr: "two", Count: 1}}
}
