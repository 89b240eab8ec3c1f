package lineman_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// drainer is a worker that closes each connection by itself, the n-th n seconds after the loop begins to stop, but the
// last.
func drainer(stay int) (w *lineman.Worker, begun chan bool) {
	begun = make(chan bool)
	w = &lineman.Worker{
		Addr: "websocket://127.0.0.1:0", Limits: lineman.Limits{Drain: 10 * second, Shutdown: 10 * second},
		Logger: quiet,
	}
	ready := true
	drain := func(l *lineman.Loop) {
		if !ready {
			return
		}
		ready = false
		n := 0
		for c := range l.Conns(w) {
			if n++; n <= stay {
				c.After(time.Duration(n)*second, func() { _ = c.CloseWith(4101, "later") })
			}
		}
		close(begun)
	}
	w.OnStop, w.OnReload = drain, drain
	w.OnMessage = echo
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
		r := &http1.Response{Status: 503}
		if ready {
			r.Status = 200
		}
		_ = c.Respond(r)
	}
	return w, begun
}

// told checks the code of a goodbye.
func told(t *testing.T, c *linemantest.Client, want websocket.Code) {
	t.Helper()
	var e *websocket.CloseError
	if err := c.Ended(); !errors.As(err, &e) || e.Code != want {
		t.Errorf("the goodbye is %v, want %d", err, want)
	}
}

// TestDrain leaves connections to the application when the loop stops: it still serves, and listens, until the last has
// gone.
func TestDrain(t *testing.T) {
	w, begun := drainer(2)
	s, now := startByClock(t, w)
	first, second1 := s.Dial(w), s.Dial(w)
	for _, c := range []*linemantest.Client{first, second1} {
		c.Send("x")
		c.Receive()
	}
	end := make(chan error, 1)
	go func() { end <- s.Stop() }()
	next(t, begun, "OnStop")
	probe := s.Connect(w)
	probe.Write("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n")
	if answer, _ := probe.Response("GET"); answer.StatusCode != 503 {
		t.Errorf("a request while it drains: %d", answer.StatusCode)
	}
	second1.Send("still here")
	if got := second1.Receive(); got != "still here" {
		t.Errorf("while it drains: %q", got)
	}
	now.jump(s, w, second*3/2)
	told(t, first, 4101)
	first.Close()
	now.jump(s, w, second)
	told(t, second1, 4101)
	second1.Close()
	probe.Close()
	if err := next(t, end, "the end"); err != nil {
		t.Error(err)
	}
}

// TestDrainLimit ends what the application did not, when a loop stops and when it is succeeded by another.
func TestDrainLimit(t *testing.T) {
	for name, code := range map[string]websocket.Code{"stop": websocket.GoingAway, "reload": websocket.Restart} {
		t.Run(name, func(t *testing.T) {
			w, begun := drainer(0)
			s, now, ended := startLeaver(t, w)
			c := s.Dial(w)
			c.Send("x")
			c.Receive()
			if name == "stop" {
				go func() { _ = s.Stop() }()
			} else {
				s.Do(w, func(l *lineman.Loop) {
					w.OnReload(l)
					l.Leave(code, 20*second, false)
				})
			}
			next(t, begun, "the drain")
			now.jump(s, w, 9*second)
			c.Send("still here")
			if got := c.Receive(); got != "still here" {
				t.Errorf("while it drains: %q", got)
			}
			now.jump(s, w, 5*second/4)
			told(t, c, code)
			c.Close()
			ended()
		})
	}
}
