package lineman_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
)

// TestHandoverStays has connections stay with the predecessor that cannot cross, or that one side does not want, with
// the reason, and go on there.
func TestHandoverStays(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(w, to *lineman.Worker)
		reason string
	}{
		"Save fails": {func(w, _ *lineman.Worker) {
			w.Save = func(*lineman.Conn) ([]byte, error) { return nil, errors.New("not now") }
		}, "not now"},
		"Save panics": {func(w, _ *lineman.Worker) {
			w.Save = func(*lineman.Conn) ([]byte, error) { panic("oh") }
		}, "panic in Save"},
		"no Save": {func(w, _ *lineman.Worker) { w.Save, w.Restore = nil, nil }, "no Save"},
		"Restore fails": {func(_, to *lineman.Worker) {
			to.Restore = func(*lineman.Conn, []byte) error { return errors.New("no room") }
		}, "no room"},
		"Restore panics": {func(_, to *lineman.Worker) {
			to.Restore = func(*lineman.Conn, []byte) error { panic("oh") }
		}, "panic in Restore"},
		"no Restore":       {func(_, to *lineman.Worker) { to.Save, to.Restore = nil, nil }, "has no Restore"},
		"unknown":          {func(_, to *lineman.Worker) { to.Name = "other" }, "does not know worker"},
		"another protocol": {func(_, to *lineman.Worker) { to.Addr = "frame://127.0.0.1:0" }, "has kind"},
		"Close in Save": {func(w, _ *lineman.Worker) {
			w.Save = func(c *lineman.Conn) ([]byte, error) { return nil, c.Close() }
		}, "closing"},
	} {
		t.Run(name, func(t *testing.T) {
			linemantest.NoLeaks(t)
			var before, after diary
			w, to := remembering("text://127.0.0.1:0", &before), remembering("text://127.0.0.1:0", &after)
			tt.change(w, to)
			s := linemantest.Start(t, w)
			c := s.Dial(w)
			c.Send("a")
			c.Receive()
			_, h := handOver(t, s, w, to, nil)
			if h.Handed != nil || h.Crossed != 0 || len(h.Stayed) != 1 {
				t.Fatalf("%d crossed, %v stayed: %v, %v", h.Crossed, h.Stayed, h.Handed, h.Received)
			}
			for reason, n := range h.Stayed {
				if n != 1 || !strings.Contains(reason, tt.reason) {
					t.Errorf("%d stayed because %q, want %q", n, reason, tt.reason)
				}
			}
			if name == "Close in Save" {
				return
			}
			c.Send("b")
			if got := c.Receive(); !strings.HasSuffix(got, " ab") {
				t.Errorf("%q, want ab", got)
			}
			if n := after.count("OnClose") + after.count("OnClosing") + after.count("OnGone"); n > 0 {
				t.Errorf("%d callbacks have told of it in the successor", n)
			}
		})
	}
}

// TestHandoverTellsFirst has the application know that its connections have crossed before it gets what one that stays
// has sent meanwhile.
func TestHandoverTellsFirst(t *testing.T) {
	linemantest.NoLeaks(t)
	handed := false
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "service", Logger: quiet}
	w.OnHandover = func(*lineman.Loop) { handed = true }
	w.OnMessage = func(c *lineman.Conn, _ []byte) { _ = c.Send(fmt.Append(nil, handed)) }
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Send("before")
	if got := c.Receive(); got != "false" {
		t.Fatalf("%q before the handover", got)
	}
	var once sync.Once
	_, h := handOver(t, s, w, &lineman.Worker{Addr: w.Addr, Name: w.Name}, func(string) error {
		once.Do(func() { c.Send("meanwhile") })
		return nil
	})
	if got := c.Receive(); got != "true" {
		t.Errorf("%q after the handover: %v, %v", got, h.Handed, h.Received)
	}
}

// TestHandoverSome has those cross that can, of connections of all kinds.
func TestHandoverSome(t *testing.T) {
	linemantest.NoLeaks(t)
	var before, after diary
	w, to := remembering("text://127.0.0.1:0", &before), remembering("text://127.0.0.1:0", &after)
	secret := remembering("text://127.0.0.1:0", &before)
	secret.Name, secret.TLS, secret.Save, secret.Restore = "secret", linemantest.TLS(t), nil, nil
	dialed := make(chan *lineman.Conn, 1)
	w.OnStart = func(l *lineman.Loop) error {
		if _, err := l.Listen(secret); err != nil {
			return err
		}
		c, err := l.Dial("text://"+l.Listener(w).Addr().String(), lineman.Dialer{Events: lineman.Events{
			OnConnect: func(c *lineman.Conn) { dialed <- c },
		}})
		_ = c
		return err
	}
	to.OnStart = func(l *lineman.Loop) error {
		_, err := l.Listen(&lineman.Worker{Name: "secret", Addr: "text://127.0.0.1:0",
			Save: saveNothing, Restore: restoreNothing})
		return err
	}
	s := linemantest.Start(t, w)
	next(t, dialed, "the connection that was dialed")
	linemantest.Until(t, "it was not accepted", func() bool { return before.count("OnConnect") == 1 })
	plain, hidden := s.Dial(w), s.Dial(secret)
	for _, c := range []*linemantest.Client{plain, hidden} {
		c.Send("a")
		c.Receive()
	}
	_, h := handOver(t, s, w, to, nil)
	want := map[string]int{"its Dialer has no Save": 1, "its worker has no Save": 1}
	if h.Crossed != 2 || !maps.Equal(h.Stayed, want) {
		t.Fatalf("%d crossed, %v stayed: %v, %v", h.Crossed, h.Stayed, h.Handed, h.Received)
	}
	for _, c := range []*linemantest.Client{plain, hidden} {
		c.Send("b")
		if got := c.Receive(); !strings.HasSuffix(got, " ab") {
			t.Errorf("%q, want ab", got)
		}
	}
}

// TestHandoverStates has the state of each loop restored before any connection, on a loop of the successor, which has
// another number of them.
func TestHandoverStates(t *testing.T) {
	for _, tt := range []struct{ from, to int }{{1, 1}, {3, 2}, {2, 3}, {1, 3}} {
		t.Run(fmt.Sprintf("%d to %d", tt.from, tt.to), func(t *testing.T) {
			linemantest.NoLeaks(t)
			var saved, restored diary
			w := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "service", Loops: tt.from}
			w.PerLoop = func(own *lineman.Worker) {
				said, handed := 0, false
				own.OnMessage = func(c *lineman.Conn, _ []byte) { said++; _ = c.Send(nil) }
				own.Save, own.Restore = saveNothing, restoreNothing
				own.SaveState = func(l *lineman.Loop) ([]byte, error) {
					l.Do(func() {
						if !handed {
							t.Error("what waits comes before OnHandover")
						}
					})
					return fmt.Appendf(nil, "%d has %d", l.Index(), said), nil
				}
				own.RestoreState = restoreNoState
				own.OnHandover = func(l *lineman.Loop) { handed = true; saved.note(fmt.Sprint(l.Index())) }
			}
			to := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "service", Loops: tt.to}
			to.PerLoop = func(own *lineman.Worker) {
				var states []string
				own.OnStart = func(l *lineman.Loop) error {
					if !l.Succeeds() {
						t.Error("OnStart does not know of the predecessor")
					}
					return nil
				}
				own.SaveState = saveNoState
				own.RestoreState = func(l *lineman.Loop, state []byte) error {
					states = append(states, string(state))
					restored.note(fmt.Sprintf("%d: %s", l.Index(), state))
					return nil
				}
				own.Save = saveNothing
				own.Restore = func(c *lineman.Conn, _ []byte) error {
					index := c.Loop().Index()
					if want := (tt.from + tt.to - 1 - index) / tt.to; len(states) != want {
						t.Errorf("loop %d has %d states before a connection, want %d", index, len(states), want)
					}
					return nil
				}
				own.OnMessage = func(c *lineman.Conn, msg []byte) { _ = c.Send(append([]byte("echo "), msg...)) }
			}
			s := linemantest.Start(t, w)
			const clients = 12
			var all []*linemantest.Client
			for range clients {
				c := s.Dial(w)
				c.Send("x")
				c.Receive()
				all = append(all, c)
			}
			_, h := handOver(t, s, w, to, nil)
			if h.Crossed != clients {
				t.Fatalf("%d crossed, %v stayed: %v, %v", h.Crossed, h.Stayed, h.Handed, h.Received)
			}
			want := make([]int, tt.to)
			for i := range tt.from {
				want[i%tt.to] += clients / tt.from
				state := fmt.Sprintf("%d: %d has %d", i%tt.to, i, clients/tt.from)
				if restored.count(state) != 1 {
					t.Errorf("%q was not restored: %v", state, restored.seen)
				}
			}
			if !slices.Equal(h.Conns, want) {
				t.Errorf("connections of the loops: %v, want %v", h.Conns, want)
			}
			for _, c := range all {
				c.Send("y")
				if got := c.Receive(); got != "echo y" {
					t.Errorf("%q", got)
				}
			}
			s.DoEach(w, func(*lineman.Loop) {})
			if n := len(saved.seen); n != tt.from {
				t.Errorf("OnHandover has run on %d loops", n)
			}
		})
	}
}

// TestHandoverRestoreActs has Restore do with a connection what a callback may: nothing of it reaches the peer before
// the successor has taken over, and all of it then.
func TestHandoverRestoreActs(t *testing.T) {
	for name, act := range map[string]func(c *lineman.Conn) error{
		"sends":       func(c *lineman.Conn) error { return c.Send([]byte("welcome")) },
		"sends much":  func(c *lineman.Conn) error { return c.Send([]byte(strings.Repeat("w", 200_000))) },
		"closes":      func(c *lineman.Conn) error { _ = c.Send([]byte("bye")); return c.Close() },
		"aborts":      func(c *lineman.Conn) error { c.Abort(); return nil },
		"pauses":      func(c *lineman.Conn) error { c.Pause(); _ = c.Send([]byte("wait")); return nil },
		"sets a time": func(c *lineman.Conn) error { c.After(0, func() { _ = c.Send([]byte("timer")) }); return nil },
		"does":        func(c *lineman.Conn) error { c.Do(func() { _ = c.Send([]byte("done")) }); return nil },
	} {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, fails %v", name, fails), func(t *testing.T) {
				linemantest.NoLeaks(t)
				var before, after diary
				w, to := remembering("text://127.0.0.1:0", &before), remembering("text://127.0.0.1:0", &after)
				to.Restore = func(c *lineman.Conn, _ []byte) error { return act(c) }
				s := linemantest.Start(t, w)
				c := s.Dial(w)
				c.Send("a")
				c.Receive()
				_, h := handOver(t, s, w, to, func(step string) error {
					if fails && step == "commit" {
						return errors.New("no")
					}
					return nil
				})
				if fails {
					c.Send("b")
					if got := c.Receive(); !strings.HasSuffix(got, " ab") {
						t.Errorf("%.20q, want ab", got)
					}
					return
				}
				if h.Crossed != 1 {
					t.Fatalf("%v stayed: %v, %v", h.Stayed, h.Handed, h.Received)
				}
				want := map[string]string{
					"sends": "welcome", "sends much": strings.Repeat("w", 200_000), "closes": "bye", "pauses": "wait",
					"sets a time": "timer", "does": "done",
				}
				if want[name] != "" {
					if got := c.Receive(); got != want[name] {
						t.Errorf("%.20q, want %.20q", got, want[name])
					}
				}
				if name == "closes" || name == "aborts" {
					_ = c.Ended()
					c.Close()
					linemantest.Until(t, "OnClose does not come", func() bool { return after.count("OnClose") == 1 })
				}
				if n := before.count("OnClose"); n > 0 {
					t.Error("OnClose in the predecessor")
				}
			})
		}
	}
}

// TestHandoverHTTP has a connection that is kept alive, half of whose next request has come, go on; and one whose
// request is with the application stay until it is answered.
func TestHandoverHTTP(t *testing.T) {
	var d diary
	worker := func(who string, waits chan<- *lineman.Conn) *lineman.Worker {
		w := &lineman.Worker{Addr: "http://127.0.0.1:0", Name: "service", Save: saveNothing, Restore: restoreNothing}
		w.OnMessage = func(c *lineman.Conn, msg []byte) {
			if string(msg) == "wait" {
				waits <- c
				return
			}
			_ = c.Send(append([]byte(who+" "), msg...))
		}
		w.OnClose = func(*lineman.Conn, error) { d.note("OnClose of " + who) }
		return w
	}
	waits := make(chan *lineman.Conn, 1)
	w, to := worker("old", waits), worker("new", nil)
	s := linemantest.Start(t, w)
	kept, waiting := s.Connect(w), s.Connect(w)
	const request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
	kept.Write(request + "once" + request + "tw")
	if _, body := kept.Response(http.MethodPost); body != "old once" {
		t.Errorf("%q", body)
	}
	waiting.Write(request + "wait")
	asked := next(t, waits, "the request")
	_, h := handOver(t, s, w, to, nil)
	if h.Crossed != 1 || h.Stayed["a request is being answered"] != 1 {
		t.Fatalf("%d crossed, %v stayed: %v, %v", h.Crossed, h.Stayed, h.Handed, h.Received)
	}
	kept.Write("in" + request[:20])
	kept.Write(request[20:] + "more")
	for _, want := range []string{"new twin", "new more"} {
		if _, body := kept.Response(http.MethodPost); body != want {
			t.Errorf("%q, want %q", body, want)
		}
	}
	if err := asked.Send([]byte("at last")); err != nil {
		t.Error(err)
	}
	if _, body := waiting.Response(http.MethodPost); body != "at last" {
		t.Errorf("%q", body)
	}
}

// linesNumbered is a protocol of lines, of which each that goes has a number.
type linesNumbered struct{ linesBackwards }

func (linesNumbered) Name() string                { return "numbered" }
func (linesNumbered) NewCodec(int) protocol.Codec { return &numbering{} }

type numbering struct {
	linesBackwards
	next byte
}

func (n *numbering) Append(dst, msg []byte) ([]byte, error) {
	n.next++
	return fmt.Appendf(dst, "%d %s\n", n.next, msg), nil
}

func (n *numbering) AppendState(dst []byte) []byte { return append(dst, n.next) }

func (n *numbering) RestoreState(state []byte) error {
	n.next = state[0]
	return nil
}

// TestHandoverCodec has a codec of one's own cross; and a connection stay whose codec knows more than is in its record,
// because a goroutine has sent something meanwhile.
func TestHandoverCodec(t *testing.T) {
	for _, sends := range []bool{false, true} {
		t.Run(fmt.Sprintf("sends %v", sends), func(t *testing.T) {
			var d diary
			w, to := remembering("tcp://127.0.0.1:0", &d), remembering("tcp://127.0.0.1:0", &d)
			w.Protocol, to.Protocol = linesNumbered{}, linesNumbered{}
			conns := accepted(w)
			s := linemantest.Start(t, w)
			client := s.Connect(w)
			client.Write("a\n")
			c := next(t, conns, "a connection")
			client.Read(len(fmt.Sprintf("1 %d a\n", c.ID())))
			_, h := handOver(t, s, w, to, func(step string) error {
				if step == "commit" && sends {
					return c.Send([]byte("meanwhile"))
				}
				return nil
			})
			if h.Handed != nil || (h.Crossed == 1) == sends {
				t.Fatalf("%d crossed, %v stayed: %v, %v", h.Crossed, h.Stayed, h.Handed, h.Received)
			}
			client.Write("b\n")
			want := fmt.Sprintf("2 %d ab\n", c.ID())
			if sends {
				want = fmt.Sprintf("2 meanwhile\n3 %d ab\n", c.ID())
			}
			if got := client.Read(len(want)); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
