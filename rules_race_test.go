package lineman_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/text"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// crowd is what goroutines use connections of all kinds of, while those come, break, change their worker, are dialed
// again and close.
type crowd struct {
	mu    sync.Mutex // guards conns
	conns [64]*lineman.Conn

	workers         int // made
	over            chan struct{}
	wg              sync.WaitGroup
	came, went      atomic.Int64 // by OnAccept and OnGone
	connected, left atomic.Int64 // by OnConnect and OnClose
}

func (w *crowd) add(c *lineman.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[rand.IntN(len(w.conns))] = c
}

func (w *crowd) one() *lineman.Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conns[rand.IntN(len(w.conns))]
}

// run runs f on a goroutine again and again until the crowd goes.
func (w *crowd) run(f func()) {
	w.wg.Add(1)
	go func() {
		defer w.wg.Done()
		for {
			select {
			case <-w.over:
				return
			default:
				f()
			}
		}
	}()
}

// use calls what rule 4 lets any goroutine call, and now and then what ends the connection.
func (w *crowd) use() {
	c := w.one()
	if c == nil {
		time.Sleep(time.Millisecond)
		return
	}
	useAll(c)
	l := c.Loop()
	_, _, _, _ = l.ID(), l.Index(), l.Context(), l.Do(func() {})
	switch rand.IntN(40) {
	case 0:
		_ = c.Close() // it may be closing, here and below
	case 1:
		_ = c.CloseWith(websocket.GoingAway, "a goroutine wants it")
	case 2:
		c.Abort()
	}
}

// isDialed is the value of a connection that is dialed.
const isDialed = "dialed"

// change does on the loop what it alone may do.
func (w *crowd) change(c *lineman.Conn, to *lineman.Worker) {
	c.SetValue(c.Value())
	_ = c.TLS()
	switch rand.IntN(8) {
	case 0:
		if to != nil {
			_ = c.SetWorker(to) // it may be closing
		}
	case 1:
		c.Pause()
		c.After(time.Millisecond, c.Resume)
	case 2:
		c.Hold()
		c.After(time.Millisecond, c.Release)
	case 3:
		c.Loop().Broadcast(c.Loop().Conns(c.Worker()), []byte("to all"))
	}
}

// worker is one whose connections are of the crowd.
func (w *crowd) worker(addr string, config *tls.Config, to *lineman.Worker) *lineman.Worker {
	k := &lineman.Worker{Name: fmt.Sprint("worker ", w.workers), Addr: addr, TLS: config, Logger: quiet}
	k.Limits = lineman.Limits{Close: second, MaxPending: 1 << 16}
	w.workers++
	if !strings.HasPrefix(addr, "websocket") { // whose handshake is nobody's to answer
		k.OnAccept = func(c *lineman.Conn) error {
			w.came.Add(1)
			w.add(c)
			return nil
		}
		k.OnGone = func(*lineman.Conn) { w.went.Add(1) }
	}
	k.OnConnect = func(c *lineman.Conn) {
		if c.Value() != isDialed { // and given to this worker
			w.connected.Add(1)
		}
		w.add(c)
	}
	k.OnMessage = func(c *lineman.Conn, msg []byte) {
		_ = c.Send(msg)
		w.change(c, to)
	}
	k.OnFull, k.OnDrain, k.OnClosing = w.add, w.add, func(c *lineman.Conn) { w.add(c) }
	k.OnPong = func(*lineman.Conn, []byte) {}
	k.OnClose = func(c *lineman.Conn, _ error) {
		if c.Value() != isDialed {
			w.left.Add(1)
		}
	}
	return k
}

// visit is a client that says something, reads a little, and goes in one of several ways.
func (w *crowd) visit(addr net.Addr, config *tls.Config, words string) {
	conn, err := net.DialTimeout(addr.Network(), addr.String(), patience)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
	said := conn
	if config != nil {
		said = tls.Client(conn, config)
	}
	_, _ = io.WriteString(said, words)
	_, _ = said.Read(make([]byte, rand.IntN(2000)+1))
	switch rand.IntN(4) {
	case 0:
		_ = conn.(*net.TCPConn).SetLinger(0)
	case 1:
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	case 2:
		_, _ = io.WriteString(said, words[:len(words)/2])
	}
}

// endpoint is where clients come to, and what they say there.
type endpoint struct {
	worker *lineman.Worker
	words  string
}

// endpoints are of every kind. Connections of the first two go to lines.
func (w *crowd) endpoints(config *tls.Config) (lines *lineman.Worker, all []endpoint) {
	lines = w.worker("text://127.0.0.1:0", nil, nil)
	lines.Protocol = text.Protocol{}
	live := w.worker("websocket://127.0.0.1:0", nil, nil)
	live.Addr, live.Protocol = "", &websocket.Protocol{}
	live.OnConnect = w.add // of a connection that has connected before
	upgrading := w.worker("http://127.0.0.1:0", nil, nil)
	upgrading.OnMessage = nil
	upgrading.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		switch rand.IntN(4) {
		case 0:
			_ = c.SetWorker(live)
		case 1:
			_ = c.Serve(http.NotFoundHandler()) // a goroutine may have answered
		case 2:
			_ = c.Respond(&http1.Response{Stream: true})
			c.After(time.Millisecond, func() { _ = c.EndStream() })
		}
	}
	upgrading.Limits.Answer = second
	handled := w.worker("http://127.0.0.1:0", nil, nil)
	handled.OnMessage = nil
	handled.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, strings.Repeat("x", rand.IntN(100_000)))
	})
	request := strings.Repeat(handshake, 2)
	return lines, []endpoint{
		{w.worker("tcp://127.0.0.1:0", nil, lines), "words\nwords\n"},
		{w.worker("text://127.0.0.1:0", config, lines), "words\nwords\n"},
		{w.worker("websocket://127.0.0.1:0", nil, live), handshake + "\x81\x80mask\x89\x80mask"},
		{w.worker("websocket://127.0.0.1:0", config, live), handshake + "\x81\x80mask\x88\x80mask"},
		{upgrading, request},
		{handled, request},
	}
}

// TestRule04Crowd has goroutines use connections of all kinds while everything happens to them that can; -race tells
// whether they may. All that came goes, and is told of once.
func TestRule04Crowd(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &crowd{over: make(chan struct{})}
	config := linemantest.TLS(t)
	lines, endpoints := w.endpoints(config)
	first := endpoints[0].worker
	first.OnStart = func(l *lineman.Loop) error {
		for _, d := range endpoints[1:] {
			if _, err := l.Listen(d.worker); err != nil {
				return err
			}
		}
		return nil
	}
	s := linemantest.Start(t, first)
	var addrs []net.Addr
	for _, d := range endpoints {
		addrs = append(addrs, s.Addr(d.worker))
	}
	for i, scheme := range []string{"tcp", "text", "ws", "wss"} {
		d := lineman.Dialer{TLS: endpoints[i].worker.TLS, Logger: quiet}
		d.Backoff = lineman.Backoff{First: time.Millisecond, Most: 2 * time.Millisecond}
		d.OnConnect = func(c *lineman.Conn) {
			w.add(c)
			_ = c.Send([]byte("dialed")) // it may be closing
		}
		d.OnMessage = func(c *lineman.Conn, _ []byte) {
			w.change(c, map[string]*lineman.Worker{"tcp": lines, "text": lines}[scheme])
		}
		s.Do(first, func(l *lineman.Loop) {
			for range 4 { // some are closed for good soon
				c, err := l.Dial(scheme+"://"+addrs[i].String(), d)
				if err != nil {
					t.Error(err)
					return
				}
				c.SetValue(isDialed)
				w.add(c)
			}
		})
	}
	for i, d := range endpoints {
		w.run(func() { w.visit(addrs[i], d.worker.TLS, d.words) })
	}
	for range 3 {
		w.run(w.use)
	}
	leave := sync.OnceFunc(func() { close(w.over); w.wg.Wait() })
	defer leave()
	enough := time.Now().Add(second)
	linemantest.Until(t, "few connections come", func() bool {
		return time.Now().After(enough) && w.connected.Load() >= 100
	})
	leave()
	var stats lineman.Stats
	s.Do(first, func(l *lineman.Loop) { stats = l.Stats() })
	if stats.Panics > 0 {
		t.Errorf("%d panics", stats.Panics)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if w.came.Load() != w.went.Load() || w.connected.Load() != w.left.Load() {
		t.Errorf("%d came, %d went; %d connected, %d closed", w.came.Load(), w.went.Load(), w.connected.Load(),
			w.left.Load())
	}
}
