package poll

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// portable is a Poller over package net, which gives bytes and no readiness. So goroutines read, accept and write
// ahead, a little, and what they have makes a socket ready:
//
//	one for each listener     a connection ahead
//	one for each connection   readAhead bytes
//	one for each datagram socket, a datagram ahead
//	one for each connection while it has unsent output, of writeAhead bytes at the most
type portable struct {
	wg     sync.WaitGroup // its goroutines
	signal chan struct{}  // holds one element when Wait should look again

	// Of Wait alone.
	events [most]Event
	timer  *time.Timer

	mu      sync.Mutex // guards the following, and the sockets
	sockets []*socket  // by handle; nil where there is none
	leaving []*socket  // closed, and still writing
	free    []Handle
	retired []Handle  // free after the next Wait
	queue   []*socket // that may be ready
	spare   []*socket // the queue's other array
	woken   bool
	waits   bool // Wait has been called: before, nobody is accepted, and no datagram received
	shut    bool
}

const (
	most       = 256 // events of one Wait
	readAhead  = 16 << 10
	writeAhead = 64 << 10
	lastWrites = 5 * time.Second        // how long a closed connection may take to write what it has
	lastPause  = 250 * time.Millisecond // how long its peer may take nothing of that once the poller is shut
)

// socket is one of a listener, a stream or a datagram socket. Guarded by the poller's lock, but for what is immutable.
type socket struct {
	// Immutable.
	handle Handle
	net    io.Closer     // a net.Listener, a net.Conn or a *net.UDPConn
	stream bool          // a net.Conn
	more   chan struct{} // holds one element when the goroutine that reads ahead should look again
	over   chan struct{} // closed when that goroutine has ended

	read, write bool // armed
	queued      bool
	halted      bool // nothing more is read ahead
	closed      bool

	// What was read ahead, and what ended it.
	accepted net.Conn
	in       []byte
	between  Ends // of a datagram
	datagram bool // in holds one, which may be empty
	inErr    error
	broken   error // what broke a stream, behind what has come
	told     bool  // the loop knows that it is broken
	watched  bool  // the goroutine that reads ahead waits for a break

	out      []byte // to be written
	spare    []byte // what was written last
	unsent   int    // bytes of out, and those being written
	outErr   error
	writing  bool      // the goroutine that writes lives
	endOfOut bool      // the stream ends after out, or has ended if nobody is writing
	until    time.Time // when a closed one gives up writing
}

// NewPortable makes a Poller over package net, for every system. Where it is less than a native one:
//
// - Of a socket that is disarmed it may still take one connection, one datagram or 16 KiB, no more. On Windows it
// learns that a
//
//	  connection broke only when all that came before was read.
//	- What Write takes stays in this process until the peer makes room. Close tries for 5 seconds to send it, in the
//	  background; Shut waits for that, but not for a peer that takes nothing for a quarter of a second.
//	- WriteTo waits while the system's buffer for sending is full.
func NewPortable() Poller {
	p := &portable{signal: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	p.timer.Stop()
	return p
}

// open gives s a handle and has ahead run for it.
func (p *portable) open(s *socket, ahead func(*socket)) (Handle, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		return 0, fmt.Errorf("poll: %w", net.ErrClosed)
	}
	s.more, s.over, s.read = make(chan struct{}, 1), make(chan struct{}), true
	if n := len(p.free); n > 0 {
		s.handle = p.free[n-1]
		p.free = p.free[:n-1]
		p.sockets[s.handle] = s
	} else {
		s.handle = Handle(len(p.sockets))
		p.sockets = append(p.sockets, s)
	}
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		defer close(s.over)
		ahead(s)
	}()
	return s.handle, nil
}

// socketLocked is the open socketLocked of a handle, or nil, with lock held.
func (p *portable) socketLocked(h Handle) *socket {
	if int(h) < len(p.sockets) {
		return p.sockets[h]
	}
	return nil
}

// enqueueLocked has the next Wait look at s, with lock held.
func (p *portable) enqueueLocked(s *socket) {
	if !s.queued && !s.closed {
		s.queued = true
		p.queue = append(p.queue, s)
	}
	notify(p.signal)
}

// notify fills a channel of one element.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// readyLocked is what the loop is told of s, with lock held.
func (s *socket) readyLocked() Event {
	return Event{
		Handle: s.handle,
		Read:   s.read && (len(s.in) > 0 || s.datagram || s.accepted != nil || s.inErr != nil),
		Write:  s.write && (s.unsent <= writeAhead/2 || s.outErr != nil),
		Fail:   s.stream && s.failedLocked() && (s.read || s.write || !s.told),
	}
}

// failedLocked reports whether a stream is broken, with lock held.
func (s *socket) failedLocked() bool {
	return s.inErr != nil && s.inErr != io.EOF || s.outErr != nil || s.broken != nil
}

func (p *portable) Wait(d time.Duration) ([]Event, error) {
	p.reuse()
	if events, over := p.collect(); over || d == 0 {
		return events, nil
	}
	var expired <-chan time.Time
	if d > 0 {
		p.timer.Reset(d)
		defer p.timer.Stop()
		expired = p.timer.C
	}
	for {
		select {
		case <-p.signal:
			if events, over := p.collect(); over {
				return events, nil
			}
		case <-expired:
			events, _ := p.collect()
			return events, nil
		}
	}
}

// reuse frees the handles that were closed before this Wait. The first one has listening sockets be looked at.
func (p *portable) reuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, p.retired...)
	p.retired = p.retired[:0]
	if p.waits {
		return
	}
	p.waits = true
	for _, s := range p.sockets {
		if s != nil {
			notify(s.more)
		}
	}
}

// collect gathers events, and reports whether Wait is over. What is ready stays in the queue, because it is
// level-triggered, but behind what had no turn.
func (p *portable) collect() (events []Event, over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	events = p.events[:0]
	looked := 0
	for ; looked < len(p.queue) && len(events) < most; looked++ {
		s := p.queue[looked]
		ev := s.readyLocked()
		if s.queued = !s.closed && (ev.Read || ev.Write || ev.Fail); s.queued {
			events = append(events, ev)
			s.told = s.told || ev.Fail
		}
	}
	rest := append(p.spare[:0], p.queue[looked:]...)
	for _, s := range p.queue[:looked] {
		if s.queued {
			rest = append(rest, s)
		}
	}
	clear(p.queue)
	p.queue, p.spare = rest, p.queue[:0]
	over = p.woken || len(events) > 0
	p.woken = false
	return events, over
}

func (p *portable) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.woken = true
	notify(p.signal)
}

func (p *portable) Arm(h Handle, read, write bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.socketLocked(h)
	if s == nil {
		return fmt.Errorf("poll: %w", net.ErrClosed)
	}
	if read && !s.read {
		if !s.stream {
			s.inErr = nil // from before it was disarmed: it may succeed now
		}
	}
	if read != s.read {
		s.lookLocked()
	}
	s.read, s.write = read, write
	p.enqueueLocked(s)
	return nil
}

func (p *portable) LocalAddr(h Handle) net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.socketLocked(h)
	if s == nil {
		return nil
	}
	switch c := s.net.(type) {
	case net.Listener:
		return c.Addr()
	case interface{ LocalAddr() net.Addr }:
		return c.LocalAddr()
	}
	return nil
}

func (p *portable) Close(h Handle, abort bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.socketLocked(h); s != nil {
		p.closeLocked(s, abort)
		p.sockets[h] = nil
		p.retired = append(p.retired, h)
	}
}

// closeLocked ends the goroutines of s, with lock held. One that writes goes on for a while.
func (p *portable) closeLocked(s *socket, abort bool) {
	s.closed = true
	s.lookLocked()
	if s.accepted != nil {
		s.accepted.Close()
	}
	if t, ok := s.net.(*net.TCPConn); ok && abort {
		_ = t.SetLinger(0) // it can fail only on a dead socket
	}
	if c, ok := s.net.(net.Conn); ok && s.writing && !abort {
		_ = c.SetReadDeadline(time.Unix(1, 0)) // ends the goroutine that reads
		s.until = time.Now().Add(lastWrites)
		_ = c.SetWriteDeadline(s.until)
		p.leaving = append(p.leaving, s)
		return // the goroutine that writes closes it
	}
	s.net.Close()
}

func (p *portable) Shut() {
	p.mu.Lock()
	p.shut = true
	for _, s := range p.sockets {
		if s != nil {
			p.closeLocked(s, false)
		}
	}
	p.sockets = nil
	for _, s := range p.leaving {
		s.hurryLocked()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// hurryLocked gives the peer of a closed socket a little time to take something, with lock held. It returns false when
// there is none left.
func (s *socket) hurryLocked() bool {
	now := time.Now()
	until := now.Add(lastPause)
	if until.After(s.until) {
		until = s.until
	}
	_ = s.net.(net.Conn).SetWriteDeadline(until) // it can fail only on a dead socket
	return now.Before(until)
}

func (p *portable) WriteParts(h Handle, parts [][]byte) (int, error) {
	done := 0
	for _, b := range parts {
		n, err := p.Write(h, b)
		if done += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

func (p *portable) Descriptor(Handle) (int, error) { return -1, errors.ErrUnsupported }

func (p *portable) Lend(Handle) (int, error) { return -1, errors.ErrUnsupported }

func (p *portable) Reclaim() {}

func (p *portable) Leave(h Handle) { p.Close(h, false) }

func (p *portable) Renew() error         { return errors.ErrUnsupported }
func (p *portable) Watch(Handle) error   { return errors.ErrUnsupported }
func (p *portable) Unwatch(Handle) error { return errors.ErrUnsupported }

func (p *portable) Pair() (one, other Handle, fd int, err error) {
	return 0, 0, -1, errors.ErrUnsupported
}

func (p *portable) HungUp(Handle) bool { return false }

func (p *portable) Take(fd int) (Handle, error) {
	return 0, errors.Join(errors.ErrUnsupported, os.NewFile(uintptr(fd), "stream").Close())
}
