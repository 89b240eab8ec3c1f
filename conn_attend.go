package lineman

import (
	"io"
	"runtime"

	"github.com/lineman-go/lineman/internal/output"
)

// attend gives every connection that wants it its attention, once. What that causes waits for the next tick.
func (l *Loop) attend() {
	if l.dirty.Load() == nil {
		return
	}
	l.someFull.Store(false)
	k := l.chunk
	if l.chunk = nil; k == nil {
		k = &chunk{loop: l} // the first one, or a callback has others attended to
	}
	for c := l.dirty.Swap(nil); c != nil; {
		c = k.collect(c)
		k.attend()
	}
	l.chunk = k
}

// endAnswer is called when an event of the connection was handled. What was sent to it since the first byte of the
// event has gathered in a queue that the loop has at hand, and is written now: so the usual answer needs no turn in the
// dirty list. Whatever else is wanted waits for the end of the tick, and the answer with it.
func (w *writer) endAnswer(c *Conn) {
	if c.in.bytes&served == 0 {
		return
	}
	c.mu.Lock()
	c.in.bytes &^= served
	w.endAnswerLocked(c)
	c.mu.Unlock()
}

func (w *writer) endAnswerLocked(c *Conn) {
	more := c.flags&marked != 0
	c.flags &^= marked
	switch x := c.extra; {
	case more:
		c.markLocked(0)
		return
	case w.queue == nil || c.flags&stalled != 0:
		return
	case c.flags != 0 || x != nil && (x.pongs != nil || x.piped != nil):
		c.markLocked(0)
		return
	}
	n, err := c.loop.poll.Write(c.handle, w.queue.Head(c.loop.scratch))
	w.wroteOnLoopLocked(c, n)
	w.queue.Advance(n)
	switch {
	case err != nil:
		w.stoppedLocked(c, err)
		c.markLocked(0)
	case w.queue.Len() > 0:
		c.markLocked(0)
	case c.loop.answers == nil:
		c.loop.answers, w.queue = w.queue, nil
	default:
		w.releaseLocked(c)
	}
}

// beginQueueLocked makes the queue of a connection that has none.
func (w *writer) beginQueueLocked(c *Conn) {
	if l := c.loop; c.in.bytes.servedLocked() && l.answers != nil {
		w.queue, l.answers = l.answers, nil
		return
	}
	w.queue = output.Get()
}

// attend does for the connection what was asked for: it tells of a full queue, writes, goes on with messages that
// waited, and moves the closing on.
func (c *Conn) attend() {
	c.mu.Lock()
	switch {
	case c.phase.get() == closed:
		c.mu.Unlock()
	case c.flags&aborted != 0 && c.handle == absent:
		c.mu.Unlock()
		c.link.dialing().abandon(c)
	case c.flags&aborted != 0:
		c.mu.Unlock()
		c.end.finish(c, c.end.cause(c))
	case c.handle == absent:
		c.mu.Unlock()
		c.tellFull()
	case c.end&remains != 0:
		goOn := c.flags&resume != 0
		c.flags &^= resume
		c.mu.Unlock()
		c.end.attendRest(c, goOn)
	default:
		due := c.writeOutLocked()
		c.mu.Unlock()
		c.follow(due)
	}
}

// due is what follows when a connection's output was written.
type due struct {
	failed  bool // to be severed
	empty   bool // nothing waits for the kernel
	full    bool // OnFull
	drained bool // OnDrain
	goOn    bool // with messages that waited
	phase   phase
}

func (c *Conn) writeOutLocked() due {
	if c.flags&(stalled|broken) == 0 && !c.out.gathersLocked(c) {
		c.flags &^= gathered
		c.out.writeLocked(c, c.loop.scratch)
		c.session.writtenLocked(c)
	}
	return c.dueLocked(c.out.pendingLocked(c) == 0)
}

// gathersLocked reports whether what is to be written waits for the answer to the next request, which has come and may
// be with its handler soon. Until goroutines have run it may wait.
func (w *writer) gathersLocked(c *Conn) bool {
	if c.flags&(gathered|resume) != gathered|resume || c.phase.get() != open || w.pendingLocked(c) >= writeSize {
		return false
	}
	c.loop.gathering = append(c.loop.gathering, c)
	return true
}

// letRun lets goroutines run, among them handlers of requests. Then no answer waits any longer for the next.
func (l *Loop) letRun() {
	runtime.Gosched()
	for _, c := range l.gathering {
		c.mu.Lock()
		if c.flags&gathered != 0 {
			c.markLocked(0)
		}
		c.mu.Unlock()
	}
	clear(l.gathering)
	l.gathering = l.gathering[:0]
}

// dueLocked is what follows now that the output was written; empty tells whether all of it was.
func (c *Conn) dueLocked(empty bool) due {
	c.state.put(blocked, c.flags&stalled != 0)
	d := due{
		failed: c.flags&broken != 0, empty: empty, full: c.flags&notifyFull != 0,
		drained: c.flags&full != 0 && empty, goOn: c.flags&resume != 0, phase: c.phase.get(),
	}
	c.flags &^= notifyFull | resume
	if d.drained {
		c.flags &^= full
	}
	return d
}

func (c *Conn) follow(d due) {
	if d.failed {
		c.end.sever(c)
		return
	}
	if d.phase == closing {
		c.end.tell(c)
	} else if c.state&fresh != 0 {
		c.state &^= fresh
		c.session.begin(c)
	}
	c.rearm()
	goOn := c.session.written(c, d.empty) || d.goOn
	if f := c.service.worker.OnFull; d.full && f != nil {
		c.guard(inOnFull, func() { f(c) })
	}
	if f := c.service.worker.OnDrain; d.drained && f != nil {
		c.guard(inOnDrain, func() { f(c) })
	}
	if d.phase == open && goOn {
		c.in.goOn(c)
	}
	if d.phase == closing {
		c.end.goOn(c, d.empty)
	}
}

// goOn handles the messages that waited for Resume or for an answer.
func (r *reader) goOn(c *Conn) {
	c.since = c.loop.present
	c.session.goOn(c)
	c.state &^= holding
	if r.rest != nil {
		r.decode(c, nil)
	}
	c.transport().goOn(c)
	if c.state&ended != 0 && !c.end.isBusy(c) {
		c.end.depart(c, io.EOF)
		return
	}
	c.rearm()
}

// tellFull calls OnFull for a connection that is not there yet.
func (c *Conn) tellFull() {
	c.mu.Lock()
	wasFull := c.flags&notifyFull != 0
	c.flags &^= notifyFull
	c.mu.Unlock()
	if f := c.service.worker.OnFull; wasFull && f != nil {
		c.guard(inOnFull, func() { f(c) })
	}
}

// rearm asks the poller for what the connection can use.
func (c *Conn) rearm() {
	if c.phase.get() == closed || c.handle == absent {
		return
	}
	read := c.state&ended == 0 && !c.in.holds(c)
	write := c.state&blocked != 0
	if read == (c.state&armedRead != 0) && write == (c.state&armedWrite != 0) {
		return
	}
	c.state.put(armedRead, read)
	c.state.put(armedWrite, write)
	if err := c.loop.poll.Arm(c.handle, read, write); err != nil {
		c.end.depart(c, err)
	}
}

// attention has the loop look at the connection.
func (c *Conn) attention() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != closed {
		c.markLocked(0)
	}
}

// resume has the loop go on with what waits.
func (c *Conn) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() == open || c.flags&broken != 0 {
		c.markLocked(resume)
	}
}

// opens reports whether this side's dialing or handshakes are under way.
func (c *Conn) opens() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flags&opening != 0
}

// markLocked links the connection into the loop's dirty list, with lock held, and wakes the loop if it sleeps.
func (c *Conn) markLocked(f flags) {
	c.flags |= f
	if c.in.bytes.servedLocked() {
		c.flags |= marked // endAnswer does it
		return
	}
	if c.flags&dirty == 0 {
		c.flags |= dirty
		c.loop.pushLocked(c)
	}
}
