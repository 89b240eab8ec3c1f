package lineman

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/http1"
)

// A Conn is one connection. It belongs to one loop for its whole life.
//
// From any goroutine, returning at once: Send, SendBinary, SendTyped, Write, Respond, Ping, Close, CloseWith, Abort,
// Do, Connected, Pending, ID, Context, LocalAddr, RemoteAddr, RemoteAddrPort, Stats. On the loop only, that is in
// callbacks: all others.
//
// The Conn of a datagram that a worker received is on loan like its message, and has ID, Send, Write and the addresses
// only. One of datagrams that Loop.Dial made is a Conn like others.
type Conn struct {
	// Immutable.
	loop *Loop
	id   uint64

	// Owned by the loop.
	value  any
	in     reader
	slot   int32       // in the service's list of connections
	handle poll.Handle // changed and used to write under mu
	since  uint32      // tick at which what the connection is waiting for began
	state  connState
	end    ending
	large  uint8 // what the last message took, in units of 8 KiB; 0 if it was not large

	mu        sync.Mutex // guards the following, which the loop alone changes where it says so
	remote    endpoint
	flags     flags
	held      uint16      // by Hold. Owned by the loop; here for the sake of size
	accepted  uint32      // messages, by Send; likewise here
	phase     atomicPhase // read anywhere
	service   *service    // changed by the loop
	session   session     // changed by the loop
	link      *link       // nil for an accepted connection without TLS. Changed by the loop
	out       writer
	extra     *extra
	nextDirty *Conn // owned by the loop's dirty list while the connection is in it
}

// phase is how far a connection has come. It only moves forward.
//
//	        Close, CloseWith, the peer's end,      flushed, and the peer's
//	        a limit, an error of the protocol      goodbye has come
//	open ────────────────────────────────▶ closing ───────────────▶ lingering
//	  │                                       │      (our end sent)     │ the peer's end,
//	  │ Abort, an error of the system         │ Abort, Limits.Close     │ Limits.Close
//	  └───────────────────────────────────────┴─────────────────────────┴──▶ closed: OnClose
type phase uint8

const (
	open phase = iota
	closing
	lingering
	closed
)

func (p phase) String() string { return [...]string{"open", "closing", "lingering", "closed"}[p] }

// atomicPhase is changed with the connection's lock held. Beside the phase it knows whether OnConnect was due, so that
// OnClose will be.
type atomicPhase struct{ v atomic.Uint32 }

const connected = 1 << 8 // beside the phase

func (p *atomicPhase) get() phase      { return phase(p.v.Load() &^ connected) }
func (p *atomicPhase) set(v phase)     { p.v.Store(p.v.Load()&connected | uint32(v)) }
func (p *atomicPhase) connected() bool { return p.v.Load()&connected != 0 }

// connect notes that OnConnect is due, or, as for a connection that was given away, that neither it nor OnClose is.
func (p *atomicPhase) connect(yes bool) {
	v := p.v.Load() &^ connected
	if yes {
		v |= connected
	}
	p.v.Store(v)
}

// connState is facts that only the loop needs.
type connState uint16

const (
	paused   connState = 1 << iota // by Pause
	half                           // a message is half received; since tells from when
	holding                        // what waits in the reader has to wait for Resume, an answer or a handler
	pinged                         // a ping has not been answered
	ended                          // the peer's stream has ended
	blocked                        // stalled of the flags, as attend saw it last
	arriving                       // OnAccept has not let it in yet: a PROXY header comes first
	fresh                          // OnConnect is due: SetWorker took it from a WebSocket worker before a handshake
	armedRead
	armedWrite
)

// put has facts hold, or not.
func (s *connState) put(facts connState, hold bool) {
	if *s &^= facts; hold {
		*s |= facts
	}
}

// flags are what the loop has to do for a connection, and what senders have to know of it.
type flags uint16

const (
	dirty      flags = 1 << iota // in the loop's dirty list
	stalled                      // the kernel has refused bytes; armed for writing
	full                         // OnFull was due, OnDrain is
	notifyFull                   // OnFull has to be called
	resume                       // messages wait in the input
	broken                       // a write failed; the cause is in extra
	aborted                      // Abort was called
	opening                      // this side dials, or shakes hands: nothing of the output is written yet
	handed                       // the loop is writing what comes first in the output: nobody else writes
	marked                       // it enters the dirty list when its event was handled: see arrivals
	gathered                     // what is to be written may wait for the next answer: see letRun
)

// lastID numbers the connections of the process.
var lastID atomic.Uint64

// ID is the connection's number. It is unique in this process, and is never used again. A connection that is handed
// over to the successor of its process keeps its number, which is unique there, too.
func (c *Conn) ID() uint64 { return c.id }

// Loop is the loop that the connection belongs to.
func (c *Conn) Loop() *Loop { return c.loop }

// Worker is the worker whose events the connection has: its listener's, until SetWorker.
func (c *Conn) Worker() *Worker { return c.service.worker }

// Value is what SetValue stored last, or nil.
func (c *Conn) Value() any { return c.value }

// SetValue stores a value of the application's with the connection.
func (c *Conn) SetValue(v any) { c.value = v }

// Binary reports whether the message being handled is a binary one. Only WebSocket tells them apart.
func (c *Conn) Binary() bool { return c.loop.binary == c }

// MessageType is the type of the message being handled, where the codec is a protocol.Typed; the zero Type elsewhere.
func (c *Conn) MessageType() protocol.Type { return c.session.messageType() }

// Request is the HTTP request being handled, in OnRequest, OnMessage of an http worker, OnUpgrade and the OnConnect
// that follows it, on loan until the callback returns. nil elsewhere.
func (c *Conn) Request() *http1.Request {
	if c.loop.requestOf != c {
		return nil
	}
	return c.loop.request
}

// Subprotocol is the WebSocket subprotocol that was agreed on, or "".
func (c *Conn) Subprotocol() string {
	if s, ok := c.session.(*wsSession); ok {
		return s.Subprotocol()
	}
	return ""
}

// LocalAddr is this side's address; nil once the connection has closed, and before a dialed one is there. For a
// datagram it is the one that it was sent to, and its answer comes from; under systems other than Linux the socket's
// own.
func (c *Conn) LocalAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() == closed || c.handle == absent {
		return nil
	}
	if r := relayedLocked(c); r != nil && r.state != nil {
		return r.local
	}
	return c.transport().localAddrLocked(c, c.loop.poll.LocalAddr(c.handle))
}

// Connected reports whether the connection is ready: OnConnect has run or comes next, and the connection has not begun
// to close. It is false before the end of the handshakes, and while Loop.Dial makes the connection, or makes it again.
func (c *Conn) Connected() bool { return c.phase.connected() && c.phase.get() == open }

// Do runs f on the connection's loop, after the callback under way. It returns false, and f will not run, if the
// connection has closed. f runs even if the connection closes before its turn comes.
func (c *Conn) Do(f func()) bool {
	c.mu.Lock()
	gone := c.phase.get() == closed
	c.mu.Unlock()
	return !gone && c.loop.Do(f)
}

// Pause stops reading: what the peer sends waits in the kernel, and the peer is slowed down by it. Messages that were
// already read wait too. A connection that breaks while it is paused has OnClosing at once; what had come is handled
// after Resume, if that comes within Limits.Close.
func (c *Conn) Pause() {
	c.state |= paused
	c.rearm()
}

// Resume reads again.
func (c *Conn) Resume() {
	if c.state&paused == 0 {
		return
	}
	c.state &^= paused | pinged
	now := c.loop.present
	c.in.touched, c.since = now, now // the limits did not run
	c.watch(1)
	c.mu.Lock()
	c.markLocked(resume)
	c.mu.Unlock()
	c.rearm()
}

// SetWorker gives the connection to another worker. From the next message on, it has the protocol, events and limits of
// that worker, and bytes that were not used yet go to the new protocol. The worker need not listen anywhere. A
// WebSocket keeps the subprotocol and the compression of its handshake. The error is about the worker, or it is
// net.ErrClosed if the connection has closed. A connection of datagrams, and one that Loop.Dial is still making, cannot
// change its worker.
//
// From an http worker to a websocket worker, in OnRequest, it makes the present request the handshake. The handshake is
// checked, OnUpgrade is called, and OnConnect of the new worker follows when the callback has returned. From a
// websocket worker before its handshake to another worker, OnConnect of that worker follows in the same way.
func (c *Conn) SetWorker(w *Worker) error {
	switch {
	case c.phase.get() == closed || c.onLoan():
		return net.ErrClosed
	case !c.transport().carriesStream() || c.opens():
		return fmt.Errorf("lineman: a connection of datagrams, or one that is not there yet, cannot go to worker %q",
			w.Name)
	}
	s, err := c.loop.serviceOf(w)
	switch {
	case err != nil || s == c.service:
		return err
	case s.packet:
		return fmt.Errorf("lineman: worker %q is for datagrams, and the connection is a stream", s.name)
	}
	return c.change(s)
}

// change gives the connection to another service, with the session that it has, where that will do.
func (c *Conn) change(s *service) error {
	stays, err := c.session.change(c, s)
	if err != nil {
		return err
	}
	c.move(s)
	if stays {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = s.newSession()
	c.markLocked(resume)
	return nil
}

// move changes whose events and limits the connection has.
func (c *Conn) move(s *service) {
	noteOrigin(c, s)
	c.service.drop(c)
	s.adopt(c)
	s.bound(c, c.service.limits.Unacknowledged)
	c.mu.Lock()
	c.service = s
	c.mu.Unlock()
	if c.phase.get() == open {
		c.since = c.loop.present
	}
	c.watch(1) // other limits hold from now on
}

// TLS is the state of the connection's TLS, or nil without TLS. If the connection was handed over by a predecessor, do
// not call ExportKeyingMaterial: the predecessor has the keys. On the loop only.
func (c *Conn) TLS() *tls.ConnectionState {
	s := c.link.tls()
	switch {
	case s == nil:
		return relayedTLS(c)
	case !s.done:
		return nil
	}
	state := s.conn.ConnectionState()
	return &state
}

// extra is what few connections need. Guarded by the connection's lock.
type extra struct {
	cause   error // why the connection ends
	life    *life // nil until Context was called
	timers  []*Timer
	piped   poll.Pipe  // bytes in the kernel that go before the output; nil when there are none
	client  netip.Addr // whom a trusted proxy speaks for
	zone    string     // of the peer's address, if that is link-local (RFC 4007)
	ping    *pinging   // nil until Ping was called
	pongs   *pongs     // nil but for a peer that pings and does not read
	relayed *relayed   // nil but for a connection that a relay has an end of
	origin  *service   // whose OnGone is due; nil means that of the service that has the connection

	refused uint32 // messages that Send has refused with ErrFull
}

// isEmptyLocked reports whether there is nothing that the connection needs any more.
func (x *extra) isEmptyLocked() bool {
	return x.cause == nil && x.life == nil && x.timers == nil && x.piped == nil && !x.client.IsValid() &&
		x.zone == "" &&
		x.ping == nil && x.pongs == nil && x.relayed == nil && x.origin == nil && x.refused == 0
}

// life is the context of a connection, and its end.
type life struct {
	context.Context
	end context.CancelFunc
}

func newLife() *life {
	ctx, end := context.WithCancel(context.Background())
	return &life{ctx, end}
}

// Context is cancelled when the connection has closed. A connection that is dialed again has another one then.
func (c *Conn) Context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.extrasLocked()
	if x.life == nil {
		x.life = newLife()
		if c.phase.get() == closed {
			x.life.end()
		}
	}
	return x.life.Context
}

// refusedLocked is how many messages Send has refused.
func (x *extra) refusedLocked() uint32 {
	if x == nil {
		return 0
	}
	return x.refused
}

func (c *Conn) extrasLocked() *extra {
	if c.extra == nil {
		c.extra = &extra{}
	}
	return c.extra
}

// Hold keeps the connection open after its peer's stream has ended, until Release has been called as often as Hold:
// for an answer that comes later to a peer that waits for it (nc -N). Limits.Answer bounds the waiting, and OnClose
// gets ErrTimeout then. More than 65,535 at a time are not counted. A connection that breaks still ends at once.
func (c *Conn) Hold() {
	if c.held < math.MaxUint16 {
		c.held++
	}
}

// Release takes one Hold back, after the answer was sent. Without a Hold it does nothing.
func (c *Conn) Release() {
	if c.held == 0 {
		return
	}
	if c.held--; c.held == 0 && c.state&ended != 0 && c.phase.get() == open && !c.end.isBusy(c) {
		c.end.depart(c, io.EOF)
	}
}

// transport is what carries the connection's bytes. On the loop, or under the lock.
func (c *Conn) transport() transport {
	if s := c.link.tls(); s != nil {
		return s
	}
	return c.service.transport
}

// onLoan reports whether this is the Conn of a datagram that a worker received.
func (c *Conn) onLoan() bool { return c == &c.loop.datagram }
