package lineman

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/internal/grace"
	"github.com/lineman-go/lineman/internal/handover"
)

// Handover is one from loops of this process, which stand still, to a worker that Run runs.
type Handover struct {
	From []*Loop

	// At is called before each step, by its name and its side: "states", "records", "commit", "committed" of the
	// predecessor, and "started", "state", "record", "tail", "keep" of the successor. An error is that of the step. nil
	// means none.
	At func(step string) error

	// Lent, unless it is nil, has From run on first, and lend what they have. It is called then, and From stand still
	// when it has returned.
	Lent func()

	Clock func() time.Time // of the successor; nil means time.Now

	// Results, valid when Run has begun to serve, or closed Over.
	Crossed          int
	Stayed           map[string]int
	Conns            []int // of each loop of the successor
	Handed, Received error
	Inherited        bool
	Over             chan struct{}
	Loans            int // how many were lent

	lent     map[uint64]bool
	borrowed borrowed
}

func (h *Handover) at(step string) error {
	if h.At == nil {
		return nil
	}
	return h.At(step)
}

// Run runs the successor until ctx ends. It is for linemantest.StartBy.
func (h *Handover) Run(ctx context.Context, workers ...*Worker) error {
	defer func() { <-ctx.Done() }()
	own, other, err := socketPair()
	if err != nil {
		return err
	}
	clock := h.Clock
	if clock == nil {
		clock = time.Now
	}
	runs, err := openLoops(workers[0], 0, clock, ownSockets{})
	if err != nil {
		return err
	}
	thaw := func() {}
	if h.Lent != nil {
		if err := h.lend(runs); err != nil {
			close(h.Over)
			return err
		}
		thaw = StandStill(h.From...)
	}
	handed := make(chan struct{})
	go func() {
		defer close(handed)
		h.hand(own)
	}()
	received := h.receive(other, runs)
	<-handed
	thaw()
	close(h.Over)
	if !received {
		return nil
	}
	ends := make(chan error, len(runs))
	for _, r := range runs {
		l := r.loop
		stop := context.AfterFunc(ctx, func() { l.Do(func() { l.beginStop(0) }) })
		defer stop()
		go func() { ends <- r.runLoop() }()
	}
	for range runs {
		if err := <-ends; err != nil {
			return err
		}
	}
	return nil
}

// lend lends what From have to loops that do not run yet.
func (h *Handover) lend(runs []*loopRun) error {
	own, other, err := socketPair()
	if err != nil {
		return err
	}
	l := newLender(h.runs(), time.Minute)
	lent := make(chan error, 1)
	go func() { lent <- l.lend(own) }()
	h.borrowed = make(borrowed)
	if err := errors.Join(h.borrowed.borrow(other, runs, time.Minute), <-lent); err != nil {
		return err
	}
	h.lent, h.Loans = l.lent(), len(h.borrowed)
	h.Lent()
	return nil
}

// TryLend lends what loops have, within a time, to a successor that keeps nothing.
func TryLend(from []*Loop, within time.Duration) (lent, borrowed error) {
	own, other, err := socketPair()
	if err != nil {
		return err, err
	}
	h := Handover{From: from}
	l := newLender(h.runs(), within)
	done := make(chan struct{})
	go func() {
		defer close(done)
		lent = l.lend(own)
	}()
	borrowed = handover.Borrow(other, func(one handover.Loan) error { return syscall.Close(one.FD) }, within)
	<-done
	if ids := l.lent(); (ids == nil) != (lent != nil) {
		panic("it takes them for lent")
	}
	return lent, borrowed
}

// Unlend has the successor not know what was lent to it.
func (h *Handover) Unlend() { h.borrowed.giveBack() }

// runs are From.
func (h *Handover) runs() (runs []*loopRun) {
	for _, l := range h.From {
		runs = append(runs, &loopRun{loop: l, worker: l.services[0].worker})
	}
	return runs
}

func socketPair() (own, other *net.UnixConn, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			return nil, nil, err
		}
		conns[i] = c.(*net.UnixConn)
	}
	return conns[0], conns[1], nil
}

// hand is the predecessor's side.
func (h *Handover) hand(conn *net.UnixConn) {
	p := newPredecessor(h.runs(), handover.Clock())
	p.lent = h.lent
	if h.Handed = handover.Send(conn, &source{p, h}, handover.Limits{}); h.Handed != nil {
		p.takeBack()
		return
	}
	h.Crossed, h.Stayed = p.leave(), p.stayed
}

// receive is the successor's side, and reports whether it has taken over.
func (h *Handover) receive(conn *net.UnixConn, runs []*loopRun) bool {
	var from *handover.Receiver
	if from, h.Received = handover.Accept(conn, handover.Limits{}); h.Received != nil {
		return false
	}
	s := newSuccessor(runs, from.Hello())
	s.lent = h.borrowed
	var err error
	for _, r := range runs {
		if err == nil {
			if _, err = r.loop.Listen(r.worker); err == nil {
				err = r.loop.start(r.worker)
			}
		}
	}
	if err == nil {
		err = h.at("started")
	}
	if err != nil {
		from.Fail(err)
		s.drop()
		h.Received = err
		return false
	}
	if h.Inherited, h.Received = from.Receive(&sink{s, h}); h.Received != nil {
		s.drop()
		return false
	}
	h.Conns = s.serve()
	s.lent.giveBackSoon()
	from.Close()
	return true
}

// source is a predecessor whose steps can be made to fail.
type source struct {
	*predecessor
	h *Handover
}

func (s *source) States(send func(handover.State) error) error {
	if err := s.h.at("states"); err != nil {
		return err
	}
	return s.predecessor.States(send)
}

func (s *source) Records(send func(*handover.Record, int) error) error {
	return s.predecessor.Records(func(r *handover.Record, fd int) error {
		if err := s.h.at("records"); err != nil {
			return err
		}
		return send(r, fd)
	})
}

func (s *source) Commit(tail func(uint64, []byte) error, keep func(uint64) error) error {
	if err := s.h.at("commit"); err != nil {
		return err
	}
	err := s.predecessor.Commit(tail, keep)
	if failed := s.h.at("committed"); err == nil {
		err = failed
	}
	return err
}

// sink is a successor whose steps can be made to fail.
type sink struct {
	*successor
	h *Handover
}

func (s *sink) State(state handover.State) error {
	if err := s.h.at("state"); err != nil {
		return err
	}
	return s.successor.State(state)
}

func (s *sink) Record(r *handover.Record, fd int) error {
	if err := s.h.at("record"); err != nil {
		_ = syscall.Close(fd)
		return err
	}
	return s.successor.Record(r, fd)
}

func (s *sink) Tail(id uint64, output []byte) error {
	if err := s.h.at("tail"); err != nil {
		return err
	}
	return s.successor.Tail(id, output)
}

func (s *sink) Keep(id uint64) error {
	if err := s.h.at("keep"); err != nil {
		return err
	}
	return s.successor.Keep(id)
}

// Relaying is how many connections the loop relays. On the loop.
func (l *Loop) Relaying() int { return l.relaying() }

// PartRelayed has the loop end the connections that this process relays.
func (l *Loop) PartRelayed(within time.Duration) { l.partRelayed(os.Getpid(), grace.Period(within)) }

// EndRelaysIn has the loop end its relays in a time.
func (l *Loop) EndRelaysIn(d time.Duration) { l.endRelaysIn(grace.Period(d)) }
