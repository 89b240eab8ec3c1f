package lineman_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// underTLS is remembering under TLS.
func underTLS(t *testing.T, scheme string, d *diary) *lineman.Worker {
	w := remembering(scheme+"://127.0.0.1:0", d)
	w.TLS = linemantest.TLS(t)
	return w
}

// TestRelay has connections under TLS go on with a successor and the successor of that, with what they know of TLS.
func TestRelay(t *testing.T) {
	for _, scheme := range []string{"tcp", "text", "frame", "websocket"} {
		t.Run(scheme, func(t *testing.T) {
			linemantest.NoLeaks(t)
			var d [3]diary
			w, to, last := underTLS(t, scheme, &d[0]), underTLS(t, scheme, &d[1]), underTLS(t, scheme, &d[2])
			s := linemantest.Start(t, w)
			const clients = 5
			all, ids := make([]*linemantest.Client, clients), make([]string, clients)
			for i := range all {
				all[i] = s.Dial(w)
				all[i].Send("a")
				ids[i], _, _ = strings.Cut(all[i].Receive(), " ")
			}
			told := tellings(s, w)
			second := allCross(t, s, w, to)
			for i, c := range all {
				c.Send("b")
				if got := c.Receive(); got != ids[i]+" ab" {
					t.Errorf("%q, want %q", got, ids[i]+" ab")
				}
			}
			if got := tellings(second, to); got != told {
				t.Errorf("the successor knows %s, want %s", got, told)
			}
			third := allCross(t, second, to, last)
			for i, c := range all {
				c.Send("c")
				if got := c.Receive(); got != ids[i]+" abc" {
					t.Errorf("%q, want %q", got, ids[i]+" abc")
				}
			}
			if got := tellings(third, last); got != told {
				t.Errorf("the second successor knows %s, want %s", got, told)
			}
			if n := relaying(s, w) + relaying(second, to); n != clients {
				t.Errorf("%d relays, want %d", n, clients)
			}
			for _, c := range all {
				c.Close()
			}
			linemantest.Until(t, "the last successor does not notice that all have gone", func() bool {
				return d[2].count("OnGone") == clients && relaying(s, w) == 0
			})
			if n := d[0].count("OnClose") + d[1].count("OnClose"); n > 0 {
				t.Errorf("OnClose ran %d times where they had crossed from", n)
			}
		})
	}
}

// tellings are what the connections of a worker tell of themselves.
func tellings(s *linemantest.Server, w *lineman.Worker) (told string) {
	s.Do(w, func(l *lineman.Loop) {
		all := map[uint64]string{}
		for c := range l.Conns(w) {
			h := c.TLS()
			all[c.ID()] = fmt.Sprintf("%x %x %q %q %v %v", h.Version, h.CipherSuite, h.NegotiatedProtocol, h.ServerName,
				c.RemoteAddr(), c.LocalAddr())
		}
		told = fmt.Sprint(all)
	})
	return told
}

func relaying(s *linemantest.Server, w *lineman.Worker) (n int) {
	s.Do(w, func(l *lineman.Loop) { n = l.Relaying() })
	return n
}

// TestRelayEnds has the ends of a stream, and of a connection, pass a relay in both directions.
func TestRelayEnds(t *testing.T) {
	begin := func(t *testing.T) (*linemantest.Client, *lineman.Conn, chan error, func() int) {
		var before, after diary
		w, to := underTLS(t, "text", &before), underTLS(t, "text", &after)
		closed := make(chan error, 1)
		to.OnClose = func(_ *lineman.Conn, err error) { closed <- err }
		to.OnMessage = func(c *lineman.Conn, msg []byte) {
			c.Hold()
			_ = c.Send(msg)
		}
		conns := restored(to)
		s := linemantest.Start(t, w)
		client := s.Dial(w)
		client.Send("a")
		client.Receive()
		allCross(t, s, w, to)
		return client, next(t, conns, "the connection"), closed, func() int { return relaying(s, w) }
	}
	for name, tt := range map[string]struct {
		end    func(client *linemantest.Client, c *lineman.Conn)
		closed error // that the successor is told
		reset  bool  // the client sees that the connection broke
	}{
		"the client breaks": {func(client *linemantest.Client, _ *lineman.Conn) { client.Reset() },
			syscall.ECONNRESET, true},
		"the successor closes": {func(_ *linemantest.Client, c *lineman.Conn) { c.Close() }, nil, false},
		"the successor aborts": {func(_ *linemantest.Client, c *lineman.Conn) { c.Abort() }, nil, true},
		"the client cuts TLS": {func(client *linemantest.Client, _ *lineman.Conn) { cut(client) },
			syscall.ECONNRESET, true},
		"the client has ended": {func(client *linemantest.Client, c *lineman.Conn) {
			client.Send("last")
			client.CloseWrite()
			if got := client.Receive(); got != "last" {
				t.Errorf("%q", got)
			}
			c.Do(c.Release)
		}, io.EOF, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, c, closed, relays := begin(t)
			tt.end(client, c)
			if !tt.reset {
				if err := client.Ended(); err != nil {
					t.Errorf("the client has %v", err)
				}
				client.Close()
			} else if name == "the successor aborts" {
				if err := client.Ended(); err == nil {
					t.Error("the client sees an end like others")
				}
			}
			if err := next(t, closed, "OnClose"); !errors.Is(err, tt.closed) {
				t.Errorf("the successor has %v, want %v", err, tt.closed)
			}
			linemantest.Until(t, "the relay does not end", func() bool { return relays() == 0 })
		})
	}
}

// cut ends the stream below TLS without its goodbye.
func cut(c *linemantest.Client) {
	_ = c.Conn.(*tls.Conn).NetConn().(interface{ CloseWrite() error }).CloseWrite()
}

// flow is bytes that tell where they stand.
type flow struct{ at int }

const flowPeriod = 251

var flowBytes = func() (b [128<<10 + flowPeriod]byte) {
	for i := range b {
		b[i] = byte(i % flowPeriod)
	}
	return b
}()

// next are the next n bytes.
func (f *flow) next(n int) []byte { return flowBytes[f.at%flowPeriod:][:n] }

// check reports whether b are the next ones, and goes on behind them.
func (f *flow) check(b []byte) bool {
	same := bytes.Equal(b, f.next(len(b)))
	f.at += len(b)
	return same
}

// flowing is a worker that sends without an end, and checks what comes; how far both are is the value that crosses.
func flowing(t *testing.T, came func(at int)) *lineman.Worker {
	type flows struct{ in, out flow }
	w := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Name: "service", Logger: quiet, TLS: linemantest.TLS(t)}
	w.Limits.MaxPending = 256 << 10
	pump := func(c *lineman.Conn) {
		f := c.Value().(*flows)
		for i := range 8 { // so that others have their turn
			n := 1 + (f.out.at+i*9_000)%50_000
			if c.Send(f.out.next(n)) != nil {
				return
			}
			f.out.at += n
		}
	}
	w.OnStart = func(l *lineman.Loop) error {
		l.Every(time.Millisecond, func() {
			for c := range l.Conns(w) {
				if c.Pending() < 64<<10 && c.Value() != nil {
					pump(c)
				}
			}
		})
		return nil
	}
	w.OnConnect = func(c *lineman.Conn) { c.SetValue(&flows{}) }
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		f := c.Value().(*flows)
		if at := f.in.at; !f.in.check(msg) {
			t.Errorf("what has come behind byte %d is not what was sent", at)
		}
		came(f.in.at)
	}
	w.Save = func(c *lineman.Conn) ([]byte, error) {
		f := c.Value().(*flows)
		return fmt.Appendf(nil, "%d %d", f.in.at, f.out.at), nil
	}
	w.Restore = func(c *lineman.Conn, value []byte) error {
		f := &flows{}
		c.SetValue(f)
		_, err := fmt.Sscan(string(value), &f.in.at, &f.out.at)
		return err
	}
	return w
}

// TestRelayFlow has bytes go both ways under TLS, as fast as they can, while the connections cross twice: none is lost,
// doubled, or out of order.
func TestRelayFlow(t *testing.T) {
	linemantest.NoLeaks(t)
	var came atomic.Int64
	note := func(at int) { came.Store(int64(at)) }
	w, to, last := flowing(t, note), flowing(t, note), flowing(t, note)
	s := linemantest.Start(t, w)
	client := s.Dial(w)
	conn := client.Conn
	_ = conn.SetDeadline(time.Now().Add(patience)) // else the tests ends by its own
	var got, sent flow
	over, read := make(chan struct{}), make(chan error, 1)
	wrote := make(chan error, 1)
	go func() {
		b := make([]byte, 40_000)
		for {
			n, err := conn.Read(b)
			if at := got.at; !got.check(b[:n]) {
				t.Errorf("the client got something else behind byte %d", at)
			}
			if err != nil {
				read <- err
				return
			}
		}
	}()
	go func() {
		for n := 1; ; n = n*5%30_000 + 1 {
			select {
			case <-over:
				wrote <- conn.(*tls.Conn).CloseWrite()
				return
			default:
			}
			if _, err := conn.Write(sent.next(n)); err != nil {
				wrote <- err
				return
			}
			sent.at += n
		}
	}()
	goesOn := func() {
		t.Helper()
		from := came.Load()
		linemantest.Until(t, "nothing comes any more", func() bool { return came.Load() > from+1_000_000 })
	}
	goesOn()
	second := allCross(t, s, w, to)
	goesOn()
	allCross(t, second, to, last)
	goesOn()
	close(over)
	if err := next(t, wrote, "the end of writing"); err != nil {
		t.Fatal(err)
	}
	if err := next(t, read, "the end of reading"); err != io.EOF {
		t.Errorf("the client ends with %v", err)
	}
	if int(came.Load()) != sent.at || got.at < 1_000_000 {
		t.Errorf("%d bytes came of %d, and the client got %d", came.Load(), sent.at, got.at)
	}
	client.Close()
	linemantest.Until(t, "the relay does not end", func() bool { return relaying(s, w) == 0 })
}

// TestRelayLeaves has a loop that leaves end what has not crossed, call OnStop, and go on for its relays alone.
func TestRelayLeaves(t *testing.T) {
	linemantest.NoLeaks(t)
	var before, after diary
	w, to := underTLS(t, "text", &before), underTLS(t, "text", &after)
	stays := remembering("websocket://127.0.0.1:0", &before)
	stays.Name, stays.Save, stays.Restore = "stays", nil, nil
	w.OnStart = func(l *lineman.Loop) error {
		_, err := l.Listen(stays)
		return err
	}
	w.OnStop = func(*lineman.Loop) { before.note("OnStop") }
	s := linemantest.Start(t, w)
	relayed, other := s.Dial(w), s.Dial(stays)
	for _, c := range []*linemantest.Client{relayed, other} {
		c.Send("a")
		c.Receive()
	}
	if _, h := handOver(t, s, w, to, nil); h.Crossed != 1 {
		t.Fatalf("%d crossed, %v stayed: %v, %v", h.Crossed, h.Stayed, h.Handed, h.Received)
	}
	var loop *lineman.Loop
	s.Do(w, func(l *lineman.Loop) {
		loop = l
		l.Leave(websocket.Restart, 2*second, false)
	})
	var goodbye *websocket.CloseError
	if err := other.Ended(); !errors.As(err, &goodbye) || goodbye.Code != websocket.Restart {
		t.Errorf("the other one ends with %v", err)
	}
	linemantest.Until(t, "OnStop does not come", func() bool { return before.count("OnStop") == 1 })
	for until := time.Now().Add(3 * second); time.Now().Before(until); { // longer than the loop may take to leave
		relayed.Send("b")
		relayed.Receive()
	}
	if n := relaying(s, w); n != 1 {
		t.Errorf("%d relays, want 1", n)
	}
	relayed.Close()
	linemantest.Until(t, "the loop does not end", func() bool { return !loop.Do(func() {}) })
}
