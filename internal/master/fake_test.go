//go:build unix

package master

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

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
	pairing   error
	ends      []*os.File // of all pairs
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
	handover  int // version of the transfer
	program   string
	workers   []channel.Worker
	handed    channel.Handed
	started   channel.Started
	answers   map[channel.Op]func(f *fake) error // nil: it does what is asked
	heartbeat func() channel.Heartbeat           // nil: its loop comes round
	deaf      bool                               // it does not end when it is told
	state     string                             // launched, serving, frozen, leaving
	prospect  channel.Prospect                   // what Prepare has told
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

// Give closes the file as a process does that has ended with it.
func (f *fake) Give(ctx context.Context, op channel.Op, body, answer any, file *os.File) error {
	defer file.Close()
	_, err := f.Call(ctx, op, body, answer)
	return err
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
	if f.state == "ended" {
		return channel.ErrClosed
	}
	switch op {
	case channel.Hello:
		a := body.(channel.Assignment)
		f.name = fmt.Sprintf("%s/%d", a.Name, a.ID)
		return copyTo(answer, channel.Description{
			Version: f.version, Workers: f.workers, Handover: f.handover, Program: f.program,
		})
	case channel.Prepare:
		f.prospect = body.(channel.Prospect)
	case channel.Start:
		f.state = "serving"
		if answer != nil {
			_ = copyTo(answer, f.started) // its own kind
		}
	case channel.Hand:
		_ = copyTo(answer, f.handed) // likewise
	case channel.Resume:
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

// Pair makes two ends that nobody uses. They have to be closed all the same.
func (m *machine) Pair() (one, other *os.File, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pairing != nil {
		return nil, nil, m.pairing
	}
	if one, other, err = os.Pipe(); err == nil {
		m.ends = append(m.ends, one, other)
	}
	return one, other, err
}

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
