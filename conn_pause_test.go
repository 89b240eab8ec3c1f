package lineman_test

import (
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestPausedEnd has a peer send, and end its stream, while nothing is read from it: all of it is handled afterwards.
func TestPausedEnd(t *testing.T) {
	for _, addr := range []string{"text://127.0.0.1:0", "text+unix://" + filepath.Join(t.TempDir(), "s")} {
		t.Run(addr[:6], func(t *testing.T) {
			linemantest.NoLeaks(t)
			conns, got, ends := make(chan *lineman.Conn, 1), make(chan string, 4), make(chan error, 1)
			w := &lineman.Worker{Addr: addr, Logger: quiet}
			w.OnMessage = func(c *lineman.Conn, msg []byte) {
				if string(msg) == "pause" {
					c.Pause()
					conns <- c
					return
				}
				got <- string(msg)
			}
			w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
			s := linemantest.Start(t, w)
			client := dial(t, s.Addr(w))
			_, _ = io.WriteString(client, "pause\n")
			c := next(t, conns, "the connection")
			_, _ = io.WriteString(client, "one\ntwo\n")
			client.Close()
			for range 20 {
				s.Do(w, func(*lineman.Loop) {})
			}
			if len(got) > 0 || len(ends) > 0 {
				t.Fatal("something happened while it was paused")
			}
			s.Do(w, func(*lineman.Loop) { c.Resume() })
			for _, want := range []string{"one", "two"} {
				if msg := next(t, got, "a line"); msg != want {
					t.Errorf("%q, want %q", msg, want)
				}
			}
			if err := next(t, ends, "OnClose"); err != io.EOF {
				t.Errorf("OnClose: %v", err)
			}
		})
	}
}

// TestPausedLimits has every limit of time stand still while a connection is paused, and run again after Resume.
func TestPausedLimits(t *testing.T) {
	linemantest.NoLeaks(t)
	conns, ends := make(chan *lineman.Conn, 1), make(chan error, 1)
	w := &lineman.Worker{
		Addr: "text://127.0.0.1:0", Limits: lineman.Limits{Message: 10 * second, Idle: 20 * second, Close: second / 20},
		Logger: quiet,
	}
	w.OnMessage = func(c *lineman.Conn, _ []byte) {
		c.Pause()
		conns <- c
	}
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	s, clock := startByClock(t, w)
	client := s.Dial(w)
	client.Write("a line\nhalf a li")
	c := next(t, conns, "the connection")
	clock.jump(s, w, time.Hour)
	if len(ends) > 0 {
		t.Fatalf("OnClose while it was paused: %v", <-ends)
	}
	s.Do(w, func(*lineman.Loop) { c.Resume() })
	s.Do(w, func(*lineman.Loop) {}) // what waited is looked at
	clock.jump(s, w, 9*second)
	if len(ends) > 0 {
		t.Fatalf("OnClose too early: %v", <-ends)
	}
	clock.jump(s, w, 2*second)
	if err := next(t, ends, "OnClose"); err != lineman.ErrTimeout {
		t.Errorf("OnClose: %v", err)
	}
}
