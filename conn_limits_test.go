package lineman_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestRule08Limits jumps the clock to just before each limit of time, where nothing may happen, and past it.
func TestRule08Limits(t *testing.T) {
	request := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
	tests := []struct {
		name   string
		worker lineman.Worker
		client func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client
		after  time.Duration
		told   string // what the peer gets, or a part of it
		code   websocket.Code
		reason error // of OnClose; nil if there is no OnClose
		gone   bool  // without waiting for the peer's end
	}{
		{"a handshake that does not come", lineman.Worker{Addr: "websocket://127.0.0.1:0"},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client { return s.Connect(w) },
			10 * second, "HTTP/1.1 408 ", 0, nil, true},
		{"half a handshake", lineman.Worker{Addr: "websocket://127.0.0.1:0"},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client {
				c := s.Connect(w)
				c.Write("GET / HTTP/1.1\r\nHost:")
				return c
			},
			10 * second, "HTTP/1.1 408 ", 0, nil, true},
		{"half a body in place of a handshake",
			lineman.Worker{Addr: "websocket://127.0.0.1:0", Events: lineman.Events{OnRequest: ok}},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client {
				c := s.Connect(w)
				c.Write(request + "hal")
				return c
			},
			10 * second, "HTTP/1.1 408 ", 0, nil, true},
		{"no handshake after a request",
			lineman.Worker{Addr: "websocket://127.0.0.1:0", Events: lineman.Events{OnRequest: ok}},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client {
				c := s.Connect(w)
				c.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				c.Response("")
				return c
			},
			75 * second, "", 0, nil, true},
		{"no handshake after HEAD",
			lineman.Worker{Addr: "websocket://127.0.0.1:0", Events: lineman.Events{OnRequest: ok}},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client {
				c := s.Connect(w)
				c.Write("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
				c.Response("HEAD")
				return c
			},
			75 * second, "", 0, nil, true},
		{"half a handshake after a request",
			lineman.Worker{Addr: "websocket://127.0.0.1:0", Events: lineman.Events{OnRequest: ok}},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client {
				c := s.Connect(w)
				c.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /")
				c.Response("")
				return c
			},
			10 * second, "HTTP/1.1 408 ", 0, nil, true},
		{"half a line", lineman.Worker{Addr: "text://127.0.0.1:0"},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client {
				c := s.Connect(w)
				c.Write("ready\nhal")
				c.Read(len("ready\n"))
				return c
			},
			60 * second, "", 0, lineman.ErrTimeout, false},
		{"half a WebSocket message", lineman.Worker{Addr: "websocket://127.0.0.1:0"},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client {
				c := s.Dial(w)
				c.Send("ready")
				c.Receive()
				c.Frame(false, websocket.Text, "hal")
				return c
			},
			60 * second, "", websocket.Policy, lineman.ErrTimeout, false},
		{"half a request", lineman.Worker{Addr: "http://127.0.0.1:0"},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client {
				c := s.Dial(w)
				c.Write(request + "ready" + request + "hal")
				c.Response("")
				return c
			},
			60 * second, "HTTP/1.1 408 ", 0, lineman.ErrTimeout, false},
		{"no request", lineman.Worker{Addr: "http://127.0.0.1:0"},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client { return s.Dial(w) },
			75 * second, "", 0, lineman.ErrIdle, true},
		{"no further request", lineman.Worker{Addr: "http://127.0.0.1:0"},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client {
				c := s.Dial(w)
				c.Write(request + "ready")
				c.Response("")
				return c
			},
			75 * second, "", 0, lineman.ErrIdle, true},
		{"a request that nobody answers",
			lineman.Worker{Addr: "http://127.0.0.1:0",
				Events: lineman.Events{OnRequest: func(*lineman.Conn, *http1.Request) {}}},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client {
				c := s.Dial(w)
				c.Write(request + "ready")
				s.Do(w, func(l *lineman.Loop) {})
				return c
			},
			60 * second, "HTTP/1.1 503 ", 0, errClosedByUs, false},
		{"an idle line", lineman.Worker{Addr: "text://127.0.0.1:0", Limits: lineman.Limits{Idle: 30 * second}},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client {
				c := s.Dial(w)
				c.Send("ready")
				c.Receive()
				return c
			},
			30 * second, "", 0, lineman.ErrIdle, false},
		{"an idle WebSocket",
			lineman.Worker{Addr: "websocket://127.0.0.1:0", Limits: lineman.Limits{Idle: 30 * second}},
			func(s *linemantest.Server, w *lineman.Worker) *linemantest.Client {
				c := s.Dial(w)
				c.Send("ready")
				c.Receive()
				return c
			},
			30 * second, "", websocket.GoingAway, lineman.ErrIdle, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reasons, received := make(chan error, 1), make(chan struct{}, 8)
			w := &lineman.Worker{
				Addr: tt.worker.Addr, Limits: tt.worker.Limits, Events: tt.worker.Events, Logger: quiet,
			}
			w.OnMessage = echo
			if f := w.OnRequest; f != nil {
				w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
					f(c, r)
					received <- struct{}{}
				}
			}
			w.OnClose = func(_ *lineman.Conn, err error) { reasons <- err }
			s, clock := startByClock(t, w)
			c := tt.client(s, w)
			if w.OnRequest != nil && tt.after > 10*second {
				next(t, received, "the request")
			}
			waitForBytes(t, s, w, c)
			clock.jump(s, w, tt.after-second)
			s.Do(w, func(l *lineman.Loop) {
				if l.Stats().Conns != 1 || len(reasons) != 0 {
					t.Error("the limit struck early")
				}
			})
			clock.jump(s, w, 2*second)
			if tt.code != 0 {
				var goodbye *websocket.CloseError
				if err := c.Ended(); !errors.As(err, &goodbye) || goodbye.Code != tt.code {
					t.Errorf("the peer was told %v, want %d", err, tt.code)
				}
			} else if got := c.Rest(); !strings.HasPrefix(got, tt.told) || tt.told == "" && got != "" {
				t.Errorf("the peer was told %q, want %q", got, tt.told)
			}
			if tt.gone {
				s.Do(w, func(l *lineman.Loop) {
					if n := l.Stats().Conns; n != 0 {
						t.Error("it waits for the end of a peer that owed something")
					}
				})
			}
			c.Close()
			switch {
			case tt.reason == errClosedByUs:
				if err := next(t, reasons, "OnClose"); err != nil {
					t.Errorf("OnClose: %v", err)
				}
			case tt.reason != nil:
				if err := next(t, reasons, "OnClose"); !errors.Is(err, tt.reason) {
					t.Errorf("OnClose: %v, want %v", err, tt.reason)
				}
			}
		})
	}
}

var errClosedByUs = errors.New("closed by this side")

func ok(c *lineman.Conn, _ *http1.Request) { _ = c.Respond(&http1.Response{Body: []byte("ok")}) }

// waitForBytes returns when the loop has read all that the client has written: the limit has begun.
func waitForBytes(t *testing.T, s *linemantest.Server, w *lineman.Worker, c *linemantest.Client) {
	t.Helper()
	linemantest.Until(t, "the bytes do not arrive", func() (there bool) {
		s.Do(w, func(l *lineman.Loop) { there = l.Stats().Conns == 1 && l.Stats().BytesIn >= c.Written() })
		return there
	})
}

// TestRule08Sizes has a limit of size of each protocol passed by one byte, and not.
func TestRule08Sizes(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Limits: lineman.Limits{MaxMessage: 10}}
	var refused []error
	w.OnInvalid = func(c *lineman.Conn, err error) {
		refused = append(refused, err)
		_ = c.Send([]byte("refused"))
	}
	w.OnMessage = echo
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("0123456789\n0123456789a\nnext\n" + strings.Repeat("x", 1<<20) + "\nlast\n")
	for _, want := range []string{"0123456789", "refused", "next", "refused", "last"} {
		if got := c.Receive(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	s.Do(w, func(l *lineman.Loop) {
		if len(refused) != 2 || !errors.Is(refused[0], lineman.ErrTooLarge) || l.Stats().Invalid != 2 {
			t.Errorf("refused: %v", refused)
		}
	})
}

// TestPing has a silent peer pinged; one that answers lives, one that does not ends.
func TestPing(t *testing.T) {
	reasons := make(chan error, 1)
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Protocol: &websocket.Protocol{PingInterval: 25 * second}}
	w.OnClose = func(_ *lineman.Conn, err error) { reasons <- err }
	s, clock := startByClock(t, w)
	c := s.Dial(w)
	for range 3 {
		clock.jump(s, w, 26*second)
		if op, _ := c.NextFrame(); op != websocket.Ping {
			t.Fatalf("got %v, want a ping", op)
		}
		c.Frame(true, websocket.Pong, "")
		waitForBytes(t, s, w, c)
		clock.jump(s, w, 11*second) // the answer came in time
	}
	clock.jump(s, w, 26*second)
	if op, _ := c.NextFrame(); op != websocket.Ping {
		t.Fatalf("got %v, want a ping", op)
	}
	clock.jump(s, w, 11*second)
	var goodbye *websocket.CloseError
	if err := c.Ended(); !errors.As(err, &goodbye) || goodbye.Code != websocket.Policy {
		t.Errorf("the peer was told %v", err)
	}
	c.Close()
	if err := next(t, reasons, "OnClose"); !errors.Is(err, lineman.ErrTimeout) {
		t.Errorf("OnClose: %v", err)
	}
}

// TestNoLimits has a negative time mean none.
func TestNoLimits(t *testing.T) {
	reasons := make(chan error, 1)
	none := lineman.Limits{Handshake: -1, Message: -1, Answer: -1, KeepAlive: -1, Idle: -1}
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Limits: none}
	w.OnMessage = echo
	w.OnClose = func(_ *lineman.Conn, err error) { reasons <- err }
	s, clock := startByClock(t, w)
	c := s.Dial(w)
	c.Write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhal")
	waitForBytes(t, s, w, c)
	clock.jump(s, w, 100*time.Hour)
	c.Write("lo")
	if _, body := c.Response(""); body != "hallo" {
		t.Errorf("got %q", body)
	}
	c.Close()
	if err := next(t, reasons, "OnClose"); err != io.EOF {
		t.Errorf("OnClose: %v", err)
	}
}

// waitUntil returns when something holds on the loop of w.
func waitUntil(t *testing.T, s *linemantest.Server, w *lineman.Worker, holds func(l *lineman.Loop) bool) {
	t.Helper()
	linemantest.Until(t, "it does not come to that", func() (there bool) {
		s.Do(w, func(l *lineman.Loop) { there = holds(l) })
		return there
	})
}
