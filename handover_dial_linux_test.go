package lineman_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// crossingDialed is a Dialer whose connections cross, and what happens on them. Their value is text.
type crossingDialed struct {
	*dialed
	restored chan *lineman.Conn
}

func newCrossingDialed() *crossingDialed {
	d := &crossingDialed{newDialed(), make(chan *lineman.Conn, 4)}
	d.Name = "backend"
	d.Save = func(c *lineman.Conn) ([]byte, error) {
		text, _ := c.Value().(string)
		return []byte(text), nil
	}
	d.Restore = func(c *lineman.Conn, value []byte) error {
		c.SetValue(string(value))
		d.restored <- c
		return nil
	}
	return d
}

// expecting is a worker that goes on with what d has dialed, at addr.
func expecting(addr string, d lineman.Dialer) *lineman.Worker {
	to := quietWorker()
	to.OnStart = func(l *lineman.Loop) error { return l.ExpectDial(addr, d) }
	return to
}

func quietWorker() *lineman.Worker {
	return &lineman.Worker{Name: "service", Addr: "text://127.0.0.1:0", Logger: quiet}
}

// quietly fails the test if the predecessor has told of an end.
func (d *crossingDialed) quietly(t *testing.T) {
	t.Helper()
	select {
	case err := <-d.closes:
		t.Errorf("OnClose ran with %v where it had crossed from", err)
	default:
	}
}

// dialedPeers are the ways to dial, with half a message that the peer sends, and the other half.
var dialedPeers = []struct {
	name, scheme, listens string
	compression           *websocket.Compression
	tls                   bool
	first, rest, want     string
}{
	{"tcp", "tcp", "tcp", nil, false, "", "half a line", "half a line"},
	{"text", "text", "text", nil, false, "half ", "a line\n", "half a line"},
	{"text+unix", "text+unix", "text+unix", nil, false, "half ", "a line\n", "half a line"},
	{"frame", "frame", "frame", nil, false, "\x00\x00\x00\x06a", "b", "ab"},
	{"ws", "ws", "websocket", nil, false, "\x01\x02on\x80", "\x01e", "one"},
	{"deflate", "ws", "websocket", &websocket.Compression{ContextTakeover: true}, false, "\x81\x03o", "ne", "one"},
	{"tls", "text", "text", nil, true, "half ", "a line\n", "half a line"},
	{"wss", "wss", "websocket", nil, true, "\x01\x02on\x80", "\x01e", "one"},
}

// TestHandoverDialed has connections that were dialed go on with a successor, half a message in the middle: nobody is
// told of it. When one ends, the successor dials again.
func TestHandoverDialed(t *testing.T) {
	needsNative(t)
	for _, tt := range dialedPeers {
		t.Run(tt.name, func(t *testing.T) {
			linemantest.NoLeaks(t)
			peer := &lineman.Worker{Addr: tt.listens + "://127.0.0.1:0", Logger: quiet}
			if tt.name == "text+unix" {
				peer.Addr = tt.listens + "://" + t.TempDir() + "/s"
			}
			before, after := newCrossingDialed(), newCrossingDialed()
			after.Backoff.First = time.Millisecond
			if tt.listens == "websocket" {
				p := &websocket.Protocol{Compression: tt.compression}
				peer.Protocol, before.Protocol, after.Protocol = p, p, p
			}
			if tt.tls {
				peer.TLS = linemantest.TLS(t)
				before.TLS, after.TLS = peer.TLS, peer.TLS
			}
			peer.OnMessage = echo
			conns := accepted(peer)
			far := linemantest.Start(t, peer)
			addr := tt.scheme + "://" + far.Addr(peer).String()
			w := quietWorker()
			s := linemantest.Start(t, w)
			c := dialFrom(t, s, w, addr, before.Dialer)
			s.Do(w, func(*lineman.Loop) { c.SetValue("mine") })
			other := next(t, conns, "the peer")
			next(t, before.connects, "OnConnect")
			for range 2 { // what is compressed refers to what was
				sendAll(t, c, "over and over")
				if got := next(t, before.messages, "the echo"); got != "over and over" {
					t.Errorf("%q", got)
				}
			}
			came := c.Stats().BytesIn
			if _, err := other.Write([]byte(tt.first)); err != nil {
				t.Fatal(err)
			}
			linemantest.Until(t, "the first half does not come", func() bool {
				return c.Stats().BytesIn >= came+uint64(len(tt.first)) // TLS has more of them, all in one piece
			})

			to := expecting(addr, after.Dialer)
			second := allCross(t, s, w, to)
			crossed := next(t, after.restored, "the connection")
			if crossed.ID() != c.ID() || !crossed.Connected() || c.Send(nil) == nil {
				t.Errorf("it is %d, and was %d; connected: %v", crossed.ID(), c.ID(), crossed.Connected())
			}
			if _, err := other.Write([]byte(tt.rest)); err != nil {
				t.Fatal(err)
			}
			if got := next(t, after.messages, "the message"); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			sendAll(t, crossed, "over and over")
			if got := next(t, after.messages, "the echo"); got != "over and over" {
				t.Errorf("%q", got)
			}

			other.Close()
			next(t, after.closes, "OnClose")
			if got := next(t, after.connects, "the next connection"); got != crossed {
				t.Error("it is another Conn")
			}
			second.Do(to, func(l *lineman.Loop) {
				if crossed.Value() != "mine" {
					t.Errorf("the value is %v", crossed.Value())
				}
			})
			next(t, conns, "the peer again")
			crossed.Close()
			next(t, after.closes, "the last OnClose")
			before.quietly(t)
		})
	}
}

func sendAll(t *testing.T, c *lineman.Conn, messages ...string) {
	t.Helper()
	for _, msg := range messages {
		if err := c.Send([]byte(msg)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHandoverDialing has a connection that is not there yet be dialed by the successor, with what waits for it:
// wherever the attempt has come to, and be it that it waits for the next one.
func TestHandoverDialing(t *testing.T) {
	needsNative(t)
	for name, tt := range map[string]struct {
		scheme  string
		tls     bool
		backoff time.Duration
		connect func(ctx context.Context, silent net.Addr) (net.Conn, error)
	}{
		"connecting": {"text", false, 0, func(ctx context.Context, _ net.Addr) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}},
		"handshake of TLS": {"text", true, 0, dialSilent},
		"handshake":        {"ws", false, 0, dialSilent},
		"between two attempts": {"ws", false, time.Hour, func(context.Context, net.Addr) (net.Conn, error) {
			return nil, errors.New("away")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			linemantest.NoLeaks(t)
			silent := &lineman.Worker{Name: "silent", Addr: "tcp://127.0.0.1:0", Logger: quiet}
			listens := strings.Replace(tt.scheme, "ws", "websocket", 1)
			peer := &lineman.Worker{Name: "peer", Addr: listens + "://127.0.0.1:0", Logger: quiet}
			got, hung := make(chan string, 8), make(chan error, 1)
			peer.OnMessage = func(_ *lineman.Conn, msg []byte) { got <- string(msg) }
			conns := accepted(silent)
			silent.OnClose = func(_ *lineman.Conn, err error) { hung <- err }
			if tt.tls {
				peer.TLS = linemantest.TLS(t)
			}
			far := linemantest.Start(t, peer, silent)
			addr := tt.scheme + "://" + far.Addr(peer).String()

			before, after := newCrossingDialed(), newCrossingDialed()
			before.TLS, after.TLS = peer.TLS, peer.TLS
			before.Backoff = lineman.Backoff{First: tt.backoff, Most: tt.backoff}
			after.Backoff = before.Backoff
			began := make(chan context.Context, 1)
			before.Connect = func(ctx context.Context, _, _ string) (net.Conn, error) {
				began <- ctx
				return tt.connect(ctx, far.Addr(silent))
			}
			var again atomic.Int32
			after.Connect = func(ctx context.Context, network, addr string) (net.Conn, error) {
				again.Add(1)
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}
			w := quietWorker()
			s := linemantest.Start(t, w)
			c := dialFrom(t, s, w, addr, before.Dialer)
			ctx := next(t, began, "the attempt")
			hasHandshake := strings.HasPrefix(name, "handshake")
			if hasHandshake {
				next(t, conns, "what is silent")
			}
			if tt.backoff > 0 {
				next(t, before.closes, "the end of the attempt")
			}
			sendBetween(t, s, w, c, "one")
			sendAll(t, c, "two")

			to, later := expecting(addr, after.Dialer), clock{}
			h := &lineman.Handover{Clock: later.now, At: func(step string) error {
				if step == "commit" {
					return c.Send([]byte("three"))
				}
				return nil
			}}
			second := handOverBy(t, h, s, w, to)
			if h.Handed != nil || h.Crossed != 1 || len(h.Stayed) > 0 {
				t.Fatalf("%d crossed, %v stayed: %v, %v", h.Crossed, h.Stayed, h.Handed, h.Received)
			}
			crossed := next(t, after.restored, "the connection")
			if crossed.ID() != c.ID() {
				t.Errorf("it is %d, and was %d", crossed.ID(), c.ID())
			}
			if tt.backoff > 0 {
				later.jump(second, to, tt.backoff/4) // it waits half of that at least
				if n := again.Load(); n > 0 || crossed.Pending() == 0 {
					t.Errorf("%d attempts, and %d bytes wait", n, crossed.Pending())
				}
				later.jump(second, to, tt.backoff)
			}
			sendAll(t, crossed, "four")
			next(t, after.connects, "OnConnect")
			for _, want := range []string{"one", "two", "three", "four"} {
				if msg := next(t, got, "a message"); msg != want {
					t.Errorf("%q, want %q", msg, want)
				}
			}
			<-ctx.Done()
			if hasHandshake {
				next(t, hung, "the end of what the predecessor has dialed")
			}
			before.quietly(t)
			s.Do(w, func(l *lineman.Loop) {
				if n := l.Stats().Conns; n != 0 {
					t.Errorf("the predecessor has %d connections", n)
				}
			})
		})
	}
}

func dialSilent(ctx context.Context, silent net.Addr) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, silent.Network(), silent.String())
}
