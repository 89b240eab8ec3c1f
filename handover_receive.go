package lineman

import (
	"fmt"
	"net"
	"slices"

	"github.com/lineman-go/lineman/internal/handover"
	"github.com/lineman-go/lineman/internal/poll"
)

// successor takes what a predecessor hands over. It is a handover.Sink. Its loops do not run yet, and who calls owns
// what they own.
//
//	       Record                  serve
//	sent ─────────▶ made, watched ───────▶ served
//	                      │ Keep, or the handover fails
//	                      └──────────────────────────▶ the predecessor's
type successor struct {
	loops []*loopRun
	made  map[uint64]*Conn
	came  map[*Loop][]*Conn // those that were made, in the order in which they came
	kept  bool              // by the predecessor: some of those
	lent  borrowed
	watch *watcher
}

// newSuccessor has loops expect what a predecessor hands over.
func newSuccessor(loops []*loopRun, hello handover.Hello) *successor {
	raiseLastID(hello.LastID)
	for _, own := range loops {
		own.loop.succeeds = true
	}
	return &successor{
		loops: loops, made: make(map[uint64]*Conn, hello.Conns), came: make(map[*Loop][]*Conn), watch: newWatcher(),
	}
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
	h, err := s.handle(l, r, fd)
	if err != nil {
		return err
	}
	c, err := s.newConn(l, h, r)
	if err != nil {
		if h != absent {
			unwatchLent(l, h, r)
			l.poll.Leave(h)
		}
		return err
	}
	enterCrossed(c, r)
	if err := l.first(inRestore, func(*Loop) error { return c.service.worker.Restore(c, r.Value) }); err != nil {
		unwatchLent(l, h, r)
		forget(c)
		return err
	}
	s.made[c.id] = c
	s.came[l] = append(s.came[l], c)
	if h != absent && !r.Lent {
		s.watch.add(c)
	}
	return nil
}

// handle is that of a record's connection, which comes along or has come before.
func (s *successor) handle(l *Loop, r *handover.Record, fd int) (poll.Handle, error) {
	switch {
	case r.Absent:
		return absent, nil
	case r.Lent:
		return s.lent.claim(l, r.ID)
	}
	return l.poll.Take(fd)
}

// unwatchLent has a connection that stays with the predecessor not be watched, as one is from when it was lent.
func unwatchLent(l *Loop, h poll.Handle, r *handover.Record) {
	if r.Lent {
		_ = l.poll.Unwatch(h)
	}
}

func (s *successor) newConn(l *Loop, h poll.Handle, r *handover.Record) (*Conn, error) {
	if s.made[r.ID] != nil {
		return nil, fmt.Errorf("connection %d comes twice", r.ID)
	}
	to, dial, err := l.recipient(r)
	if err != nil {
		return nil, err
	}
	return newCrossed(to, dial, h, r)
}

// enterCrossed makes a connection known to its loop. One that is absent waits for its next attempt.
func enterCrossed(c *Conn, r *handover.Record) {
	l := c.loop
	if r.Absent {
		c.link.dialing().await(c, r.Due)
		return
	}
	l.enter(c)
	l.live++
	if c.link.dialing() != nil {
		l.outgoing++
	}
	c.watch(1)
	c.rearm()
}

// Ready waits until all are watched.
func (s *successor) Ready() error { return s.watch.end() }

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
	s.kept = true
	c.mu.Lock()
	c.flags &^= aborted // its peer is not to be reset
	if d := c.link.dialing(); d != nil {
		d.stopped = true
	}
	c.mu.Unlock()
	if c.handle != absent {
		err := c.loop.poll.Unwatch(c.handle)
		if err == nil {
			c.end.finish(c, net.ErrClosed)
		}
		return err
	}
	c.link.dialing().abandon(c)
	if f := c.service.worker.OnClose; f != nil {
		c.guard(inOnClose, func() { f(c, net.ErrClosed) })
	}
	return nil
}

var errNotMade = fmt.Errorf("lineman: %w: it is about a connection that has not come", handover.ErrCorrupt)

// drop gives everything back: the handover has failed, and this process ends.
func (s *successor) drop() {
	_ = s.watch.end()
	for _, c := range s.made {
		forget(c)
	}
	for _, own := range s.loops {
		own.loop.closeListeners()
		own.loop.poll.Shut()
	}
}

// serve has the loops serve what they have, from their first tick on. It returns how many connections each has.
func (s *successor) serve() (conns []int) {
	for _, own := range s.loops {
		crossed := s.came[own.loop]
		if s.kept {
			crossed = slices.DeleteFunc(crossed, func(c *Conn) bool { return s.made[c.id] != c })
		}
		own.loop.Do(func() {
			for _, c := range crossed {
				beginCrossed(c)
			}
		})
		conns = append(conns, len(crossed))
	}
	return conns
}

// beginCrossed has a connection run. What waits to be sent is written at the end of the tick.
func beginCrossed(c *Conn) {
	if c.phase.get() == closed || c.handle == absent {
		return // by what OnStart gave to Do, or it is dialed when its time comes
	}
	c.mu.Lock()
	c.flags &^= stalled
	if c.out.queue != nil {
		c.markLocked(0)
	}
	c.mu.Unlock()
	c.service.bound(c, 0)
}

// watcher has pollers watch connections that have crossed, while others are still made: that takes about as long.
type watcher struct {
	batch   []*Conn        // the next one
	batches chan<- []*Conn // nil when all have come
	over    chan struct{}
	failed  error // the first one. Owned by the goroutine until over is closed
}

const (
	watchBatch = 64
	watchAhead = 64 // batches that wait
)

func newWatcher() *watcher {
	batches := make(chan []*Conn, watchAhead)
	w := &watcher{batches: batches, over: make(chan struct{})}
	go w.run(batches)
	return w
}

func (w *watcher) run(batches <-chan []*Conn) {
	defer close(w.over)
	for batch := range batches {
		for _, c := range batch {
			if err := c.loop.poll.Watch(c.handle); err != nil && w.failed == nil {
				w.failed = fmt.Errorf("lineman: a connection that has crossed cannot be watched: %w", err)
			}
		}
	}
}

func (w *watcher) add(c *Conn) {
	if w.batch = append(w.batch, c); len(w.batch) == watchBatch {
		w.batches <- w.batch
		w.batch = make([]*Conn, 0, watchBatch)
	}
}

// end returns when all that have come are watched, or cannot be. No more may come.
func (w *watcher) end() error {
	if w.batches != nil {
		w.batches <- w.batch
		close(w.batches)
		w.batches = nil
	}
	<-w.over
	return w.failed
}
