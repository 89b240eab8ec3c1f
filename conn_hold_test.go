package lineman_test

import (
	"crypto/tls"
	"io"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestHold answers a peer that has ended its stream, when the answer comes later; then the connection ends.
func TestHold(t *testing.T) {
	for name, addr := range map[string]string{
		"text": "text://127.0.0.1:0", "TLS": "text://127.0.0.1:0", "WebSocket": "websocket://127.0.0.1:0",
	} {
		t.Run(name, func(t *testing.T) {
			linemantest.NoLeaks(t)
			asked, ends := make(chan *lineman.Conn, 2), make(chan error, 1)
			w := &lineman.Worker{Addr: addr, Logger: quiet}
			if name == "TLS" {
				w.TLS = linemantest.TLS(t)
			}
			w.OnMessage = func(c *lineman.Conn, _ []byte) {
				c.Hold()
				asked <- c
			}
			w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
			s := linemantest.Start(t, w)
			client := s.Dial(w)
			client.Send("one")
			client.Send("two")
			client.CloseWrite()
			c := next(t, asked, "the first")
			next(t, asked, "the second")
			for range 20 {
				s.Do(w, func(*lineman.Loop) {})
			}
			if len(ends) > 0 {
				t.Fatal("it ended with answers on their way")
			}
			for i, answer := range []string{"first", "second"} {
				s.Do(w, func(*lineman.Loop) {
					if err := c.Send([]byte(answer)); err != nil {
						t.Errorf("answer %d: %v", i, err)
					}
					c.Release()
				})
				if got := client.Receive(); got != answer {
					t.Errorf("the answer is %q, want %q", got, answer)
				}
			}
			if err := next(t, ends, "OnClose"); err != io.EOF {
				t.Errorf("OnClose: %v", err)
			}
			s.Do(w, func(*lineman.Loop) { c.Release() }) // one too many
		})
	}
}

// TestHoldClosed ends a connection that was closed with its peer's stream, held or not: nothing can be answered any
// more.
func TestHoldClosed(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, config := range []*tls.Config{nil, linemantest.TLS(t)} {
		ends := make(chan error, 1)
		w := &lineman.Worker{
			Addr: "websocket://127.0.0.1:0", TLS: config, Limits: lineman.Limits{Close: -1}, Logger: quiet,
		}
		w.OnMessage = func(c *lineman.Conn, _ []byte) {
			c.Hold()
			_ = c.Close() // the first
		}
		w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
		s := linemantest.Start(t, w)
		client := s.Dial(w)
		client.Send("one")
		if op, _ := client.NextFrame(); op != websocket.Close {
			t.Errorf("the client gets a frame of kind %d", op)
		}
		client.CloseWrite() // without a goodbye
		if err := next(t, ends, "OnClose"); err != nil {
			t.Errorf("OnClose: %v", err)
		}
	}
}

// TestHoldOpen changes nothing for a peer that goes on.
func TestHoldOpen(t *testing.T) {
	ends := make(chan error, 1)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet, Limits: lineman.Limits{Close: second / 20}}
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		c.Hold()
		c.Release()
		if string(msg) == "keep" {
			c.Hold()
		}
		_ = c.Send(msg)
	}
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	s := linemantest.Start(t, w)
	client := s.Dial(w)
	for _, line := range []string{"x", "keep", "y"} {
		client.Send(line)
		if got := client.Receive(); got != line {
			t.Errorf("%q, want %q", got, line)
		}
	}
	client.Reset()
	next(t, ends, "the end of a connection that broke")
}

// TestHoldLimit does not wait for an answer for ever.
func TestHoldLimit(t *testing.T) {
	ends := make(chan error, 1)
	w := &lineman.Worker{
		Addr: "text://127.0.0.1:0", Logger: quiet, Limits: lineman.Limits{Answer: 10 * second, Close: second / 20},
	}
	w.OnMessage = func(c *lineman.Conn, _ []byte) { c.Hold() }
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	s, now := startByClock(t, w)
	client := s.Dial(w)
	client.Send("x")
	client.CloseWrite()
	waitForBytesIn(t, s, w, 2)
	for range 3 {
		now.jump(s, w, 3*time.Second)
	}
	if len(ends) > 0 {
		t.Error("it ended before its time")
	}
	now.jump(s, w, 3*time.Second)
	if err := next(t, ends, "OnClose"); err != lineman.ErrTimeout {
		t.Errorf("OnClose: %v", err)
	}
}

// TestHoldLeaving has a predecessor in a reload wait for the answers that are on their way.
func TestHoldLeaving(t *testing.T) {
	conns := make(chan *lineman.Conn, 1)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet}
	w.OnMessage = func(c *lineman.Conn, _ []byte) {
		c.Hold()
		conns <- c
	}
	s, now, end := startLeaver(t, w)
	client := s.Dial(w)
	client.Send("x")
	c := next(t, conns, "the line")
	leaves(s, w, false)
	now.jump(s, w, second)
	s.Do(w, func(*lineman.Loop) {
		if err := c.Send([]byte("late")); err != nil {
			t.Error(err)
		}
		c.Release()
	})
	if got := client.Receive(); got != "late" {
		t.Errorf("the answer is %q", got)
	}
	client.Close()
	end()
}
