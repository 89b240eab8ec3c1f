package lineman

import (
	"fmt"
	"net"

	"github.com/lineman-go/lineman/internal/handover"
)

// successor takes what a predecessor hands over. It is a handover.Sink. Its loops do not run yet, and who calls owns
// what they own.
//
//	       Record                    serve
//	sent ─────────▶ made, suspended ───────▶ served
//	                      │ Keep, or the handover fails
//	                      └────────────────────────────▶ the predecessor's
type successor struct {
	loops []*loopRun
	made  map[uint64]*Conn
	watch *watch // nil before the first record
}

// newSuccessor has loops expect what a predecessor hands over.
func newSuccessor(loops []*loopRun, hello handover.Hello) *successor {
	raiseLastID(hello.LastID)
	for _, own := range loops {
		own.loop.succeeds = true
	}
	return &successor{loops: loops, made: make(map[uint64]*Conn)}
}

// of is the loop that takes the place of one of the predecessor's, which may have had more of them.
func (s *successor) of(index int) *loopRun { return s.loops[index%len(s.loops)] }

func (s *successor) State(state handover.State) error {
	own := s.of(state.Loop)
	restore := own.worker.RestoreState
	if restore == nil {
		return nil // the new program does without
	}
	err := own.loop.first(inRestoreState, func(l *Loop) error { return restore(l, state.Value) })
	if err != nil {
		return fmt.Errorf("lineman: RestoreState of worker %q: %w", own.worker.name(), err)
	}
	return nil
}

func (s *successor) Record(r *handover.Record, fd int) error {
	l := s.of(r.Loop).loop
	h, err := l.poll.Take(fd)
	if err != nil {
		return err
	}
	var c *Conn
	to := l.named(r.Worker)
	switch {
	case to == nil:
		err = unknownWorker(r.Worker)
	case to.worker.Restore == nil:
		err = fmt.Errorf("worker %q of the new program has no Restore", r.Worker)
	case s.made[r.ID] != nil:
		err = fmt.Errorf("connection %d comes twice", r.ID)
	default:
		c, err = newCrossed(to, h, r)
	}
	if err != nil {
		l.poll.Close(h, false)
		return err
	}
	l.enter(c)
	l.live++
	to.adopt(c)
	c.watch(1)
	c.rearm()
	if err := l.first(inRestore, func(*Loop) error { return to.worker.Restore(c, r.Value) }); err != nil {
		forget(c)
		return err
	}
	s.made[c.id] = c
	if s.watch == nil {
		s.watch = beginWatch()
	}
	s.watch.conns <- c
	return nil
}

func (s *successor) Tail(id uint64, output []byte) error {
	c := s.made[id]
	if c == nil {
		return errNotMade
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() == open {
		c.out.sayLocked(c, func(dst []byte) []byte { return append(dst, output...) })
		c.out.queuedLocked(c)
	}
	return nil
}

// Keep ends a connection that stays with the predecessor after all. Restore has made it, so the application is told.
func (s *successor) Keep(id uint64) error {
	c := s.made[id]
	if c == nil {
		return errNotMade
	}
	delete(s.made, id)
	s.watch.end()
	_, err := c.loop.poll.Suspend(c.handle) // its registration would outlast this descriptor
	c.mu.Lock()
	c.flags &^= aborted // its peer is not to be reset
	c.mu.Unlock()
	c.end.finish(c, net.ErrClosed)
	return err
}

var errNotMade = fmt.Errorf("lineman: %w: it is about a connection that has not come", handover.ErrCorrupt)

// drop gives everything back: the handover has failed, and this process ends.
func (s *successor) drop() {
	s.watch.end()
	for _, c := range s.made {
		forget(c)
	}
	for _, own := range s.loops {
		own.loop.closeListeners()
		own.loop.poll.Shut()
	}
}

// serve has connections run when their loops do, which begin next. It returns how many each loop has.
func (s *successor) serve() (conns []int) {
	s.watch.end()
	of := make(map[*Loop]int)
	for _, c := range s.made {
		beginCrossed(c, s.watch.failed[c])
		of[c.loop]++
	}
	for _, own := range s.loops {
		conns = append(conns, of[own.loop])
	}
	return conns
}

// beginCrossed has a connection run, unless it cannot be watched. What waits to be sent is written in the first tick.
func beginCrossed(c *Conn, failed error) {
	c.mu.Lock()
	c.flags &^= stalled
	if c.out.queue != nil {
		c.markLocked(0)
	}
	c.mu.Unlock()
	c.service.bound(c, 0)
	if failed != nil {
		c.end.depart(c, failed)
	}
}

// watch has pollers watch connections that have crossed, while others are still made: it takes as long as to make them,
// and both belong to the pause. Its methods may be called on nil.
type watch struct {
	conns  chan *Conn
	over   chan struct{}
	failed map[*Conn]error // owned by the goroutine until over is closed
	ended  bool
}

func beginWatch() *watch {
	w := &watch{conns: make(chan *Conn, handover.BatchRecords), over: make(chan struct{}), failed: map[*Conn]error{}}
	go func() {
		defer close(w.over)
		for c := range w.conns {
			if err := c.loop.poll.Restore(c.handle); err != nil {
				w.failed[c] = err
			}
		}
	}()
	return w
}

// end returns when all that have come are watched.
func (w *watch) end() {
	if w == nil || w.ended {
		return
	}
	w.ended = true
	close(w.conns)
	<-w.over
}
