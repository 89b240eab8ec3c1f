package lineman_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// diary notes which callbacks have run.
type diary struct {
	mu   sync.Mutex // guards the following
	seen map[string]int
}

func (d *diary) note(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == nil {
		d.seen = make(map[string]int)
	}
	d.seen[what]++
}

func (d *diary) count(what string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen[what]
}

// remembering is a worker that answers each message with the id of its connection and all that it has said so far,
// which is the value that crosses. It notes in d what is called.
func remembering(addr string, d *diary) *lineman.Worker {
	w := &lineman.Worker{Addr: addr, Name: "service", Logger: quiet}
	w.OnConnect = func(c *lineman.Conn) { d.note("OnConnect"); c.SetValue("") }
	w.OnClosing = func(*lineman.Conn) { d.note("OnClosing") }
	w.OnClose = func(*lineman.Conn, error) { d.note("OnClose") }
	w.OnGone = func(*lineman.Conn) { d.note("OnGone") }
	w.OnHandover = func(*lineman.Loop) { d.note("OnHandover") }
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		said := c.Value().(string) + string(msg)
		c.SetValue(said)
		_ = c.Send(fmt.Appendf(nil, "%d %s", c.ID(), said))
	}
	w.Save = func(c *lineman.Conn) ([]byte, error) {
		d.note("Save")
		said, _ := c.Value().(string)
		return []byte(said), nil
	}
	w.Restore = func(c *lineman.Conn, value []byte) error {
		d.note("Restore")
		c.SetValue(string(value))
		return nil
	}
	return w
}

// handOver hands what the loops of s have over to worker to, and returns the process that takes its place, and what has
// become of it.
func handOver(t *testing.T, s *linemantest.Server, w, to *lineman.Worker, at func(step string) error) (
	*linemantest.Server, *lineman.Handover) {
	t.Helper()
	h := &lineman.Handover{At: at}
	return handOverBy(t, h, s, w, to), h
}

// needsNative skips a test of handovers over package net. Who hands over is skipped too; it is for tests that would
// take the end of their worker for something else.
func needsNative(t *testing.T) {
	t.Helper()
	if portable() {
		t.Skip("over package net, connections stay where they are")
	}
}

// handOverBy is handOver as h says.
func handOverBy(t *testing.T, h *lineman.Handover, s *linemantest.Server, w, to *lineman.Worker) *linemantest.Server {
	t.Helper()
	needsNative(t)
	s.DoEach(w, func(l *lineman.Loop) { h.From = append(h.From, l) })
	if h.Lent == nil {
		defer lineman.StandStill(h.From...)()
	}
	h.Over = make(chan struct{})
	next := linemantest.StartBy(t, h.Run, to)
	<-h.Over
	return next
}

// allCross is handOver that has to succeed with all connections.
func allCross(t *testing.T, s *linemantest.Server, w, to *lineman.Worker) *linemantest.Server {
	t.Helper()
	next, h := handOver(t, s, w, to, nil)
	if h.Handed != nil || h.Received != nil || len(h.Stayed) > 0 {
		t.Fatalf("%d crossed, %v stayed: %v, %v", h.Crossed, h.Stayed, h.Handed, h.Received)
	}
	return next
}

// accepted has a worker tell of each connection.
func accepted(w *lineman.Worker) <-chan *lineman.Conn {
	conns, before := make(chan *lineman.Conn, 100), w.OnConnect
	w.OnConnect = func(c *lineman.Conn) {
		if before != nil {
			before(c)
		}
		conns <- c
	}
	return conns
}

// restored has a worker tell of each connection that crosses.
func restored(w *lineman.Worker) <-chan *lineman.Conn {
	conns, before := make(chan *lineman.Conn, 100), w.Restore
	w.Restore = func(c *lineman.Conn, value []byte) error {
		conns <- c
		return before(c, value)
	}
	return conns
}

// TestHandover has connections of each protocol go on with a successor: same id, same value, nothing lost, and no
// callback tells of it.
func TestHandover(t *testing.T) {
	for _, scheme := range []string{"tcp", "text", "frame", "websocket"} {
		t.Run(scheme, func(t *testing.T) {
			linemantest.NoLeaks(t)
			var before, after diary
			w, to := remembering(scheme+"://127.0.0.1:0", &before), remembering(scheme+"://127.0.0.1:0", &after)
			s := linemantest.Start(t, w)
			const clients = 10
			all, ids := make([]*linemantest.Client, clients), make([]string, clients)
			for i := range all {
				all[i] = s.Dial(w)
				all[i].Send("a")
				ids[i], _, _ = strings.Cut(all[i].Receive(), " ")
			}
			next, h := handOver(t, s, w, to, nil)
			if h.Handed != nil || h.Received != nil || h.Crossed != clients || len(h.Stayed) > 0 {
				t.Fatalf("%d crossed, %v stayed: %v, %v", h.Crossed, h.Stayed, h.Handed, h.Received)
			}
			for i, c := range all {
				c.Send("b")
				if got := c.Receive(); got != ids[i]+" ab" {
					t.Errorf("%q, want %q", got, ids[i]+" ab")
				}
			}
			fresh := next.Dial(to)
			fresh.Send("x")
			id, _, _ := strings.Cut(fresh.Receive(), " ")
			if strings.Contains(" "+strings.Join(ids, " ")+" ", " "+id+" ") {
				t.Errorf("a new connection has the id %s, as an old one", id)
			}
			s.Do(w, func(l *lineman.Loop) {
				if n := l.Stats().Conns; n != 0 {
					t.Errorf("the predecessor has %d connections", n)
				}
			})
			for what, want := range map[string]int{
				"OnClosing": 0, "OnClose": 0, "OnGone": 0, "OnConnect": clients, "Save": clients, "OnHandover": 1,
			} {
				if n := before.count(what); n != want {
					t.Errorf("the predecessor has seen %s %d times, want %d", what, n, want)
				}
			}
			for what, want := range map[string]int{"OnConnect": 1, "Restore": clients, "OnClose": 0} {
				if n := after.count(what); n != want {
					t.Errorf("the successor has seen %s %d times, want %d", what, n, want)
				}
			}
			all[0].Close()
			linemantest.Until(t, "OnGone does not come", func() bool { return after.count("OnGone") == 1 })
		})
	}
}

// TestHandoverFails has the predecessor go on with all of its connections, wherever the handover fails. What is sent
// while they cross comes once, and nobody is told that a connection has closed.
func TestHandoverFails(t *testing.T) {
	fault := errors.New("as the test wants it")
	for _, step := range []string{"states", "records", "commit", "committed", "started", "state", "tail"} {
		t.Run(step, func(t *testing.T) {
			linemantest.NoLeaks(t)
			var before, after diary
			w, to := remembering("text://127.0.0.1:0", &before), remembering("text://127.0.0.1:0", &after)
			w.SaveState, to.RestoreState = saveNoState, restoreNoState
			w.RestoreState, to.SaveState = restoreNoState, saveNoState
			conns := accepted(w)
			s := linemantest.Start(t, w)
			const clients = 5
			var all []*linemantest.Client
			for range clients {
				c := s.Dial(w)
				c.Send("a")
				c.Receive()
				all = append(all, c)
			}
			first := next(t, conns, "a connection")
			var ctx context.Context
			sent, met := false, 0
			_, h := handOver(t, s, w, to, func(now string) error {
				switch now {
				case "commit":
					sent = first.Send([]byte("meanwhile")) == nil
				case "committed":
					ctx = first.Context()
				}
				if now != step {
					return nil
				}
				if met++; step == "records" && met < clients {
					return nil // some have been sent
				}
				return fault
			})
			if h.Handed == nil || h.Received == nil {
				t.Fatalf("%v and %v, want errors", h.Handed, h.Received)
			}
			if !errors.Is(h.Handed, fault) && !strings.Contains(h.Handed.Error(), fault.Error()) {
				t.Errorf("the predecessor has %v", h.Handed)
			}
			if got := "meanwhile"; sent && all[0].Receive() != got {
				t.Errorf("%q did not come", got)
			}
			for _, c := range all {
				c.Send("b")
				if got := c.Receive(); !strings.HasSuffix(got, " ab") {
					t.Errorf("%q, want ab", got)
				}
			}
			if first.Context().Err() != nil || ctx != nil && first.Context() == ctx {
				t.Error("its Context has been cancelled")
			}
			if n := before.count("OnClose") + before.count("OnHandover") + after.count("OnConnect"); n > 0 {
				t.Errorf("%d callbacks have told of it", n)
			}
		})
	}
}

// TestHandoverParts has a state come in parts, in order. An error of SaveParts ends the handover, and so does one of
// the successor, which SaveParts hears of while it goes on, and may ignore.
func TestHandoverParts(t *testing.T) {
	const parts = 40 // more than waits between the processes
	part := make([]byte, 1<<20)
	for name, tt := range map[string]struct{ fails, refused int }{
		"all cross": {parts, parts}, "it fails": {3, parts}, "one is refused": {parts, 3},
	} {
		t.Run(name, func(t *testing.T) {
			linemantest.NoLeaks(t)
			var before, after diary
			w, to := remembering("text://127.0.0.1:0", &before), remembering("text://127.0.0.1:0", &after)
			sent, came := 0, 0
			w.RestoreState, to.SaveState = restoreNoState, saveNoState
			w.SaveParts = func(_ *lineman.Loop, send func([]byte) error) error {
				for ; sent < parts; sent++ {
					if sent == tt.fails {
						return errors.New("it has no more")
					}
					if part[0] = byte(sent); send(part) != nil {
						return nil
					}
				}
				return nil
			}
			to.RestoreState = func(_ *lineman.Loop, part []byte) error {
				if came == tt.refused {
					return errors.New("it wants no more")
				}
				if len(part) != 1<<20 || int(part[0]) != came {
					t.Errorf("%d bytes of part %d have come in place of %d", len(part), part[0], came)
				}
				came++
				return nil
			}
			s := linemantest.Start(t, w)
			c := s.Dial(w)
			c.Send("a")
			c.Receive()
			_, h := handOver(t, s, w, to, nil)
			crossed := min(tt.fails, tt.refused) == parts
			if (h.Handed == nil) != crossed || (h.Received == nil) != crossed || crossed && came != parts {
				t.Errorf("%d parts have come: %v, %v", came, h.Handed, h.Received)
			}
			if !crossed && (sent == parts || !strings.Contains(h.Handed.Error(), " no more")) {
				t.Errorf("%d parts were sent, and it is told that %v", sent, h.Handed)
			}
			c.Send("b")
			if got := c.Receive(); !strings.HasSuffix(got, " ab") {
				t.Errorf("%q, want ab", got)
			}
		})
	}
}

// TestHandoverFirstTick has what a successor wants done in its first tick come before what clients have sent meanwhile,
// and before those that have come.
func TestHandoverFirstTick(t *testing.T) {
	linemantest.NoLeaks(t)
	var before, after diary
	w, to := remembering("text://127.0.0.1:0", &before), remembering("text://127.0.0.1:0", &after)
	w.SaveState = func(*lineman.Loop) ([]byte, error) { return nil, nil }
	w.RestoreState = func(*lineman.Loop, []byte) error { return nil }
	to.SaveState = w.SaveState
	to.RestoreState = func(l *lineman.Loop, _ []byte) error {
		l.Do(func() { after.note("Do") })
		l.After(0, func() { after.note("After") })
		return nil
	}
	early := func(c *lineman.Conn) {
		if after.count("Do") == 0 || after.count("After") == 0 {
			t.Error("a client was served first")
		}
	}
	heard := to.OnMessage
	to.OnMessage = func(c *lineman.Conn, msg []byte) { early(c); heard(c, msg) }
	to.OnConnect = early
	s := linemantest.Start(t, w)
	var all []*linemantest.Client
	for range 10 {
		c := s.Dial(w)
		c.Send("a")
		c.Receive()
		all = append(all, c)
	}
	next, h := handOver(t, s, w, to, func(step string) error {
		if step == "commit" {
			for _, c := range all {
				c.Send("b")
			}
		}
		return nil
	})
	if h.Crossed != len(all) {
		t.Fatalf("%d have crossed: %v, %v", h.Crossed, h.Handed, h.Received)
	}
	for _, c := range all {
		if got := c.Receive(); !strings.HasSuffix(got, " ab") {
			t.Errorf("the answer is %q", got)
		}
	}
	next.Dial(to)
}

// TestHandoverAcceptsNobody has a predecessor accept nobody who comes while it stands still: the successor does, which
// has the same socket of their master.
func TestHandoverAcceptsNobody(t *testing.T) {
	linemantest.NoLeaks(t)
	var before, after diary
	w, to := remembering("text://127.0.0.1:0", &before), remembering("text://127.0.0.1:0", &after)
	s := linemantest.Start(t, w)
	s.Dial(w)
	addr := s.Addr(w).String()
	_, h := handOver(t, s, w, to, func(step string) error {
		if step != "commit" {
			return nil
		}
		late, err := net.Dial("tcp", addr)
		if err == nil {
			t.Cleanup(func() { _ = late.Close() }) // it was reset
		}
		return err
	})
	if h.Crossed != 1 {
		t.Fatalf("%d have crossed: %v, %v", h.Crossed, h.Handed, h.Received)
	}
	s.Do(w, func(*lineman.Loop) {}) // behind what came for the tick
	if n := before.count("OnConnect"); n != 1 {
		t.Errorf("the predecessor has accepted %d who came late", n-1)
	}
}
