package exchange_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/internal/exchange"
)

// fake is a connection without a loop and without a socket. Its kernel takes what it has room for.
type fake struct {
	// Immutable once something is served.
	tls     *tls.ConnectionState
	local   net.Addr
	last    bool     // the loop lets the connection go
	socket  net.Conn // for Detach
	unread  string   // what the loop has read and not fed
	noFiles error    // what SendFile says

	mu       sync.Mutex // guards the following
	state    exchange.State
	room     int // bytes that the kernel takes; below 0 there is no bound
	pending  []byte
	taken    []byte // by the peer
	attends  int
	resumes  int
	closes   int
	most     int // bytes that have been pending at once
	gathered int // bytes that might wait for the next answer
}

func (f *fake) WriteSome(p []byte, ahead int, gather bool) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.state.Open {
		return 0, net.ErrClosed
	}
	n := max(min(len(p), ahead-len(f.pending)), 0)
	if gather {
		f.gathered += n
	}
	f.pending = append(f.pending, p[:n]...)
	f.flushLocked()
	f.most = max(f.most, len(f.pending))
	return n, nil
}

// flushLocked has the kernel take what it has room for.
func (f *fake) flushLocked() {
	n := len(f.pending)
	if f.room >= 0 {
		n = min(n, f.room)
		f.room -= n
	}
	f.taken = append(f.taken, f.pending[:n]...)
	f.pending = f.pending[n:]
	f.state.Stalled = len(f.pending) > 0
	f.state.Pending = len(f.pending)
	f.state.Sent += uint64(n)
}

func (f *fake) State() exchange.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

func (f *fake) Output() (exchange.Output, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.tls != nil:
		return nil, errors.New("a file is sent past TLS")
	case !f.state.Open:
		return nil, net.ErrClosed
	}
	return fakeOutput{f}, nil
}

type fakeOutput struct{ *fake }

func (o fakeOutput) Close() error { return nil }

func (o fakeOutput) SendFile(file *os.File, n int) (sent int, full bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.noFiles != nil:
		return 0, false, o.noFiles
	case !o.state.Open:
		return 0, false, net.ErrClosed
	case len(o.pending) > 0:
		return 0, false, errors.New("a file is sent ahead of what was written before")
	case o.room == 0:
		o.state.Stalled = true
		return 0, true, nil
	case o.room > 0:
		n = min(n, o.room)
	}
	piece, err := io.ReadAll(io.LimitReader(file, int64(n)))
	if o.room > 0 {
		o.room -= len(piece)
	}
	o.taken = append(o.taken, piece...)
	o.state.Sent += uint64(len(piece))
	return len(piece), false, err
}

func (f *fake) Attend() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attends++
}

func (f *fake) Resume() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resumes++
}

func (f *fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closes++
	f.state.Open = false
	return nil
}

func (f *fake) IsLast() bool { return f.last }

func (f *fake) Detach() (net.Conn, []byte, error) {
	if s := f.State(); !s.Open || s.Pending > 0 || f.socket == nil {
		return nil, nil, net.ErrClosed
	}
	return f.socket, []byte(f.unread), nil
}

func (f *fake) TLS() *tls.ConnectionState { return f.tls }
func (f *fake) ends() exchange.Ends {
	return exchange.Ends{Local: f.local, Peer: f.RemoteAddr().String()}
}
func (f *fake) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// trial serves exchanges of one fake connection, in a bubble whose time passes at once. What still waits at its end
// fails the test.
type trial struct {
	*testing.T
	*fake
	server *exchange.Server
	log    *bytes.Buffer
}

func try(t *testing.T, f func(t *trial)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := &bytes.Buffer{}
		f(&trial{
			T:    t,
			fake: &fake{local: &net.TCPAddr{}, room: -1, state: exchange.State{Open: true}},
			log:  log,
			server: startServer(t, slog.New(slog.NewTextHandler(log, nil)), func(c exchange.Conn, r *http.Request) {
				r.Header.Set("Prepared", c.RemoteAddr().String())
			}),
		})
		time.Sleep(time.Second) // net/http lingers before it closes
	})
}

func startServer(t *testing.T, log *slog.Logger, prepare func(exchange.Conn, *http.Request)) *exchange.Server {
	s := exchange.NewServer(log, prepare)
	go s.Run()
	t.Cleanup(s.Close)
	return s
}

// begin has a handler serve a request of which a first piece has come. ends means that it is whole.
func (t *trial) begin(h http.HandlerFunc, piece string, ends bool) *exchange.Exchange {
	x := exchange.New(t.fake, t.ends(), h, 0)
	x.Feed([]byte(piece), ends)
	t.server.Serve(x)
	synctest.Wait()
	return x
}

// set changes the connection, as its loop does, and tells the exchange, unless that is nil.
func (t *trial) set(x *exchange.Exchange, change func(f *fake)) {
	t.mu.Lock()
	change(t.fake)
	t.flushLocked()
	t.mu.Unlock()
	if x != nil {
		x.Wake()
	}
	synctest.Wait()
}

// take has the peer read n bytes.
func (t *trial) take(x *exchange.Exchange, n int) { t.set(x, func(f *fake) { f.room += n }) }

// end has the connection begin to close, by itself.
func (t *trial) end(x *exchange.Exchange) { t.set(x, func(f *fake) { f.state.Open = false }) }

// sent is what the peer has.
func (t *trial) sent() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.taken)
}

// calls are how often the exchange asked for something.
func (t *trial) calls() (attends, resumes, closes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.attends, t.resumes, t.closes
}

// want fails if the connection was not resumed, or closed, so many times.
func (t *trial) want(when string, resumes, closes int) {
	t.Helper()
	if _, r, c := t.calls(); r != resumes || c != closes {
		t.Errorf("%s: resumed %d times and closed %d times, want %d and %d", when, r, c, resumes, closes)
	}
}
