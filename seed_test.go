package lineman_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// What follows are the behaviours of listening on a running loop, by their W- numbers.

// TestW20ListenFromAnywhere listens from OnStart, from a timer and from OnMessage.
func TestW20ListenFromAnywhere(t *testing.T) {
	workers := make([]*lineman.Worker, 3)
	for i := range workers {
		workers[i] = named(&lineman.Worker{Addr: "text://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}})
	}
	listen := func(l *lineman.Loop, i int) {
		if _, err := l.Listen(workers[i]); err != nil {
			t.Error(err)
		}
	}
	timer := make(chan struct{})
	outer := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "outer"}
	outer.OnStart = func(l *lineman.Loop) error {
		listen(l, 0)
		l.After(1, func() { listen(l, 1); close(timer) })
		return nil
	}
	outer.OnMessage = func(c *lineman.Conn, _ []byte) {
		listen(c.Loop(), 2)
		_ = c.Send([]byte("done"))
	}
	s := linemantest.Start(t, outer)
	c := s.Dial(outer)
	c.Send("x")
	c.Receive()
	next(t, timer, "the timer")
	for i, w := range workers {
		c := s.Dial(w)
		c.Send("x")
		if got := c.Receive(); got != "x" {
			t.Errorf("worker %d: got %q", i, got)
		}
	}
}

// TestW21NoProcess has the inner worker live on the loop it was opened on: Count and OnStart mean nothing.
func TestW21NoProcess(t *testing.T) {
	inner := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "inner", Count: 7}
	inner.OnStart = func(*lineman.Loop) error {
		t.Error("OnStart of an inner worker was called")
		return errors.New("no")
	}
	loops := make(chan *lineman.Loop, 2)
	inner.OnConnect = func(c *lineman.Conn) { loops <- c.Loop() }
	outer := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "outer"}
	outer.OnStart = func(l *lineman.Loop) error {
		loops <- l
		_, err := l.Listen(inner)
		return err
	}
	s := linemantest.Start(t, outer)
	s.Dial(inner)
	if outer, inner := next(t, loops, "OnStart"), next(t, loops, "OnConnect"); outer != inner || inner.ID() != 0 {
		t.Error("the inner worker's connection is on another loop")
	}
}

// TestW22Shared has the inner callbacks use the outer's connections, and ids come from one counter.
func TestW22Shared(t *testing.T) {
	outer := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Name: "outer"}
	inner := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "inner"}
	ids := map[uint64]bool{} // no lock
	note := func(c *lineman.Conn) {
		if ids[c.ID()] {
			t.Errorf("id %d twice", c.ID())
		}
		ids[c.ID()] = true
	}
	outer.OnConnect = note
	inner.OnConnect = note
	inner.OnMessage = func(c *lineman.Conn, msg []byte) {
		for page := range c.Loop().Conns(outer) {
			_ = page.Send(msg)
		}
	}
	outer.OnStart = func(l *lineman.Loop) error {
		_, err := l.Listen(inner)
		return err
	}
	s := linemantest.Start(t, outer)
	a, b := s.Dial(outer), s.Dial(outer)
	s.Dial(inner).Send("hello")
	if got := a.Receive() + b.Receive(); got != "hellohello" {
		t.Errorf("got %q", got)
	}
	s.Do(outer, func(*lineman.Loop) {
		if len(ids) != 3 {
			t.Errorf("%d ids, want 3", len(ids))
		}
	})
}

// TestW23ListenAgain has a second Listen only resume accepting, and nothing happen without an address.
func TestW23ListenAgain(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	s := linemantest.Start(t, w)
	before := s.Addr(w).String()
	s.Do(w, func(l *lineman.Loop) {
		l.Listener(w).Pause()
		first := l.Listener(w)
		if again, err := l.Listen(w); err != nil || again != first {
			t.Errorf("listening again: %v", err)
		}
		if ln, err := l.Listen(&lineman.Worker{Name: "no address"}); ln != nil || err != nil {
			t.Errorf("without an address: %v, %v", ln, err)
		}
	})
	if after := s.Addr(w).String(); after != before {
		t.Errorf("it listens on %s, before on %s", after, before)
	}
	c := s.Dial(w)
	c.Send("x")
	c.Receive()
}

// TestW26Listed has the inner worker's connections under its own worker, and the totals count both.
func TestW26Listed(t *testing.T) {
	outer := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "outer", Events: lineman.Events{OnMessage: echo}}
	inner := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "inner", Events: lineman.Events{OnMessage: echo}}
	outer.OnStart = func(l *lineman.Loop) error {
		_, err := l.Listen(inner)
		return err
	}
	s := linemantest.Start(t, outer)
	for _, w := range []*lineman.Worker{outer, inner, inner} {
		c := s.Dial(w)
		c.Send("x")
		c.Receive()
	}
	s.Do(outer, func(l *lineman.Loop) {
		st := l.Stats()
		if st.Conns != 3 || st.Accepted != 3 || st.MessagesIn != 3 || st.Listeners != 2 || st.BytesIn != 6 {
			t.Errorf("totals are %+v", st)
		}
		for c := range l.Conns(inner) {
			if c.Worker() != inner || c.Stats().MessagesIn != 1 || c.Stats().BytesOut != 2 {
				t.Errorf("an inner connection: %v, %+v", c.Worker().Name, c.Stats())
			}
		}
	})
}

// TestW27BindFails has a bad address be an error of Listen with the system's words, and the loop live on.
func TestW27BindFails(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	s := linemantest.Start(t, w)
	taken := s.Addr(w).String()
	s.Do(w, func(l *lineman.Loop) {
		for addr, want := range map[string]string{
			"text://" + taken: "in use", "text://192.0.2.1:1": "192.0.2.1",
			"text://no.such.host.invalid:1": "no.such.host.invalid", "text://127.0.0.1:99999": "99999",
			"nonsense": "scheme://",
		} {
			_, err := l.Listen(&lineman.Worker{Addr: addr})
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), addr) {
				t.Errorf("%s: %v", addr, err)
			}
			if want == "in use" && !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("%v does not match EADDRINUSE", err)
			}
		}
	})
	c := s.Dial(w)
	c.Send("alive")
	c.Receive()
}

// TestW28StopOrder has the inner worker told before the outer, its connections closed with OnClose, and OnStart never
// run.
func TestW28StopOrder(t *testing.T) {
	var order []string
	note := func(what string) { order = append(order, what) }
	outer := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "outer", OnStop: func(*lineman.Loop) { note("outer") }}
	inner := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "inner", OnStop: func(*lineman.Loop) { note("inner") }}
	connected := make(chan struct{})
	inner.OnConnect = func(*lineman.Conn) { close(connected) }
	inner.OnClose = func(_ *lineman.Conn, err error) {
		note("close")
		if err != nil {
			t.Errorf("OnClose: %v", err)
		}
	}
	outer.OnStart = func(l *lineman.Loop) error {
		_, err := l.Listen(inner)
		return err
	}
	s := linemantest.Start(t, outer)
	c := s.Dial(inner)
	next(t, connected, "the connection")
	stopped := make(chan error)
	go func() { stopped <- s.Stop() }()
	if err := c.Ended(); err != nil {
		t.Error(err)
	}
	c.Close()
	if err := next(t, stopped, "the end"); err != nil {
		t.Error(err)
	}
	if got := strings.Join(order, " "); got != "inner outer close" {
		t.Errorf("order was %s", got)
	}
}

// TestW29Push is the push program: pages say their uid, a backend writes a line, the pages of that uid have it.
func TestW29Push(t *testing.T) {
	s, pages, backends := startPush(t)
	page := func(uid string) *linemantest.Client {
		c := s.Dial(pages)
		c.Send(uid)
		c.Send("ping") // a later frame is ignored
		s.Do(pages, func(*lineman.Loop) {})
		return c
	}
	a1, a2, b := page("uid1"), page("uid1"), page("uid2")
	waitForConns(t, s, pages, 3)
	backend := s.Dial(backends)
	push := func(line, want string) {
		t.Helper()
		backend.Send(line)
		if got := backend.Receive(); got != want {
			t.Errorf("%s: answer %q, want %q", line, got, want)
		}
	}
	line := `{"uid":"uid1", "percent":"88%", "é":"\u00e9 "}`
	push(line, "ok")
	push(`{"uid":"uid3","percent":"1%"}`, "fail")
	push(`{"uid":"uid2","percent":"2%"}`, "ok")
	for _, c := range []*linemantest.Client{a1, a2} {
		if got := c.Receive(); got != line || c.Binary() {
			t.Errorf("the page got %q, want exactly %q as text", got, line)
		}
	}
	if got := b.Receive(); got != `{"uid":"uid2","percent":"2%"}` {
		t.Errorf("the other page got %q", got)
	}
	a1.Close()
	waitForConns(t, s, pages, 2)
	push(line, "ok")
	if got := a2.Receive(); got != line {
		t.Errorf("the page that is left got %q", got)
	}
	a2.Close()
	waitForConns(t, s, pages, 1)
	push(line, "fail")
}

// startPush runs the seed's program in small.
func startPush(t *testing.T) (s *linemantest.Server, pages, backends *lineman.Worker) {
	uids := map[string]map[*lineman.Conn]bool{}
	pages = &lineman.Worker{Addr: "websocket://127.0.0.1:0", Name: "pages"}
	pages.OnMessage = func(c *lineman.Conn, msg []byte) {
		if c.Value() != nil {
			return
		}
		uid := string(msg)
		c.SetValue(uid)
		if uids[uid] == nil {
			uids[uid] = map[*lineman.Conn]bool{}
		}
		uids[uid][c] = true
	}
	pages.OnClose = func(c *lineman.Conn, _ error) {
		if uid, ok := c.Value().(string); ok {
			if delete(uids[uid], c); len(uids[uid]) == 0 {
				delete(uids, uid)
			}
		}
	}
	backends = &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "backends"}
	backends.OnMessage = func(c *lineman.Conn, line []byte) {
		var m struct{ UID string }
		answer := "fail"
		if err := json.Unmarshal(line, &m); err == nil {
			for page := range uids[m.UID] {
				if page.Send(line) == nil {
					answer = "ok"
				}
			}
		}
		_ = c.Send([]byte(answer))
	}
	pages.OnStart = func(l *lineman.Loop) error {
		_, err := l.Listen(backends)
		return err
	}
	return linemantest.Start(t, pages), pages, backends
}

// waitForConns returns when w has so many connections that have said their uid.
func waitForConns(t *testing.T, s *linemantest.Server, w *lineman.Worker, want int) {
	t.Helper()
	linemantest.Until(t, fmt.Sprintf("there are not %d connections with a uid", want), func() bool {
		got := 0
		s.Do(w, func(l *lineman.Loop) {
			for c := range l.Conns(w) {
				if c.Value() != nil {
					got++
				}
			}
		})
		return got == want
	})
}

// TestConnIDs has ids grow and never come again.
func TestConnIDs(t *testing.T) {
	ids := make(chan uint64, 1)
	w := &lineman.Worker{Addr: "tcp://127.0.0.1:0"}
	w.OnConnect = func(c *lineman.Conn) { ids <- c.ID() }
	s := linemantest.Start(t, w)
	last := uint64(0)
	for range 20 {
		c, err := net.Dial("tcp", s.Addr(w).String())
		if err != nil {
			t.Fatal(err)
		}
		id := next(t, ids, "a connection")
		c.Close()
		if id <= last {
			t.Fatalf("id %d after %d", id, last)
		}
		last = id
	}
}
