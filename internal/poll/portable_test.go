package poll_test

import (
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/linemantest"
)

// A listenerStub accepts what its function gives, and counts.
type listenerStub struct {
	accept func() (net.Conn, error)
	closed chan struct{}
	once   sync.Once

	mu    sync.Mutex
	calls int
}

func (l *listenerStub) Accept() (net.Conn, error) {
	l.mu.Lock()
	l.calls++
	l.mu.Unlock()
	return l.accept()
}

func (l *listenerStub) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listenerStub) Addr() net.Addr { return &net.TCPAddr{} }

// called fails the test if Accept was not called so often.
func (l *listenerStub) called(t *testing.T, calls int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls != calls {
		t.Errorf("Accept was called %d times, want %d", l.calls, calls)
	}
}

func TestPortableShortageDoesNotSpin(t *testing.T) {
	p := open(t, backends[1].open)
	refuses := &net.OpError{Op: "accept", Err: syscall.EMFILE}
	stub := &listenerStub{accept: func() (net.Conn, error) { return nil, refuses }, closed: make(chan struct{})}
	ln, err := p.Listen(stub, false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		p.untilReadable(ln)
		p.untilReadable(ln)
		stub.called(t, i+1)
		if _, _, err := acceptFrom(p, ln); err != error(syscall.EMFILE) || !poll.IsShortage(err) {
			t.Errorf("got %v, want EMFILE", err)
		}
	}
	p.untilReadable(ln)
	p.arm(ln, false, false)
	p.silent(ln)
	stub.called(t, 6)
	p.arm(ln, true, false)
	p.untilReadable(ln)
	stub.called(t, 7)
}

func TestPortableAcceptsOneAhead(t *testing.T) {
	p := open(t, backends[1].open)
	var ends []net.Conn
	stub := &listenerStub{closed: make(chan struct{})}
	stub.accept = func() (net.Conn, error) {
		near, far := net.Pipe()
		ends = append(ends, far)
		return near, nil
	}
	ln, err := p.Listen(stub, false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		p.untilReadable(ln)
		p.untilReadable(ln)
		stub.called(t, i+1)
		if _, _, err := acceptFrom(p, ln); err != nil {
			t.Error(err)
		}
	}
	p.untilReadable(ln)
	p.Shut()
	for _, c := range ends {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a connection is open after Shut")
		}
	}
	select {
	case <-stub.closed:
	default:
		t.Error("the listener is open after Shut")
	}
}

func TestPortableShutWaitsForGoroutines(t *testing.T) {
	p := open(t, backends[1].open)
	stub := &listenerStub{closed: make(chan struct{})}
	var accepts, ended atomic.Bool
	stub.accept = func() (net.Conn, error) {
		accepts.Store(true)
		p.Wake()
		<-stub.closed
		for range 10_000 {
			runtime.Gosched() // gives a Shut that does not wait the time to return
		}
		ended.Store(true)
		return nil, net.ErrClosed
	}
	if _, err := p.Listen(stub, false); err != nil {
		t.Fatal(err)
	}
	linemantest.Until(t, "nobody accepts", func() bool {
		p.wait(0)
		return accepts.Load()
	})
	p.Shut()
	if !ended.Load() {
		t.Error("Shut returned while a goroutine was accepting")
	}
}

// TestPortableShutLeavesTheStuck has peers that read nothing not hold Shut up, whether they were closed before or by
// it.
func TestPortableShutLeavesTheStuck(t *testing.T) {
	p := open(t, backends[1].open)
	for _, closed := range []bool{true, false} {
		near, far := net.Pipe()
		defer far.Close()
		h, err := p.Stream(near)
		if err != nil {
			t.Fatal(err)
		}
		p.fill(h)
		if closed {
			p.Close(h, false)
		}
	}
	begin := time.Now()
	p.Shut()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("Shut took %v", took)
	}
}

// TestPortableShutWaitsForReaders has a peer that reads slowly, but does, get all that was written for it.
func TestPortableShutWaitsForReaders(t *testing.T) {
	p := open(t, backends[1].open)
	near, far := net.Pipe()
	defer far.Close()
	h, err := p.Stream(near)
	if err != nil {
		t.Fatal(err)
	}
	sent := len(p.fill(h))
	p.Close(h, false)
	shut, read := make(chan struct{}), 0
	go func() {
		defer close(shut)
		p.Shut()
	}()
	// a rate, not a wait: all of it takes longer than a peer may take nothing
	pace := time.NewTicker(25 * time.Millisecond)
	defer pace.Stop()
	for b := make([]byte, 4<<10); err == nil; <-pace.C {
		var n int
		n, err = far.Read(b)
		read += n
	}
	<-shut
	if err != io.EOF || read != sent {
		t.Errorf("the peer got %d of %d bytes, %v", read, sent, err)
	}
}
