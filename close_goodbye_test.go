package lineman_test

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestOnClosing ends connections in every way, whose peers then stay: OnClosing comes at once, after which nothing can
// be sent, and OnClose when the limit of the goodbyes is over, or before.
func TestOnClosing(t *testing.T) {
	tests := []struct {
		name   string
		scheme string
		onMsg  func(c *lineman.Conn, msg []byte)
		client func(c *linemantest.Client)
		wait   bool // for a limit of time
	}{
		{"Close", "text", func(c *lineman.Conn, _ []byte) { c.Close() }, says("x"), false},
		{"Close of a page", "websocket", func(c *lineman.Conn, _ []byte) { c.Close() }, says("x"), false},
		{"CloseWith", "websocket", func(c *lineman.Conn, _ []byte) { c.CloseWith(4000, "") }, says("x"), false},
		{"Close elsewhere", "websocket", func(c *lineman.Conn, _ []byte) { go c.Close() }, says("x"), false},
		{"Abort", "text", func(c *lineman.Conn, _ []byte) { c.Abort() }, says("x"), false},
		{"Abort elsewhere", "websocket", func(c *lineman.Conn, _ []byte) { go c.Abort() }, says("x"), false},
		{"panic", "websocket", func(*lineman.Conn, []byte) { panic("x") }, says("x"), false},
		{"not UTF-8", "websocket", echo, says("\xff"), false},
		{"too large", "websocket", echo, says(strings.Repeat("x", 2000)), false},
		{"too long a line", "text", echo, says(strings.Repeat("x", 2000)), false},
		{"no frame", "frame", echo, func(c *linemantest.Client) { c.Write("\x00\x00\x00\x03") }, false},
		{"reserved bits", "websocket", echo,
			func(c *linemantest.Client) { c.Write("\xf1\x80\x00\x00\x00\x00") }, false},
		{"the peer's goodbye", "websocket", echo, func(c *linemantest.Client) { c.Goodbye(1000, "") }, false},
		{"the peer's end", "websocket", echo, func(c *linemantest.Client) { c.CloseWrite() }, false},
		{"the peer's end of lines", "text", echo, func(c *linemantest.Client) { c.CloseWrite() }, false},
		{"reset", "text", echo, func(c *linemantest.Client) { c.Reset() }, false},
		{"idle", "text", echo, func(c *linemantest.Client) {}, true},
		{"idle page", "websocket", echo, func(c *linemantest.Client) {}, true},
		{"no pong", "websocket+ping", echo, func(c *linemantest.Client) {}, true},
		{"half a line", "text", echo, func(c *linemantest.Client) { c.Write("half") }, true},
		{"an answer that closes", "http", echo,
			func(c *linemantest.Client) { c.Write("GET / HTTP/1.0\r\n\r\n") }, false},
		{"not HTTP", "http", echo, func(c *linemantest.Client) { c.Write("nonsense\r\n\r\n") }, false},
	}
	for _, secured := range []bool{false, true} {
		for _, tt := range tests {
			name := tt.name
			if secured {
				name += " below TLS"
			}
			t.Run(name, func(t *testing.T) {
				scheme, _, pings := strings.Cut(tt.scheme, "+")
				happened := make(chan string, 4)
				w := &lineman.Worker{Addr: scheme + "://127.0.0.1:0", Logger: quiet}
				w.Limits = lineman.Limits{MaxMessage: 1000, Message: 2 * second, Idle: 10 * second, Close: 5 * second}
				if pings {
					w.Protocol = &websocket.Protocol{PingInterval: second, PongTimeout: second}
				}
				if secured {
					w.TLS = linemantest.TLS(t)
				}
				w.OnMessage = tt.onMsg
				w.OnClosing = func(c *lineman.Conn) {
					if err := c.Send([]byte("x")); err != net.ErrClosed {
						t.Errorf("Send in OnClosing: %v", err)
					}
					happened <- "OnClosing"
				}
				w.OnClose = func(c *lineman.Conn, err error) { happened <- "OnClose" }
				s, now := startByClock(t, w)
				c := s.Dial(w)
				if shakes, ok := c.Conn.(*tls.Conn); ok {
					if err := shakes.Handshake(); err != nil {
						t.Fatal(err)
					}
				}
				waitForConnected(t, s, w)
				tt.client(c)
				if tt.wait {
					for range 12 {
						now.jump(s, w, second)
					}
				}
				if got := next(t, happened, "OnClosing"); got != "OnClosing" {
					t.Errorf("%s came first", got)
				}
				now.jump(s, w, 6*second)
				if got := next(t, happened, "OnClose"); got != "OnClose" {
					t.Errorf("%s came twice", got)
				}
				if len(happened) > 0 {
					t.Errorf("%s came after OnClose", <-happened)
				}
			})
		}
	}
}

func says(msg string) func(*linemantest.Client) { return func(c *linemantest.Client) { c.Send(msg) } }

// waitForConnected returns when the loop of w has a connection that is ready for messages.
func waitForConnected(t *testing.T, s *linemantest.Server, w *lineman.Worker) {
	t.Helper()
	linemantest.Until(t, "nobody has come", func() (ready bool) {
		s.Do(w, func(l *lineman.Loop) {
			for range l.Conns(w) {
				ready = true
			}
		})
		return ready
	})
}

// TestOnClosingElsewhere has connections without an OnConnect go without an OnClosing, and dialed ones have theirs each
// time.
func TestOnClosingElsewhere(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: quiet}
	w.OnUpgrade = func(*lineman.Conn, *http1.Request) error { return errors.New("no") }
	w.OnClosing = func(*lineman.Conn) { t.Error("OnClosing of a connection that never was") }
	target := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet}
	target.OnConnect = func(c *lineman.Conn) { _ = c.Close() }
	s := linemantest.Start(t, w, target)
	if answer, _ := s.Connect(w).Handshake("/", nil); answer.StatusCode != 403 {
		t.Errorf("the handshake: %s", answer.Status)
	}
	happened, addr := make(chan string, 16), s.Addr(target).String()
	s.Do(w, func(l *lineman.Loop) {
		times := 0
		_, err := l.Dial("text://"+addr, lineman.Dialer{
			Backoff: lineman.Backoff{First: 1},
			Events: lineman.Events{
				OnClosing: func(*lineman.Conn) { happened <- "OnClosing" },
				OnClose: func(c *lineman.Conn, _ error) {
					if happened <- "OnClose"; times == 1 {
						_ = c.Close()
					}
					times++
				},
			},
		})
		if err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		for _, want := range []string{"OnClosing", "OnClose"} {
			if got := next(t, happened, want); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	}
}

// TestSilentPeer closes at once a page that answers no ping: it gets its goodbye, and nobody waits for its own.
func TestSilentPeer(t *testing.T) {
	for name, config := range map[string]*tls.Config{"plain": nil, "TLS": linemantest.TLS(t)} {
		t.Run(name, func(t *testing.T) {
			ends := make(chan error, 1)
			w := &lineman.Worker{
				Addr: "websocket://127.0.0.1:0", TLS: config, Limits: lineman.Limits{Close: -1}, Logger: quiet,
			}
			w.Protocol = &websocket.Protocol{PingInterval: second, PongTimeout: second}
			w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
			s, now := startByClock(t, w)
			c := s.Dial(w)
			waitForConnected(t, s, w)
			now.jump(s, w, second*3/2)
			now.jump(s, w, second*3/2)
			if err := next(t, ends, "OnClose"); err != lineman.ErrTimeout {
				t.Errorf("OnClose: %v", err)
			}
			var e *websocket.CloseError
			if err := c.Ended(); !errors.As(err, &e) || e.Code != websocket.Policy {
				t.Errorf("the page is told %v, want 1008", err)
			}
		})
	}
}
