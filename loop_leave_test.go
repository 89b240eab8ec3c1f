package lineman_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// waitForBytesIn returns when so many bytes have come.
func waitForBytesIn(t *testing.T, s *linemantest.Server, w *lineman.Worker, want uint64) {
	t.Helper()
	linemantest.Until(t, "the bytes do not arrive", func() (there bool) {
		s.Do(w, func(l *lineman.Loop) { there = l.Stats().BytesIn >= want })
		return there
	})
}

// startLeaver is startByClock with the loop's end.
func startLeaver(t *testing.T, w *lineman.Worker) (s *linemantest.Server, now *clock, end func()) {
	t.Helper()
	var loop *lineman.Loop
	onStart := w.OnStart
	w.OnStart = func(l *lineman.Loop) error {
		loop = l
		if onStart != nil {
			return onStart(l)
		}
		return nil
	}
	s, now = startByClock(t, w)
	return s, now, func() {
		t.Helper()
		next(t, loop.Context().Done(), "the loop stops")
		for ran := make(chan bool); loop.Do(func() { ran <- true }); {
			next(t, ran, "the loop comes round")
		}
	}
}

// leaves has the loop of w let its connections go within two seconds.
func leaves(s *linemantest.Server, w *lineman.Worker, patient bool) {
	s.Do(w, func(l *lineman.Loop) { l.Leave(websocket.Restart, 2*second, patient) })
}

// goneBy waits for the end of a client's stream, with nothing before it.
func goneBy(t *testing.T, c *linemantest.Client, who string) {
	t.Helper()
	if rest := c.Rest(); rest != "" {
		t.Errorf("%s got %q before the end", who, rest)
	}
}

// TestLeave finishes what was begun, lets who has just come say one thing, and ends the others.
func TestLeave(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	var why []error
	w.OnClose = func(_ *lineman.Conn, err error) { why = append(why, err) }
	s, now, end := startLeaver(t, w)
	idle, half, fresh, silent := s.Dial(w), s.Dial(w), s.Dial(w), s.Dial(w)
	idle.Send("x")
	idle.Receive()
	half.Write("ha")
	half.Write("l")
	waitForAccepted(t, s, w, 4)
	waitForBytesIn(t, s, w, 5)
	leaves(s, w, false)
	now.jump(s, w, second/2)
	goneBy(t, idle, "the idle one")
	half.Write("f\n")
	if got := half.Receive(); got != "half" {
		t.Errorf("the half-received line came back as %q", got)
	}
	fresh.Send("first")
	if got := fresh.Receive(); got != "first" {
		t.Errorf("the first message came back as %q", got)
	}
	now.jump(s, w, second*7/10)
	goneBy(t, half, "who finished its line")
	goneBy(t, fresh, "who said one thing")
	goneBy(t, silent, "who said nothing")
	for _, c := range []*linemantest.Client{idle, half, fresh, silent} {
		c.Close()
	}
	end()
	for _, err := range why {
		if err != nil {
			t.Errorf("a connection that this side ended has the reason %v", err)
		}
	}
}

// TestLeaveDeadline ends what does not end by itself: a line that stays half, a request without an answer.
func TestLeaveDeadline(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	s, now, end := startLeaver(t, w)
	half := s.Dial(w)
	half.Write("ha")
	waitForBytesIn(t, s, w, 2)
	leaves(s, w, false)
	now.jump(s, w, second)
	s.Do(w, func(l *lineman.Loop) {
		if l.Stats().Conns != 1 {
			t.Error("the half-received line was given up before its time")
		}
	})
	now.jump(s, w, second)
	goneBy(t, half, "the half-received line")
	half.Close()
	end()
}

// TestLeaveWebSocket tells pages to come back.
func TestLeaveWebSocket(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	s, now, end := startLeaver(t, w)
	c := s.Dial(w)
	c.Send("x")
	c.Receive()
	leaves(s, w, false)
	now.jump(s, w, second/2)
	var e *websocket.CloseError
	if err := c.Ended(); !errors.As(err, &e) || e.Code != websocket.Restart {
		t.Errorf("the page is told %v, want 1012", err)
	}
	end()
}

// TestLeaveHTTP answers requests, those that come late too, and says that the connection closes; idle ones close in the
// end.
func TestLeaveHTTP(t *testing.T) {
	later, goOn := make(chan *lineman.Conn, 1), make(chan bool)
	servers := map[string]*lineman.Worker{
		"OnRequest": {Events: lineman.Events{OnRequest: func(c *lineman.Conn, r *http1.Request) {
			if string(r.Path()) == "/later" {
				later <- c
				return
			}
			_ = c.Send([]byte("now"))
		}}},
		"Handler": {Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/later" {
				later <- nil
				<-goOn
			}
			_, _ = io.WriteString(w, "now")
		})},
	}
	for kind, w := range servers {
		t.Run(kind, func(t *testing.T) {
			w.Addr = "http://127.0.0.1:0"
			s, now, end := startLeaver(t, w)
			begun, late, idle := s.Dial(w), s.Dial(w), s.Dial(w)
			for _, c := range []*linemantest.Client{begun, late, idle} {
				c.Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				if answer, _ := c.Response("GET"); answer.Close {
					t.Fatal("the connection closes before its time")
				}
			}
			begun.Write("GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
			c := next(t, later, "the request")
			leaves(s, w, false)
			now.jump(s, w, second/2)
			late.Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if c != nil {
				_ = c.Send([]byte("now"))
			} else {
				goOn <- true
			}
			for who, c := range map[string]*linemantest.Client{"begun": begun, "late": late} {
				answer, body := c.Response("GET")
				if answer.StatusCode != 200 || body != "now" || !answer.Close {
					t.Errorf("%s: %d %q, close %v", who, answer.StatusCode, body, answer.Close)
				}
				goneBy(t, c, who)
			}
			now.jump(s, w, second*5/4)
			goneBy(t, idle, "the idle one")
			for _, c := range []*linemantest.Client{begun, late, idle} {
				c.Close()
			}
			end()
		})
	}
}

// TestLeavePatient waits for the clients, and for nobody that this side has dialed.
func TestLeavePatient(t *testing.T) {
	target := &lineman.Worker{Name: "target", Addr: "text://127.0.0.1:0"}
	other := linemantest.Start(t, target)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	var stops []string
	w.OnStop = func(l *lineman.Loop) { stops = append(stops, "OnStop") }
	w.OnStart = func(l *lineman.Loop) error {
		_, err := l.Dial("text://"+other.Addr(target).String(), lineman.Dialer{})
		return err
	}
	s, now, end := startLeaver(t, w)
	c := s.Dial(w)
	c.Send("x")
	c.Receive()
	addr := s.Addr(w).String()
	s.Do(w, func(l *lineman.Loop) { l.Leave(websocket.GoingAway, 10*time.Minute, true) })
	now.jump(s, w, 5*time.Minute)
	c.Send("still here")
	if got := c.Receive(); got != "still here" {
		t.Errorf("after five minutes: %q", got)
	}
	s.Do(w, func(*lineman.Loop) {
		if len(stops) > 0 {
			t.Errorf("it has stopped already: %v", stops)
		}
	})
	if c, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection: %v, %v", c, err)
	}
	c.Close()
	end()
	if len(stops) != 1 {
		t.Errorf("it stopped with %v", stops)
	}
}
