//go:build unix

package master

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// machine is an operating system that a test makes up: processes that answer as they are told, sockets that are only
// names.
type machine struct {
	mu        sync.Mutex // guards the following
	pids      int
	processes []*fake
	sockets   map[string]*fakeSocket
	taken     map[string]bool // addresses that somebody else has
	behave    func(*fake)     // says how the next processes are; nil: they do all that is asked
	launching error
	events    []string
	images    []*Image // all that were ever open
	log       journal
}

// journal is a log that may be read at any time.
type journal struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// fake is a process. Its answers are guarded by the machine's lock.
type fake struct {
	machine *machine
	pid     int
	image   *Image
	name    string // worker/id
	ask     func(op channel.Op, decode func(any) error) (any, []int, error)
	exited  chan struct{}
	status  Status

	version   int
	workers   []channel.Worker
	answers   map[channel.Op]func(f *fake) error // nil: it does what is asked
	heartbeat func() channel.Heartbeat           // nil: its loop comes round
	deaf      bool                               // it does not end when it is told
	state     string                             // launched, serving, frozen, leaving
}

// Ways to answer.
var (
	errRefused = errors.New("it will not")
	refuse     = func(*fake) error { return errRefused }
	perish     = func(f *fake) error { f.exit(Status{Code: 3}); return channel.ErrClosed }
	never      = func(*fake) error { return errNever }
	deaf       = func(f *fake) { f.deaf = true }
	errNever   = errors.New("no answer ever comes")
)

func (m *machine) Launch(c Command) (Process, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.launching != nil {
		return nil, m.launching
	}
	m.pids++
	f := &fake{
		machine: m, pid: m.pids, image: c.Image, ask: c.Answer, exited: make(chan struct{}), version: channel.Version,
		answers: make(map[channel.Op]func(*fake) error), state: "launched",
	}
	m.processes = append(m.processes, f)
	if m.behave != nil {
		m.behave(f)
	}
	return f, nil
}

func (f *fake) PID() int                { return f.pid }
func (f *fake) Exited() <-chan struct{} { return f.exited }
func (f *fake) Status() Status          { return f.status }
func (f *fake) Kill()                   { f.exit(Status{Code: -1, Signal: "9 (killed)"}) }

func (f *fake) exit(s Status) {
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	select {
	case <-f.exited:
	default:
		f.status, f.state = s, "ended"
		close(f.exited)
	}
}

func (f *fake) Call(ctx context.Context, op channel.Op, body, answer any, _ ...int) ([]int, error) {
	f.machine.mu.Lock()
	act := f.answers[op]
	f.machine.mu.Unlock()
	var err error
	if act != nil {
		err = act(f)
	}
	select {
	case <-f.exited:
		return nil, channel.ErrClosed
	default:
	}
	switch {
	case err == errNever:
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.exited:
			return nil, channel.ErrClosed
		}
	case err != nil:
		return nil, &channel.Error{Text: err.Error()}
	}
	return nil, f.obey(op, body, answer)
}

// obey does what a good process does.
func (f *fake) obey(op channel.Op, body, answer any) error {
	m := f.machine
	m.mu.Lock()
	defer m.mu.Unlock()
	switch op {
	case channel.Hello:
		a := body.(channel.Assignment)
		f.name = fmt.Sprintf("%s/%d", a.Name, a.ID)
		return copyTo(answer, channel.Description{Version: f.version, Workers: f.workers})
	case channel.Start, channel.Resume:
		f.state = "serving"
	case channel.Freeze:
		f.state = "frozen"
	case channel.Leave, channel.Stop:
		f.state = "leaving"
		if !body.(channel.Shutdown).Patient && !f.deaf {
			go f.exit(Status{})
		}
	case channel.Beat:
		if f.heartbeat != nil {
			return copyTo(answer, f.heartbeat())
		}
		return copyTo(answer, channel.Heartbeat{})
	case channel.List:
		return copyTo(answer, channel.Conns{})
	}
	m.events = append(m.events, fmt.Sprintf("%s %s %d", op, f.name, f.pid))
	return nil
}

func copyTo(to, from any) error {
	text, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	return err
}

// image is a program, of which only the file matters: whether it is open.
func (m *machine) image() *Image {
	f, err := os.Open(os.DevNull)
	if err != nil {
		panic(err)
	}
	i := &Image{file: f}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.images = append(m.images, i)
	return i
}

// isClosed reports whether nothing can be started from the program any more.
func (i *Image) isClosed() bool { return i.file.Fd() == ^uintptr(0) }

type fakeSocket struct {
	machine *machine
	address string
}

func (m *machine) Listen(a channel.Address) (Socket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, open := m.sockets[a.Target]
	if m.taken[a.Target] || open && !a.ReusePort {
		return nil, syscall.EADDRINUSE
	}
	s := &fakeSocket{m, a.Target}
	m.sockets[a.Target] = s
	return s, nil
}

func (s *fakeSocket) Addr() net.Addr    { return &net.UnixAddr{Name: s.address} }
func (s *fakeSocket) Dup() (int, error) { return -1, nil }
func (s *fakeSocket) Close() {
	s.machine.mu.Lock()
	defer s.machine.mu.Unlock()
	delete(s.machine.sockets, s.address)
}

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
				Graceful: time.Minute, Hang: time.Minute,
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
	if err := t.s.Reload(t.image(), false, noHook); err != nil {
		t.Fatal(err)
	}
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
