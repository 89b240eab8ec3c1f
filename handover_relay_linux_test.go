package lineman_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
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

// TestRelayParts has who serves a connection say goodbye, in the application's way or with 1001, when the process that
// relays it has to end. One that has the keys itself stays.
func TestRelayParts(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, code := range []websocket.Code{websocket.GoingAway, 4101} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			var before, after diary
			w, to := underTLS(t, "websocket", &before), underTLS(t, "websocket", &after)
			to.OnRelayEnd = func(c *lineman.Conn) {
				after.note("OnRelayEnd")
				if code == 4101 {
					_ = c.CloseWith(code, "")
				}
			}
			s := linemantest.Start(t, w)
			relayed := s.Dial(w)
			relayed.Send("a")
			relayed.Receive()
			successor := allCross(t, s, w, to)
			own := successor.Dial(to)
			successor.Do(to, func(l *lineman.Loop) { l.PartRelayed(10 * second) })
			s.Do(w, func(l *lineman.Loop) { l.EndRelaysIn(10 * second) })
			var goodbye *websocket.CloseError
			if err := relayed.Ended(); !errors.As(err, &goodbye) || goodbye.Code != code {
				t.Errorf("it ends with %v, want %d", err, code)
			}
			linemantest.Until(t, "the relay does not end", func() bool { return relaying(s, w) == 0 })
			own.Send("b")
			if got := own.Receive(); !strings.HasSuffix(got, " b") {
				t.Errorf("who needs no relay gets %q", got)
			}
			if n := after.count("OnRelayEnd"); n != 1 {
				t.Errorf("OnRelayEnd ran %d times", n)
			}
		})
	}
}

// TestRelayTakenBack has connections under TLS go on where they were if the handover fails, or the successor does not
// want them; no descriptor is left.
func TestRelayTakenBack(t *testing.T) {
	for _, step := range []string{"record", "records", "commit", "committed"} {
		t.Run(step, func(t *testing.T) {
			linemantest.NoLeaks(t)
			var before, after diary
			w, to := underTLS(t, "text", &before), underTLS(t, "text", &after)
			s := linemantest.Start(t, w)
			c := s.Dial(w)
			c.Send("a")
			c.Receive()
			_, h := handOver(t, s, w, to, func(here string) error {
				if here == step {
					return errors.New("as the test wants it")
				}
				return nil
			})
			if h.Crossed > 0 {
				t.Errorf("%d crossed", h.Crossed)
			}
			c.Send("b")
			if got := c.Receive(); !strings.HasSuffix(got, " ab") {
				t.Errorf("%q", got)
			}
			if n := relaying(s, w); n > 0 {
				t.Errorf("%d relays", n)
			}
			allCross(t, s, w, underTLS(t, "text", &after))
			c.Send("c")
			if got := c.Receive(); !strings.HasSuffix(got, " abc") {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestRelayCertificates has a successor know who the client is, by the certificates that were checked.
func TestRelayCertificates(t *testing.T) {
	var before, after diary
	w, to := underTLS(t, "text", &before), underTLS(t, "text", &after)
	config := linemantest.TLS(t)
	w.TLS.ClientAuth, w.TLS.ClientCAs = tls.RequireAndVerifyClientCert, config.RootCAs
	conns := restored(to)
	s := linemantest.Start(t, w)
	addr := s.Addr(w)
	conn, err := tls.Dial(addr.Network(), addr.String(),
		&tls.Config{Certificates: config.Certificates, InsecureSkipVerify: true}) // it is this test's own
	if err != nil {
		t.Fatal(err)
	}
	client := linemantest.NewClient(t, conn, w)
	client.Send("a")
	client.Receive()
	second := allCross(t, s, w, to)
	c := next(t, conns, "the connection")
	second.Do(to, func(*lineman.Loop) {
		h := c.TLS()
		if len(h.VerifiedChains) != 1 || len(h.PeerCertificates) != 1 ||
			!bytes.Equal(h.PeerCertificates[0].Raw, config.Certificates[0].Certificate[0]) ||
			!h.VerifiedChains[0][0].Equal(h.PeerCertificates[0]) {
			t.Errorf("it knows %d certificates and %d chains", len(h.PeerCertificates), len(h.VerifiedChains))
		}
	})
}

// TestHandoverNoRoom has the process be allowed so many descriptors more than it has, for each number up to that which
// a handover needs: every connection is served by one side, and no descriptor is left. Both sides are one process here.
func TestHandoverNoRoom(t *testing.T) {
	needsNative(t)
	const clients = 5
	for name, make := range map[string]func(d *diary) *lineman.Worker{
		"plain": func(d *diary) *lineman.Worker { return remembering("text://127.0.0.1:0", d) },
		"TLS":   func(d *diary) *lineman.Worker { return underTLS(t, "text", d) },
	} {
		crossed := 0
		for room := 0; crossed < clients; room++ {
			if room > 4*clients {
				t.Fatalf("%s: with room for %d descriptors, %d cross", name, room, crossed)
			}
			t.Run(fmt.Sprintf("%s, %d", name, room), func(t *testing.T) {
				linemantest.NoLeaks(t)
				var before, after diary
				w, to := make(&before), make(&after)
				s := linemantest.Start(t, w)
				var all []*linemantest.Client
				for range clients {
					c := s.Dial(w)
					c.Send("a")
					c.Receive()
					all = append(all, c)
				}
				lift := func() {}
				_, h := handOver(t, s, w, to, func(step string) error {
					if step == "states" {
						lift = leaveRoom(t, room)
					}
					return nil
				})
				lift()
				for _, c := range all {
					c.Send("b")
					if got := c.Receive(); !strings.HasSuffix(got, " ab") {
						t.Errorf("%q, want ab", got)
					}
				}
				if n := before.count("OnClose") + after.count("OnConnect"); n > 0 {
					t.Errorf("%d callbacks have told of it", n)
				}
				crossed = h.Crossed
			})
		}
	}
}

// leaveRoom lets this process have so many descriptors more than it has, until lift.
func leaveRoom(t *testing.T, room int) (lift func()) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Error(err)
	}
	lower := limit
	for range room + 1 {
		fd, err := syscall.Dup(0)
		if err != nil {
			t.Error(err)
		}
		defer syscall.Close(fd)
		lower.Cur = uint64(fd) // the first one that there is no room for
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lower); err != nil {
		t.Error(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	}
}
