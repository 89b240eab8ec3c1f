package lineman_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestArrival asks OnAccept about each connection before its first byte, and tells OnGone of it once, however far it
// came.
func TestArrival(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, tt := range map[string]struct {
		worker lineman.Worker
		say    string // by the peer, which then waits for as much as answer
		answer string
	}{
		"silent":              {lineman.Worker{Addr: "text://127.0.0.1:0"}, "", ""},
		"a message":           {lineman.Worker{Addr: "text://127.0.0.1:0"}, "hi\n", "hi\n"},
		"no handshake":        {lineman.Worker{Addr: "websocket://127.0.0.1:0"}, "", ""},
		"half a handshake":    {lineman.Worker{Addr: "websocket://127.0.0.1:0"}, "GET / HT", ""},
		"no handshake at all": {lineman.Worker{Addr: "websocket://127.0.0.1:0"}, get, "HTTP/1.1 426"},
		"a request":           {lineman.Worker{Addr: "http://127.0.0.1:0"}, get, "HTTP/1.1 200"},
		"a request, a handler": {lineman.Worker{Addr: "http://127.0.0.1:0", Handler: http.NotFoundHandler()}, get,
			"HTTP/1.1 404"},
		"hijacked":    {lineman.Worker{Addr: "http://127.0.0.1:0", Handler: http.HandlerFunc(hijack)}, get, "yours"},
		"TLS, silent": {lineman.Worker{Addr: "text://127.0.0.1:0", TLS: linemantest.TLS(t)}, "", ""},
		"TLS, no TLS at all": {lineman.Worker{Addr: "text://127.0.0.1:0", TLS: linemantest.TLS(t)},
			"no TLS at all", ""},
		"a PROXY header": {lineman.Worker{
			Addr: "text://127.0.0.1:0", Proxies: []string{"127.0.0.1"}, ProxyProtocol: true,
		},
			proxyHeader + "hi\n", "hi\n"},
	} {
		t.Run(name, func(t *testing.T) {
			linemantest.NoLeaks(t)
			var accepted, gone []uint64
			w := &tt.worker
			w.Logger = quiet
			if w.Handler == nil {
				w.OnMessage = echo
			}
			w.OnAccept = func(c *lineman.Conn) error {
				accepted = append(accepted, c.ID())
				if at := c.RemoteAddr().String(); w.ProxyProtocol && at != "203.0.113.7:1234" ||
					c.Stats().MessagesIn != 0 {
					t.Errorf("OnAccept of %s after %v", at, c.Stats())
				}
				c.SetValue("kept")
				return nil
			}
			w.OnGone = func(c *lineman.Conn) {
				if c.Value() != "kept" {
					t.Errorf("it has the value %v", c.Value())
				}
				gone = append(gone, c.ID())
			}
			s := linemantest.Start(t, w)
			c := dial(t, s.Addr(w))
			if tt.say == "" {
				waitUntil(t, s, w, func(*lineman.Loop) bool { return len(accepted) == 1 })
			}
			exchange(t, c, tt.say, tt.answer)
			c.Close()
			waitUntil(t, s, w, func(*lineman.Loop) bool { return len(gone) == 1 })
			waitUntil(t, s, w, func(l *lineman.Loop) bool { return l.Stats().Conns == 0 })
			s.Do(w, func(*lineman.Loop) {
				if len(accepted) != 1 || len(gone) != 1 || gone[0] != accepted[0] {
					t.Errorf("%v were let in, %v are gone", accepted, gone)
				}
			})
		})
	}
}

func hijack(w http.ResponseWriter, _ *http.Request) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(c, "yours")
	c.Close()
}

// exchange says something and reads an answer.
func exchange(t *testing.T, c net.Conn, say, answer string) {
	t.Helper()
	if _, err := io.WriteString(c, say); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(answer))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != answer {
		t.Fatalf("the answer is %q (%v), want %q", got, err, answer)
	}
}

// TestArrivalRefused has a connection that OnAccept refuses reset, and nothing called for it.
func TestArrivalRefused(t *testing.T) {
	for name, w := range map[string]*lineman.Worker{
		"text":           {Addr: "text://127.0.0.1:0"},
		"websocket":      {Addr: "websocket://127.0.0.1:0"},
		"TLS":            {Addr: "http://127.0.0.1:0", TLS: linemantest.TLS(t)},
		"a PROXY header": {Addr: "tcp://127.0.0.1:0", Proxies: []string{"127.0.0.1"}, ProxyProtocol: true},
		"a panic":        {Addr: "text://127.0.0.1:0", Name: "panics"},
	} {
		t.Run(name, func(t *testing.T) {
			linemantest.NoLeaks(t)
			asked := 0
			w.Logger = quiet
			w.OnAccept = func(*lineman.Conn) error {
				if asked++; w.Name == "panics" {
					panic("on purpose")
				}
				return errors.New("too many")
			}
			w.OnGone = func(*lineman.Conn) { t.Error("OnGone") }
			w.OnConnect = func(*lineman.Conn) { t.Error("OnConnect") }
			w.OnClose = func(*lineman.Conn, error) { t.Error("OnClose") }
			s := linemantest.Start(t, w)
			for range 3 {
				err := refusal(s.Addr(w))
				if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
					t.Errorf("the peer sees %v, want a reset", err)
				}
			}
			s.Do(w, func(l *lineman.Loop) {
				if n := l.Stats(); asked != 3 || n.Conns != 0 || n.Accepted != 3 || n.Rejected != 3 && w.Name == "" {
					t.Errorf("asked %d times: %+v", asked, n)
				}
			})
		})
	}
}

// refusal is what a peer sees that says something and waits for an answer. It can be as early as the connecting.
func refusal(addr net.Addr) error {
	c, err := net.DialTimeout(addr.Network(), addr.String(), patience)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, proxyHeader); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	return err
}

// TestArrivalSetWorker has OnGone be that of the worker that has accepted the connection.
func TestArrivalSetWorker(t *testing.T) {
	linemantest.NoLeaks(t)
	var told []string
	note := func(name string) func(*lineman.Conn) { return func(*lineman.Conn) { told = append(told, name) } }
	third := &lineman.Worker{Name: "third", Protocol: &websocket.Protocol{}, Logger: quiet}
	third.OnGone = note("third")
	second := &lineman.Worker{Name: "second", Protocol: &http1.Protocol{}, Logger: quiet}
	second.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
		if err := c.SetWorker(third); err != nil {
			t.Error(err)
		}
	}
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Logger: quiet}
	w.OnGone = note("first")
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		if err := c.SetWorker(second); err != nil {
			t.Error(err)
		}
		second.OnRequest(c, r)
	}
	without := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet}
	without.OnMessage = func(c *lineman.Conn, _ []byte) {
		if err := c.SetWorker(third); err != nil {
			t.Error(err)
		}
		c.Abort()
	}
	s := linemantest.Start(t, w, without)
	c := s.Connect(w)
	answer, _ := linemantest.NewClient(t, c.Conn, third).Handshake("/", nil)
	if answer.StatusCode != 101 {
		t.Fatalf("the handshake: %d", answer.StatusCode)
	}
	c.Close()
	waitUntil(t, s, w, func(*lineman.Loop) bool { return len(told) > 0 })
	c = s.Connect(without)
	c.Write("go\n")
	waitUntil(t, s, without, func(l *lineman.Loop) bool { return l.Stats().Accepted == 1 && l.Stats().Conns == 0 })
	s.Do(w, func(*lineman.Loop) {
		if got := strings.Join(told, " "); got != "first" {
			t.Errorf("OnGone of %q, want that of the first alone", got)
		}
	})
}
