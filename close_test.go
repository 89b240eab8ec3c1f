package lineman_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestOnCloseReasons ends connections in every way and looks at the reason that OnClose gives, exactly once.
func TestOnCloseReasons(t *testing.T) {
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	none := func(err error) bool { return err == nil }
	goodbye := func(code websocket.Code, reason string) func(error) bool {
		return func(err error) bool {
			var e *websocket.CloseError
			return errors.As(err, &e) && e.Code == code && e.Reason == reason
		}
	}
	broke := func(protocol, what string) func(error) bool {
		return func(err error) bool {
			var e *lineman.ProtocolError
			return errors.As(err, &e) && e.Protocol == protocol && strings.Contains(err.Error(), what) &&
				strings.Count(err.Error(), protocol+": ") == 1
		}
	}
	tests := []struct {
		name   string
		scheme string
		onMsg  func(c *lineman.Conn, msg []byte)
		client func(c *linemantest.Client)
		reason func(error) bool
	}{
		{"Close", "text", func(c *lineman.Conn, _ []byte) { c.Close() },
			func(c *linemantest.Client) { c.Send("x"); c.Rest() }, none},
		{"Close twice", "text", func(c *lineman.Conn, _ []byte) { c.Close(); c.Close(); c.Abort(); c.Abort() },
			func(c *linemantest.Client) { c.Send("x") }, none},
		{"Abort", "text", func(c *lineman.Conn, _ []byte) { c.Abort() }, func(c *linemantest.Client) {
			c.Send("x")
			if err := c.Ended(); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("Abort: the peer sees %v, want a reset", err)
			}
		}, none},
		{"end of stream", "text", echo,
			func(c *linemantest.Client) { c.Send("x"); c.CloseWrite(); c.Rest() }, is(io.EOF)},
		{"reset", "text", echo, func(c *linemantest.Client) { c.Send("x"); c.Receive(); c.Reset() },
			is(syscall.ECONNRESET)},
		{"too large a frame", "frame", echo, func(c *linemantest.Client) { c.Write("\x7f\xff\xff\xff") },
			is(lineman.ErrTooLarge)},
		{"too long a line", "text", echo, func(c *linemantest.Client) { c.Write(strings.Repeat("x", 2000) + "\n") },
			is(lineman.ErrTooLarge)},
		{"too large a message", "websocket", echo,
			func(c *linemantest.Client) { c.Send(strings.Repeat("x", 2000)); c.Ended() }, is(lineman.ErrTooLarge)},
		{"frame of no length", "frame", echo, func(c *linemantest.Client) { c.Write("\x00\x00\x00\x03") },
			broke("frame", "length")},
		{"goodbye", "websocket", echo, func(c *linemantest.Client) { c.Goodbye(4242, "enough") },
			goodbye(4242, "enough")},
		{"goodbye without a code", "websocket", echo,
			func(c *linemantest.Client) { c.Frame(true, websocket.Close, "") }, goodbye(websocket.NoStatus, "")},
		{"no goodbye", "websocket", echo, func(c *linemantest.Client) { c.CloseWrite() }, is(io.EOF)},
		{"not UTF-8", "websocket", echo, func(c *linemantest.Client) { c.Send("\xff") }, broke("websocket", "UTF-8")},
		{"CloseWith", "websocket", func(c *lineman.Conn, _ []byte) { c.CloseWith(4000, "bye") },
			func(c *linemantest.Client) {
				c.Send("x")
				if err := c.Ended(); !goodbye(4000, "bye")(err) {
					t.Errorf("the peer was told %v", err)
				}
			}, none},
		{"panic", "text", func(*lineman.Conn, []byte) { panic("x") }, func(c *linemantest.Client) { c.Send("x") },
			is(lineman.ErrPanic)},
		{"not HTTP", "http", echo, func(c *linemantest.Client) { c.Write("nonsense\r\n\r\n") }, broke("http", "")},
		{"HTTP that closes", "http", echo,
			func(c *linemantest.Client) { c.Write("GET / HTTP/1.0\r\n\r\n"); c.Rest() }, none},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reasons := make(chan error, 2)
			w := &lineman.Worker{
				Addr: tt.scheme + "://127.0.0.1:0", Limits: lineman.Limits{MaxMessage: 1000}, Logger: quiet,
			}
			w.OnMessage = tt.onMsg
			w.OnClose = func(c *lineman.Conn, err error) {
				if c.Send([]byte("x")) != net.ErrClosed || c.Close() != net.ErrClosed ||
					c.RemoteAddr() == nil || c.ID() == 0 {
					t.Error("a closed connection does not answer as it should in OnClose")
				}
				reasons <- err
			}
			s := linemantest.Start(t, w)
			c := s.Dial(w)
			tt.client(c)
			_ = c.Conn.Close() // some did
			if err := next(t, reasons, "OnClose"); !tt.reason(err) {
				t.Errorf("OnClose: %v", err)
			}
			s.Do(w, func(l *lineman.Loop) {
				if n := l.Stats().Conns; n != 0 {
					t.Errorf("%d connections are left", n)
				}
			})
			if len(reasons) > 0 {
				t.Errorf("OnClose was called twice: %v", <-reasons)
			}
		})
	}
}

// TestCloseFlushes has a reader take its time: everything that was accepted before Close arrives, then the end.
func TestCloseFlushes(t *testing.T) {
	const size, many = 100 << 10, 50
	reasons := make(chan error, 1)
	w := &lineman.Worker{Addr: "frame://127.0.0.1:0", Limits: lineman.Limits{MaxPending: 64 << 20}, Logger: quiet}
	w.OnMessage = func(c *lineman.Conn, _ []byte) {
		for range many {
			if err := c.Send(make([]byte, size)); err != nil {
				t.Error(err)
			}
		}
		c.Close()
	}
	w.OnClose = func(_ *lineman.Conn, err error) { reasons <- err }
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Send("x")
	for range many {
		if got := c.Receive(); len(got) != size {
			t.Fatalf("a message of %d bytes", len(got))
		}
	}
	if err := c.Ended(); err != nil {
		t.Error(err)
	}
	c.Close()
	if err := next(t, reasons, "OnClose"); err != nil {
		t.Errorf("OnClose: %v", err)
	}
}

// TestCloseLimit has a peer that neither reads nor goes: Limits.Close ends it, whether output is left or not.
func TestCloseLimit(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int
		want error
	}{{"lingering", 10, nil}, {"output left", 32 << 20, lineman.ErrTimeout}} {
		t.Run(tt.name, func(t *testing.T) {
			reasons := make(chan error, 1)
			w := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Limits: lineman.Limits{MaxPending: 64 << 20}, Logger: quiet}
			w.OnMessage = func(c *lineman.Conn, _ []byte) {
				if err := c.Send(make([]byte, tt.size)); err != nil {
					t.Error(err)
				}
				c.Close()
			}
			w.OnClose = func(_ *lineman.Conn, err error) { reasons <- err }
			s, clock := startByClock(t, w)
			c := s.Dial(w)
			c.Send("x")
			c.Read(1)
			clock.jump(s, w, 4*second)
			s.Do(w, func(*lineman.Loop) {
				if len(reasons) != 0 {
					t.Errorf("closed before the limit: %v", <-reasons)
				}
			})
			clock.jump(s, w, 2*second)
			if err := next(t, reasons, "OnClose"); !errors.Is(err, tt.want) {
				t.Errorf("OnClose: %v, want %v", err, tt.want)
			}
		})
	}
}

// TestStop has everybody told goodbye when the loop stops, and OnStop called inner workers first.
func TestStop(t *testing.T) {
	var order []string
	stop := func(name string) func(*lineman.Loop) {
		return func(l *lineman.Loop) {
			if l.Context().Err() == nil {
				t.Error("the loop's context has not ended in OnStop")
			}
			order = append(order, "stop "+name)
		}
	}
	inner := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "inner", OnStop: stop("inner")}
	outer := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Name: "outer", OnStop: stop("outer")}
	inner.OnMessage, outer.OnMessage = echo, echo
	inner.OnClose = func(*lineman.Conn, error) { order = append(order, "close inner") }
	outer.OnClose = func(*lineman.Conn, error) { order = append(order, "close outer") }
	outer.OnStart = func(l *lineman.Loop) error {
		_, err := l.Listen(inner)
		return err
	}
	s := linemantest.Start(t, outer)
	page, line := s.Dial(outer), s.Dial(inner)
	line.Send("x")
	line.Receive()
	stopped := make(chan error)
	go func() { stopped <- s.Stop() }()
	if err := line.Ended(); err != nil {
		t.Error(err)
	}
	line.Close()
	var goodbye *websocket.CloseError
	if err := page.Ended(); !errors.As(err, &goodbye) || goodbye.Code != websocket.GoingAway {
		t.Errorf("the page was told %v, want 1001", err)
	}
	page.Close()
	if err := next(t, stopped, "the end of Run"); err != nil {
		t.Error(err)
	}
	if len(order) != 4 || order[0] != "stop inner" || order[1] != "stop outer" {
		t.Errorf("order was %v", order)
	}
}

// TestStopLimit has a peer that does not answer the goodbye: Limits.Shutdown ends it.
func TestStopLimit(t *testing.T) {
	reasons := make(chan error, 1)
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Limits: lineman.Limits{Shutdown: 1, Close: -1}}
	w.OnClose = func(_ *lineman.Conn, err error) { reasons <- err }
	s := linemantest.Start(t, w)
	s.Dial(w)
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if err := next(t, reasons, "OnClose"); !errors.Is(err, lineman.ErrTimeout) {
		t.Errorf("OnClose: %v", err)
	}
}
