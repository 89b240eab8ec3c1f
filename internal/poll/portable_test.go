package poll_test

import (
	"net"
	"sync"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman/internal/poll"
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

// atMost fails the test if Accept was called more often.
func (l *listenerStub) atMost(t *testing.T, calls int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls > calls {
		t.Errorf("Accept was called %d times, want at most %d", l.calls, calls)
	}
}

func TestPortableShortageDoesNotSpin(t *testing.T) {
	p := open(t, backends[1].open)
	refuses := &net.OpError{Op: "accept", Err: syscall.EMFILE}
	stub := &listenerStub{accept: func() (net.Conn, error) { return nil, refuses }, closed: make(chan struct{})}
	ln, err := p.Listen(stub)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		p.untilReadable(ln)
		p.untilReadable(ln)
		stub.atMost(t, i+1)
		if _, _, err := p.Accept(ln); err != error(syscall.EMFILE) || !poll.IsShortage(err) {
			t.Errorf("got %v, want EMFILE", err)
		}
	}
	p.untilReadable(ln)
	p.arm(ln, false, false)
	p.silent(ln)
	stub.atMost(t, 6)
	p.arm(ln, true, false)
	p.untilReadable(ln)
	stub.atMost(t, 7)
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
	ln, err := p.Listen(stub)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		p.untilReadable(ln)
		p.untilReadable(ln)
		stub.atMost(t, i+1)
		if _, _, err := p.Accept(ln); err != nil {
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
