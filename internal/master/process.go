//go:build unix

package master

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// System is what a Supervisor asks of the operating system.
type System interface {
	Launch(Command) (Process, error)
	Listen(channel.Address) (Socket, error)
	Pair() (one, other *os.File, err error) // two ends of a stream, for two processes

	// HoldEnds has no process be known to have ended that has not by now, until again.
	HoldEnds() (again func())

	// Adopt is the process, and Reopen the socket, that another System has started or opened in this process: by its
	// descriptor and, for a Unix socket, its file.
	Adopt(SavedProcess, Answer) (Process, error)
	Reopen(fd int, path string) (Socket, error)
}

// Command is a process to start.
type Command struct {
	Image *Image
	User  string // "user" or "user:group"; empty: the master's own
	Trial bool   // HoldEnds is not for it

	Answer Answer
}

// Answer answers what a process asks. It may be called on many goroutines. The descriptors are closed when they were
// sent.
type Answer func(op channel.Op, decode func(any) error) (body any, files []int, err error)

// A Process is one that was started.
type Process interface {
	PID() int
	Call(ctx context.Context, op channel.Op, body, answer any, files ...int) ([]int, error)
	Give(ctx context.Context, op channel.Op, body, answer any, file *os.File) error

	Kill()                   // for good, and at once
	Exited() <-chan struct{} // closed when it has ended and was waited for
	Status() Status          // once it has

	// Suspend and Resume are those of its channel.
	Suspend(ctx context.Context) (channel.Suspended, error)
	Resume()
}

// Status is how a process ended.
type Status struct {
	Code   int    `json:"code"`             // of exit; -1 if a signal ended it
	Signal string `json:"signal,omitempty"` // its number and name; empty if none did
}

func (s Status) String() string {
	if s.Signal != "" {
		return "signal " + s.Signal
	}
	return fmt.Sprintf("exit code %d", s.Code)
}

// isKill reports whether it was killed, as by Kill.
func (s Status) isKill() bool { return strings.HasPrefix(s.Signal, "9 ") }

// Exit tells of a process that has ended.
type Exit struct {
	Worker string
	ID     int
	PID    int
	Status Status
}

type exitKey struct {
	worker string
	status Status
}

// process is a Process in its slot.
//
//	          Hello, Prepare              Start                  Leave
//	launched ────────────────▶ prepared ─────────▶ serving ─────────────────▶ leaving ──▶ ended
//	                                                 │  ▲                        ▲
//	                                          Freeze ▼  │ Resume                 │
//	                                                frozen ──────────────────────┘
type process struct {
	Process
	slot   *slot
	number int       // in the order of launches
	image  *Image    // Immutable
	born   time.Time // Immutable

	isTrial bool                // Immutable: it never serves, and nobody is told of it
	about   channel.Description // Immutable once it is prepared

	frozen  atomic.Bool
	leaving atomic.Bool
	spent   atomic.Bool  // it wants to be replaced
	ready   atomic.Int64 // when it began to serve, Unix nanoseconds; 0 before
	relays  atomic.Int64 // connections of its successor that need it, as it said last

	mu        sync.Mutex // guards the following
	heartbeat channel.Heartbeat
	heard     time.Time     // when the last heartbeat came
	rates     Rates         // between the last two
	warned    bool          // that it hangs
	errand    chan struct{} // closed when the last oneByOne is over; nil before the first
	left      *SavedLeaving // since when it leaves; nil before
}

func (p *process) String() string {
	return fmt.Sprintf("%s/%d (pid %d)", p.slot.group.Name, p.slot.id, p.PID())
}

// count numbers a launch.
func (s *Supervisor) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.launched++
	return s.launched
}

// launch starts a program up to the point where it would serve.
func (sl *slot) launch(ctx context.Context, image *Image) (*process, error) {
	p, err := sl.create(image, sl.group.User, false)
	if err != nil {
		return nil, err
	}
	if err := p.prepare(ctx, sl.serves()); err != nil {
		p.discard()
		return nil, err
	}
	return p, nil
}

// create starts a program as a user.
func (sl *slot) create(image *Image, user string, isTrial bool) (*process, error) {
	s := sl.supervisor
	p := &process{slot: sl, image: image, born: time.Now(), number: s.count(), isTrial: isTrial}
	launched := make(chan struct{})
	s.launching.RLock()
	real, err := s.config.System.Launch(Command{
		Image: image,
		User:  user,
		Trial: isTrial,
		Answer: func(op channel.Op, decode func(any) error) (any, []int, error) {
			<-launched
			return s.answer(p, op, decode)
		},
	})
	if err == nil {
		p.Process = real
		s.mu.Lock()
		s.processes[p] = true
		s.mu.Unlock()
	}
	s.launching.RUnlock()
	if err != nil {
		return nil, fmt.Errorf("lineman: %s/%d does not start: %w", sl.group.Name, sl.id, Bare(err))
	}
	close(launched)
	s.ends.Add(1)
	go s.noteEnd(p)
	return p, nil
}

// noteEnd waits for the end of a process and notes it.
func (s *Supervisor) noteEnd(p *process) {
	defer s.ends.Done()
	<-p.Exited()
	status := p.Status()
	s.noting <- struct{}{}
	defer func() { <-s.noting }()
	s.mu.Lock()
	delete(s.processes, p)
	if !p.isTrial {
		s.exits[exitKey{p.slot.group.Name, status}]++
	}
	s.mu.Unlock()
	if f := s.config.Exited; f != nil && !p.isTrial {
		f(Exit{Worker: p.slot.group.Name, ID: p.slot.id, PID: p.PID(), Status: status})
	}
}

func (p *process) ended() bool {
	select {
	case <-p.Exited():
		return true
	default:
		return false
	}
}

// prepare has a process say what it is, and do what takes long while others serve: its predecessor, unless that is nil.
func (p *process) prepare(ctx context.Context, predecessor *process) error {
	if err := p.hello(ctx); err != nil {
		return err
	}
	var of channel.Prospect
	if predecessor != nil {
		of.Conns = predecessor.lastHeartbeat().Conns
	}
	return p.step(ctx, "prepare", channel.Prepare, of, nil)
}

// hello tells a process which one it is, and looks whether its program fits.
func (p *process) hello(ctx context.Context) error {
	s, g := p.slot.supervisor, p.slot.group
	a := channel.Assignment{
		Worker: g.index, Name: g.Name, ID: p.slot.id, Shared: g.Count > 1 && !g.ReusePort, Daemon: s.config.Daemon,
	}
	var files []int
	if f := s.config.LogFile; f != nil {
		if fd := f(); fd >= 0 {
			defer closeFile(fd)
			files = append(files, fd)
		}
	}
	if err := p.step(ctx, "start", channel.Hello, a, &p.about, files...); err != nil {
		return err
	}
	return s.compare(p.about)
}

// begin has a prepared process serve.
func (p *process) begin(ctx context.Context) error {
	return p.serveAfter(p.step(ctx, "start", channel.Start, nil, nil))
}

// serveAfter notes that a process serves, unless its start has failed: then it is ended.
func (p *process) serveAfter(failed error) error {
	if failed != nil {
		p.discard()
		return failed
	}
	p.ready.Store(time.Now().UnixNano())
	go p.beat()
	return nil
}

// step is a step of the start: it ends when the process does, and after Config.Start.
func (p *process) step(ctx context.Context, what string, op channel.Op, body, answer any, files ...int) error {
	return p.attempt(ctx, p.slot.supervisor.config.Start, what, func(ctx context.Context) error {
		_, err := p.Call(ctx, op, body, answer, files...)
		return err
	})
}

// attempt is a step that call does, within a limit of time unless that is not above zero.
func (p *process) attempt(
	ctx context.Context, limit time.Duration, what string, call func(context.Context) error,
) error {
	s := p.slot.supervisor
	bounded, cancel := s.bounded(ctx, limit)
	defer cancel()
	err := call(bounded)
	var told *channel.Error
	switch {
	case err == nil:
		return nil
	case s.ctx.Err() != nil:
		return errStopping
	case errors.As(err, &told):
		return &refusal{fmt.Sprintf("lineman: %s does not %s: %s", p, what, strings.TrimPrefix(told.Text, "lineman: "))}
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("lineman: %s does not %s: it is not ready after %v", p, what, limit)
	case bounded.Err() != nil:
		return errStopping
	}
	p.Kill()
	<-p.Exited()
	return fmt.Errorf("lineman: %s does not %s: it ended with %v; the log has what it said", p, what, p.Status())
}

// refusal is what a process itself says that it does not do, and why.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

// discard ends a process that serves nothing.
func (p *process) discard() {
	p.Kill()
	<-p.Exited()
}

// end ends a process as urgently as the program is to end.
func (p *process) end() {
	s := p.slot.supervisor
	for {
		u, urged := s.urge()
		f := channel.Shutdown{Within: s.config.Stop, Patient: u == Patient}
		if f.Patient {
			f.Within = s.config.Graceful
		}
		if u == AtOnce || p.ready.Load() == 0 {
			p.discard()
			return
		}
		go p.tell(channel.Stop, f)
		if p.awaitExit(f.Within, urged) {
			return
		}
	}
}

// tell asks for something whose answer tells nothing: what matters is what the process does.
func (p *process) tell(op channel.Op, body any, files ...int) {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	_, _ = p.Call(ctx, op, body, nil, files...)
}

// oneByOne calls f on another goroutine, when the f of the call before it has returned.
func (p *process) oneByOne(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, done := p.errand, make(chan struct{})
	p.errand = done
	p.slot.supervisor.errands.run(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		f()
	})
}
