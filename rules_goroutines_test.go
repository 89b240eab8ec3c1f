package lineman_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// useAll calls what rule 4 lets any goroutine call, but for what ends the connection; -race tells whether it may.
func useAll(c *lineman.Conn) {
	_, _, _, _ = c.ID(), c.Stats(), c.Pending(), c.Connected()
	_, _, _, _ = c.Context(), c.LocalAddr(), c.RemoteAddr(), c.RemoteAddrPort()
	_, _ = c.Do(func() {}), c.Ping([]byte("a ping"))
	_, _, _ = c.Send([]byte("from a goroutine")), c.SendBinary([]byte("binary")),
		c.Respond(&http1.Response{Body: []byte("hello")})
	_, _ = c.Write(nil)
	_ = c.SendTyped([]byte("typed"), protocol.Type{Kind: 1})
}

// users call useAll for connections from goroutines until the test ends.
type users struct {
	stop chan struct{}
	wg   sync.WaitGroup
}

func newUsers(t *testing.T) *users {
	u := &users{stop: make(chan struct{})}
	t.Cleanup(func() {
		close(u.stop)
		u.wg.Wait()
	})
	return u
}

func (u *users) use(c *lineman.Conn) {
	u.wg.Add(1)
	go func() {
		defer u.wg.Done()
		for pause := time.Microsecond; ; pause = min(2*pause, time.Millisecond) {
			useAll(c)
			select {
			case <-u.stop:
				return
			case <-time.After(pause):
			}
		}
	}()
}

// TestRule04Accepted uses accepted connections of each kind from goroutines while they begin, work and end.
func TestRule04Accepted(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, addr := range []string{
		"text://127.0.0.1:0", "text+unix://", "text+tls://127.0.0.1:0", "websocket://127.0.0.1:0", "proxied",
	} {
		t.Run(addr, func(t *testing.T) {
			u := newUsers(t)
			w := &lineman.Worker{Addr: strings.Replace(addr, "+tls", "", 1), Logger: quiet}
			greeting := ""
			switch {
			case strings.Contains(addr, "tls"):
				w.TLS = linemantest.TLS(t)
			case strings.Contains(addr, "unix"):
				w.Addr += filepath.Join(t.TempDir(), "s")
			case addr == "proxied":
				w.Addr, w.Proxies, w.ProxyProtocol = "text://127.0.0.1:0", []string{"127.0.0.1"}, true
				greeting = "PROXY TCP4 192.0.2.7 192.0.2.1 1234 80\r\n"
			}
			ended := make(chan error, 8)
			w.OnConnect = u.use
			if !strings.HasPrefix(addr, "websocket") { // whose handshake is nobody's to answer
				w.OnAccept = func(c *lineman.Conn) error {
					u.use(c)
					return nil
				}
			}
			w.OnGone = func(*lineman.Conn) {}
			w.OnMessage = echo
			w.OnClose = func(_ *lineman.Conn, err error) { ended <- err }
			s := linemantest.Start(t, w)
			for range 3 {
				c := s.Dial(w)
				c.Write(greeting)
				c.Send("word")
				for c.Receive() != "word" {
				}
				c.Close()
				next(t, ended, "OnClose")
			}
		})
	}
}

// TestRule04HTTP uses connections from goroutines while their requests are answered, served by a handler, or become a
// WebSocket.
func TestRule04HTTP(t *testing.T) {
	linemantest.NoLeaks(t)
	u := newUsers(t)
	live := &lineman.Worker{Name: "live", Protocol: &websocket.Protocol{}, Logger: quiet}
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Logger: quiet}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		u.use(c)
		switch string(r.Path()) {
		case "/serve":
			_ = c.Serve(http.NotFoundHandler()) // a goroutine may have answered already
		case "/live":
			_ = c.SetWorker(live)
		}
	}
	ended := make(chan error, 64)
	w.OnClose = func(_ *lineman.Conn, err error) { ended <- err }
	live.OnClose = w.OnClose
	s := linemantest.Start(t, w)
	for range 5 {
		for _, path := range []string{"/", "/serve", "/live"} {
			c := dial(t, s.Addr(w))
			if _, err := c.Write([]byte(strings.Replace(handshake, "GET / ", "GET "+path+" ", 1))); err != nil {
				t.Fatal(err)
			}
			if n, err := c.Read(make([]byte, 512)); n == 0 {
				t.Errorf("%s: no answer: %v", path, err)
			}
			c.Close()
			next(t, ended, "OnClose")
		}
	}
}

// TestRule04Dialed uses dialed connections of each kind from goroutines, from Dial on, while they come, go and come
// again.
func TestRule04Dialed(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, scheme := range []string{"text", "tls", "ws", "wss", "udp"} {
		t.Run(scheme, func(t *testing.T) {
			u := newUsers(t)
			w := &lineman.Worker{Addr: scheme + "://127.0.0.1:0", Name: "server", Logger: quiet}
			d := newDialed()
			d.Backoff = lineman.Backoff{First: time.Millisecond, Most: 2 * time.Millisecond}
			dialScheme := scheme
			switch scheme {
			case "ws":
				w.Addr = "websocket://127.0.0.1:0"
			case "tls", "wss":
				w.TLS = linemantest.TLS(t)
				d.TLS = w.TLS
				w.Addr = map[string]string{"tls": "text", "wss": "websocket"}[scheme] + "://127.0.0.1:0"
				dialScheme = map[string]string{"tls": "text", "wss": "wss"}[scheme]
			}
			w.OnMessage = func(c *lineman.Conn, msg []byte) { c.Abort() }
			d.OnMessage = nil
			d.OnClose = func(_ *lineman.Conn, err error) {
				select {
				case d.closes <- err:
				default:
				}
			}
			d.OnConnect = func(c *lineman.Conn) {
				select {
				case d.connects <- c:
				default:
				}
			}
			s := linemantest.Start(t, w)
			c := dialFrom(t, s, w, dialScheme+"://"+s.Addr(w).String(), d.Dialer)
			u.use(c)
			for range 5 {
				next(t, d.connects, "OnConnect")
				if scheme == "udp" {
					break // it does not end by what its peer does
				}
				next(t, d.closes, "OnClose")
			}
			_ = c.Close() // it may be closing
		})
	}
}

// TestRule04Datagram uses the Conn of a datagram from goroutines while it is on loan.
func TestRule04Datagram(t *testing.T) {
	w := &lineman.Worker{Addr: "udp://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				_, _, _, _ = c.ID(), c.LocalAddr(), c.RemoteAddr(), c.RemoteAddrPort()
				if err := c.Send(msg); err != nil {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	for range 10 {
		c.Send("word")
		for range 4 {
			if got := c.Receive(); got != "word" {
				t.Fatalf("got %q", got)
			}
		}
	}
}
