package lineman

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lineman-go/lineman/internal/buffer"
	"github.com/lineman-go/lineman/internal/output"
	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/internal/table"
	"github.com/lineman-go/lineman/internal/wheel"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// A Loop is one event loop: its listeners, connections and timers. Every callback of theirs runs on it, one at a time.
//
// Do, Context, ID and Index may be called from any goroutine; everything else on the loop, that is in its callbacks.
type Loop struct {
	// Immutable.
	id    int
	index int        // of its group
	group *loopGroup // nil if it is alone in its process
	poll  poll.Poller
	clock func() time.Time
	born  time.Time
	open  opener
	host  host
	log   *slog.Logger
	ctx   context.Context
	stop  context.CancelFunc

	// Owned by the loop.
	now       time.Time // when the clock was read last
	present   uint32    // that in ticks of the wheel
	unread    int       // events, calls and connections attended to since then
	reach     int       // of which so many may pass before it is read again
	started   time.Time // tick 0 of the wheel; later by the time that the loop stood still
	yielded   time.Time
	conns     table.Table[*Conn]  // by handle
	scheduled table.Table[uint32] // by handle: tick at which the wheel looks at it, 0 never. It outlives a connection
	sockets   map[poll.Handle]socket
	dials     map[*Conn]bool      // that are not there yet
	expected  map[string]*dialing // by ExpectDial, by name; nil until one is
	services  []*service          // in the order in which the loop came to know them
	live      int                 // connections that are not closed
	outgoing  int                 // those of them that were dialed
	wheel     *wheel.Wheel
	timers    timerHeap
	buf       []byte        // what is read
	behind    int           // bytes that were read behind the message at hand
	scratch   []byte        // what is gathered to be written
	block     []byte        // frames of broadcasts
	answers   *output.Queue // for the connection that is served, under its lock; nil while it has it
	spare     *broadcast    // for the next one; nil while there is none
	chunk     *chunk        // that attend uses; nil while it does
	emptied   []func()      // takes the place of posted when that is run; nil while it is
	batch     batch
	gathering []*Conn     // whose output waits for the next answer: see letRun
	inputs    []*input    // free
	memory    buffer.Pool // for what is larger; output too
	decrypts  *decryption // nil until there is TLS
	shakers   shakers
	pipes     []poll.Pipe // free
	relays    *relays     // nil until there is one
	datagram  Conn
	binary    *Conn      // whose message at hand is a binary one; nil for none
	asked     netip.Addr // where the datagram at hand was sent to; zero where its socket has one address
	stats     Stats
	serves    *Conn       // whose event is handled, if what is sent to it meanwhile is written then
	standing  *standstill // that it has been asked to join; nil while there is none
	succeeds  bool        // a predecessor hands over
	stopping  bool
	leaving   bool           // connections are let go
	goodbye   websocket.Code // that they are told; 0 before
	drained   time.Time      // until when connections are left to the application
	giveUp    time.Time      // when a stopping loop ends whatever is open

	// The HTTP request on loan to the callback under way. Owned by the loop.
	request      *http1.Request
	requestOf    *Conn
	spareRequest http1.Spare // between two of them

	date http1.Date

	doing       doing
	turned      atomic.Int64 // when the clock was read last, since the loop was made; in nanoseconds
	second      atomic.Int64 // likewise, by the clock on the wall; in Unix seconds
	sleeping    atomic.Bool
	stage       atomic.Int32         // of a loop in a group
	parting     atomic.Bool          // last answers of HTTP say that connections close. Set by the loop.
	dirty       atomic.Pointer[Conn] // connections that want attention, linked by nextDirty
	someFull    atomic.Bool          // OnFull is due for one of them
	somePosted  atomic.Bool          // posted is not empty
	refused     atomic.Uint64
	bytesOut    atomic.Uint64  // beside that of stats
	messagesOut atomic.Uint64  // likewise
	helpers     sync.WaitGroup // goroutines of handshakes, of net/http's servers, and of Go
	over        chan struct{}  // closed when nothing posted will run any more

	mu     sync.Mutex // guards the following
	posted []func()
	ended  bool
}

// socket is a listening or datagram socket of the loop.
type socket interface{ ready(ev poll.Event) }

const (
	readSize  = 68 << 10               // a message of 64 KiB, with what frames it, comes by one read
	writeSize = 16 << 10               // what is gathered for one call
	yieldAt   = 500 * time.Microsecond // a busy loop lets other goroutines run this often
)

func newLoop(id int, p poll.Poller, clock func() time.Time) *Loop {
	l := &Loop{
		id: id, poll: p, clock: clock, log: slog.Default(), open: ownSockets{},
		sockets: make(map[poll.Handle]socket),
		over:    make(chan struct{}),
		dials:   make(map[*Conn]bool),
		wheel:   wheel.New(512),
	}
	memory := make([]byte, readSize+writeSize) // one object: the runtime keeps pages of its own for each size of them
	l.buf, l.scratch = memory[:readSize:readSize], memory[readSize:]
	l.memory.Filled = func() { l.Do(l.giveBackLater) }
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.born = clock()
	l.started, l.yielded = l.born, l.born
	l.resumeClock()
	return l
}

// ID is the number of the process among those of its worker, from 0; a replacement keeps it. It is 0 under Run.
func (l *Loop) ID() int { return l.id }

// Index is the number of the loop among those of its process, from 0. Each loop of lineman.Run's workers counts by
// itself: it is 0 unless the worker has several Loops.
func (l *Loop) Index() int { return l.index }

// Context ends when the loop begins to stop.
func (l *Loop) Context() context.Context { return l.ctx }

// Recycle replaces this process by a new one of the program that runs, as a reload does: what clients have begun is
// finished, and no listener closes. Use it against what only a new process can undo, such as memory that a library
// leaks: call it after a number of requests. A process that simply exits would cut its connections. Recycle returns at
// once, and a second call changes nothing. Under Run there is no master, and nothing happens. SIGTERM to the process
// does the same.
func (l *Loop) Recycle() {
	if l.host != nil {
		l.host.recycle()
	}
}

// Go runs f on a goroutine, and has the process not end before f has returned, be it that the loop has ended: for what
// takes a while at the end, such as a goodbye in OnStop. It does not hold the loop up. On the loop only.
func (l *Loop) Go(f func()) { l.helpers.Go(f) }

// Do runs f on the loop, after what is under way; functions of one goroutine run in order. It returns false, and f
// will not run, if the loop has ended.
func (l *Loop) Do(f func()) bool {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return false
	}
	l.posted = append(l.posted, f)
	l.somePosted.Store(true)
	l.mu.Unlock()
	l.wake()
	return true
}

// Conns are the open connections of w on this loop; those of a WebSocket worker that have finished their handshake.
// A connection may be closed or given to another worker while they are walked through.
func (l *Loop) Conns(w *Worker) iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		s := l.known(w)
		if s == nil {
			return
		}
		for i := s.count - 1; i >= 0; i-- {
			if i >= s.count {
				continue // more than the one at hand went
			}
			if c := *l.conns.At(int(*s.conns.At(i))); c.Connected() && !yield(c) {
				return
			}
		}
	}
}

// run steps until the loop has stopped. What has come for connections of a predecessor is handled from the second tick
// on, after what the application wants done in the first.
func (l *Loop) run() error {
	if l.succeeds {
		l.resumeClock()
		l.runDue()
		l.runPosted()
		l.attend()
	}
	for !l.finished() {
		if err := l.step(true); err != nil {
			return err
		}
	}
	return nil
}

// step runs one tick: takes what is ready, or waits for it, unless block is false, and handles it; then what is due,
// what was asked for by Do, and last the connections that want attention, which writes what all of it has sent.
func (l *Loop) step(block bool) error {
	events, err := l.poll.Wait(0)
	if err == nil && len(events) == 0 {
		events, err = l.idle(block)
	}
	if err != nil {
		return fmt.Errorf("lineman: %w", err)
	}
	for _, ev := range events {
		l.dispatch(ev)
	}
	l.runDue()
	l.runPosted()
	l.attend()
	if l.now.Sub(l.yielded) > yieldAt {
		// A busy loop makes no call that lets the scheduler in.
		l.letRun()
		l.resumeClock()
		l.yielded = l.now
	}
	return nil
}

// idle sleeps until something happens or is due, if it may block.
func (l *Loop) idle(block bool) ([]poll.Event, error) {
	l.readClock()
	l.doing.set(noCallback)
	if !block {
		return nil, nil
	}
	// The loop is about to stop its thread: whatever its goroutines have to do comes first, because with one processor
	// only the scheduler's monitor would give them this one, up to 10 ms later.
	l.letRun()
	l.sleeping.Store(true)
	defer l.wokeUp()
	d := l.untilDue()
	if d == 0 || l.wanted() {
		return nil, nil
	}
	return l.poll.Wait(d)
}

func (l *Loop) wokeUp() {
	l.sleeping.Store(false)
	l.resumeClock()
	l.yielded = l.now
}

// dateField is the value of a Date field (RFC 9110, 6.6.1).
func (l *Loop) dateField() []byte { return l.date.Now(time.Unix(l.dateSecond(), 0)) }

// dateSecond is the time of answers, in Unix seconds. While the loop is busy it is that of the last look at the clock:
// another one for each answer would cost as much as to make it up. Any goroutine may call it.
func (l *Loop) dateSecond() int64 {
	if l.doing.get() == noCallback {
		return l.clock().Unix()
	}
	return l.second.Load()
}

func (l *Loop) dispatch(ev poll.Event) {
	if c := l.conns.Get(int(ev.Handle)); c != nil {
		c.ready(ev)
	} else if s := l.sockets[ev.Handle]; s != nil {
		s.ready(ev)
	}
	l.measure()
	l.tellFull()
}

// tellFull calls OnFull without waiting for the end of the tick, so that a publisher can pause before its next message.
func (l *Loop) tellFull() {
	if l.someFull.Load() {
		l.attend()
	}
}

// wanted reports whether there is something to do that is no event.
func (l *Loop) wanted() bool {
	return l.dirty.Load() != nil || l.somePosted.Load()
}

func (l *Loop) wake() {
	if l.sleeping.Load() && l.sleeping.CompareAndSwap(true, false) {
		l.poll.Wake()
	}
}

func (l *Loop) runPosted() {
	if !l.somePosted.Load() {
		return
	}
	l.mu.Lock()
	posted := l.posted
	l.posted, l.emptied = l.emptied, nil
	l.somePosted.Store(false)
	l.mu.Unlock()
	for _, f := range posted {
		l.call(inDo, f)
	}
	if clear(posted); cap(posted) <= keepPosted {
		l.emptied = posted[:0]
	}
	if s := l.standing; s != nil { // the attention that follows is its own affair: so this is the end of the tick
		l.standing = nil
		s.hold(l)
		l.runPosted() // before any event: a handover tells the application first, see doFirst
	}
}

// keepPosted is for how many functions the loop keeps room between two ticks.
const keepPosted = 1024

// call runs a function of the application's that belongs to no connection.
func (l *Loop) call(what callback, f func()) {
	defer func() {
		if v := recover(); v != nil {
			l.panicked(what.String(), v)
		}
	}()
	l.enters(what)
	f()
	l.measure()
	l.tellFull()
}

func (l *Loop) panicked(what string, v any) {
	l.stats.Panics++
	stack := make([]byte, 16<<10)
	stack = stack[:runtime.Stack(stack, false)]
	l.log.Error("lineman: panic in a callback", "callback", what, "panic", v, "stack", string(stack))
	l.measure()
}

// pushLocked puts c into the dirty list, under the lock of c.
func (l *Loop) pushLocked(c *Conn) {
	for {
		head := l.dirty.Load()
		c.nextDirty = head
		if l.dirty.CompareAndSwap(head, c) {
			break
		}
	}
	l.wake()
}

// pulledLocked is told that c has left the dirty list, under the lock of c.
func (l *Loop) pulledLocked(c *Conn) {
	c.nextDirty = nil
	c.flags &^= dirty
}

// enter makes c, which has a handle by now, a connection of the loop and of its service.
func (l *Loop) enter(c *Conn) {
	l.conns.Cover(int(c.handle))
	l.scheduled.Cover(int(c.handle))
	*l.conns.At(int(c.handle)) = c
	c.service.adopt(c)
}

// exit takes c back, if it had come as far as that.
func (l *Loop) exit(c *Conn) {
	if c.handle != absent {
		c.service.drop(c)
		*l.conns.At(int(c.handle)) = nil
	}
}

// all are the connections that have a handle. One may be closed while they are walked through.
func (l *Loop) all() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		for i := range l.conns.Len() {
			if c := *l.conns.At(i); c != nil && !yield(c) {
				return
			}
		}
	}
}
