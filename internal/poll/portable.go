package poll

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// portable is a Poller over package net, which gives bytes and no readiness. So goroutines read, accept and write ahead, a
// little, and what they have makes a socket ready:
//
//	one for each listener     a connection ahead
//	one for each connection   readAhead bytes
//	one for each datagram socket, a datagram ahead
//	one for each connection while it has unsent output, of writeAhead bytes at the most
type portable struct {
	wg     sync.WaitGroup // its goroutines
	signal chan struct{}  // holds one element when Wait should look again
	events []Event

	mu      sync.Mutex // guards the following, and the sockets
	sockets []*socket  // by handle; nil where there is none
	free    []Handle
	retired []Handle  // free after the next Wait
	queue   []*socket // that may be ready
	woken   bool
	shut    bool
}

const (
	readAhead  = 16 << 10
	writeAhead = 64 << 10
	lastWrites = 5 * time.Second // how long a closed connection may take to write what it has
)

// socket is one of a listener, a stream or a datagram socket. Guarded by the poller's lock, but for what is immutable.
type socket struct {
	// Immutable.
	handle Handle
	net    io.Closer     // *net.TCPListener, *net.UnixListener, net.Conn or *net.UDPConn
	more   chan struct{} // holds one element when the goroutine that reads ahead should look again

	read, write bool // armed
	queued      bool
	closed      bool

	// What was read ahead, and what ended it.
	accepted net.Conn
	in       []byte
	buf      []byte // behind in
	from     netip.AddrPort
	datagram bool // in holds one, which may be empty
	inErr    error

	out      []byte // to be written
	spare    []byte // what was written last
	unsent   int    // bytes of out, and those being written
	outErr   error
	writing  bool // the goroutine that writes lives
	endOfOut bool // the stream ends after out
}

// NewPortable makes a Poller over package net.
func NewPortable() Poller { return &portable{signal: make(chan struct{}, 1)} }

// open gives c a handle and has ahead run for it.
func (p *portable) open(c io.Closer, ahead func(*socket)) (Handle, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		return 0, fmt.Errorf("poll: %w", net.ErrClosed)
	}
	s := &socket{net: c, more: make(chan struct{}, 1), read: true}
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
		ahead(s)
	}()
	return s.handle, nil
}

// socket is the open socket of a handle, or nil, with lock held.
func (p *portable) socket(h Handle) *socket {
	if int(h) < len(p.sockets) && !p.sockets[h].closed {
		return p.sockets[h]
	}
	return nil
}

// enqueue has the next Wait look at s, with lock held.
func (p *portable) enqueue(s *socket) {
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

// ready is what the loop is told of s, with lock held.
func (s *socket) ready() Event {
	return Event{
		Handle: s.handle,
		Read:   s.read && (len(s.in) > 0 || s.datagram || s.accepted != nil || s.inErr != nil),
		Write:  s.write && (s.unsent <= writeAhead/2 || s.outErr != nil),
		Fail:   s.outErr != nil || s.inErr != nil && s.inErr != io.EOF && s.buf != nil,
	}
}

func (p *portable) Wait(d time.Duration) ([]Event, error) {
	p.mu.Lock()
	p.free = append(p.free, p.retired...)
	p.retired = p.retired[:0]
	p.mu.Unlock()
	var expired <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		expired = t.C
	}
	for {
		if p.collect() || d == 0 {
			return p.events, nil
		}
		select {
		case <-p.signal:
		case <-expired:
			d = 0
		}
	}
}

// collect gathers events, and reports whether Wait is over. What is ready stays in the queue: it is level-triggered.
func (p *portable) collect() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = p.events[:0]
	queue := p.queue
	p.queue = p.queue[:0:0]
	for _, s := range queue {
		s.queued = false
		if s.closed {
			continue
		}
		if ev := s.ready(); ev.Read || ev.Write || ev.Fail {
			p.events = append(p.events, ev)
			s.queued = true
			p.queue = append(p.queue, s)
		}
	}
	over := p.woken || len(p.events) > 0
	p.woken = false
	return over
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
	s := p.socket(h)
	if s == nil {
		return fmt.Errorf("poll: %w", net.ErrClosed)
	}
	if read && !s.read {
		if s.accepted == nil && s.buf == nil {
			s.inErr = nil // a listener's, from before it was disarmed: it may accept now
		}
		notify(s.more)
	}
	s.read, s.write = read, write
	p.enqueue(s)
	return nil
}

func (p *portable) LocalAddr(h Handle) net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.socket(h)
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
	if s := p.socket(h); s != nil {
		p.close(s, abort)
		p.retired = append(p.retired, h)
	}
}

// close ends the goroutines of s, with lock held. One that writes goes on for a while.
func (p *portable) close(s *socket, abort bool) {
	s.closed = true
	notify(s.more)
	if s.accepted != nil {
		s.accepted.Close()
	}
	if t, ok := s.net.(*net.TCPConn); ok && abort {
		_ = t.SetLinger(0) // it can fail only on a dead socket
	}
	if c, ok := s.net.(net.Conn); ok && s.writing && !abort {
		_ = c.SetReadDeadline(time.Unix(1, 0))
		_ = c.SetWriteDeadline(time.Now().Add(lastWrites))
		return // the goroutine that writes closes it
	}
	s.net.Close()
}

func (p *portable) Shut() {
	p.mu.Lock()
	p.shut = true
	for _, s := range p.sockets {
		if !s.closed {
			p.close(s, false)
		}
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// bare is the system's error in one of package net.
func bare(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
