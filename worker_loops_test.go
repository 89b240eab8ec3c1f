package lineman_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// sites notes what each loop of a worker has.
type sites struct {
	mu    sync.Mutex // guards the following
	conns map[int]int
}

func (s *sites) add(loop, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		s.conns = make(map[int]int)
	}
	s.conns[loop] += n
}

func (s *sites) counts() map[int]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[int]int)
	for loop, n := range s.conns {
		all[loop] = n
	}
	return all
}

// onLoops is a worker that echoes, and notes where its connections are. Each loop has variables of its own.
func onLoops(loops int, at *sites) *lineman.Worker {
	return &lineman.Worker{Addr: "text://127.0.0.1:0", Loops: loops, PerLoop: func(w *lineman.Worker) {
		said := make(map[*lineman.Conn]int) // without a lock: the race detector watches
		w.OnConnect = func(c *lineman.Conn) { at.add(c.Loop().Index(), 1); said[c] = 0 }
		w.OnClose = func(c *lineman.Conn, _ error) { at.add(c.Loop().Index(), -1); delete(said, c) }
		w.OnMessage = func(c *lineman.Conn, msg []byte) {
			said[c]++
			_ = c.Send(fmt.Appendf(nil, "%d %s %d of %d", c.Loop().Index(), msg, said[c], len(said)))
		}
	}}
}

// TestLoopsShareOut has each loop get as many connections as the others, and again after some have gone.
func TestLoopsShareOut(t *testing.T) {
	const loops, each = 4, 12
	var at sites
	w := onLoops(loops, &at)
	s := linemantest.Start(t, w)
	clients := make(map[string][]*linemantest.Client)
	dial := func() {
		c := s.Dial(w)
		c.Send("hello")
		loop, _, _ := strings.Cut(c.Receive(), " ")
		clients[loop] = append(clients[loop], c)
	}
	for range loops * each {
		dial()
	}
	even := map[int]int{0: each, 1: each, 2: each, 3: each}
	if got := at.counts(); fmt.Sprint(got) != fmt.Sprint(even) {
		t.Errorf("connections of the loops: %v, want %v", got, even)
	}
	for _, c := range clients["2"][:each/2] {
		c.Close()
	}
	linemantest.Until(t, "connections have not gone", func() bool { return at.counts()[2] == each/2 })
	for range each / 2 {
		dial()
	}
	if got := at.counts(); fmt.Sprint(got) != fmt.Sprint(even) {
		t.Errorf("after some have gone: %v, want %v", got, even)
	}
}

// TestLoopsApart has a loop that stands still hold up no other.
func TestLoopsApart(t *testing.T) {
	var at sites
	w := onLoops(2, &at)
	s := linemantest.Start(t, w)
	one, two := s.Dial(w), s.Dial(w)
	one.Send("x")
	two.Send("x")
	where := map[bool]*linemantest.Client{strings.HasPrefix(one.Receive(), "0"): one}
	where[strings.HasPrefix(two.Receive(), "0")] = two
	blocked, free := make(chan struct{}), make(chan struct{})
	go s.Do(w, func(*lineman.Loop) {
		close(blocked)
		<-free
	})
	<-blocked
	where[false].Send("y")
	if got := where[false].Receive(); got != "1 y 2 of 1" {
		t.Errorf("beside a loop that stands still: %q", got)
	}
	close(free)
}

// TestLoopsListenWithin has each loop listen for another worker, on one socket, as long as one of them does.
func TestLoopsListenWithin(t *testing.T) {
	var inner []*lineman.Worker
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Loops: 3, PerLoop: func(w *lineman.Worker) {
		own := &lineman.Worker{Name: "inner", Addr: "text://127.0.0.1:0"}
		own.OnMessage = func(c *lineman.Conn, _ []byte) { _ = c.Send(fmt.Append(nil, c.Loop().Index())) }
		inner = append(inner, own) // for one loop after the other
		w.OnStart = func(l *lineman.Loop) error {
			_, err := l.Listen(own)
			return err
		}
	}}
	s := linemantest.Start(t, w)
	if a, b := s.Addr(inner[0]).String(), s.Addr(inner[2]).String(); a != b {
		t.Fatalf("the loops listen on %s and %s", a, b)
	}
	ask := func() string {
		c := s.Dial(inner[1]) // and stays: the others have fewer
		c.Send("?")
		return c.Receive()
	}
	s.Do(inner[0], func(l *lineman.Loop) { l.Listener(inner[0]).Close() })
	s.Do(inner[2], func(l *lineman.Loop) {
		if portable() { // it takes a connection ahead, though it is paused
			l.Listener(inner[2]).Close()
		} else {
			l.Listener(inner[2]).Pause()
		}
	})
	for range 8 {
		if got := ask(); got != "1" {
			t.Errorf("loop %s has it, which does not accept", got)
		}
	}
}

// TestLoopsEndTogether has a loop without connections stay as long as another one drains.
func TestLoopsEndTogether(t *testing.T) {
	var gone atomic.Int64
	loops := make(chan *lineman.Loop, 2)
	w := &lineman.Worker{
		Addr: "text://127.0.0.1:0", Loops: 2, Limits: lineman.Limits{Drain: patience},
		PerLoop: func(w *lineman.Worker) {
			w.OnStart = func(l *lineman.Loop) error { loops <- l; return nil }
			w.OnConnect = func(c *lineman.Conn) { _ = c.Send([]byte("hello")) }
			w.OnClose = func(*lineman.Conn, error) { gone.Add(1) }
		},
	}
	s := linemantest.Start(t, w)
	all := []*lineman.Loop{next(t, loops, "a loop"), next(t, loops, "a loop")}
	c := s.Dial(w)
	c.Receive()
	ended := make(chan error, 1)
	go func() { ended <- s.Stop() }()
	for _, l := range all {
		<-l.Context().Done()
	}
	for range 20 {
		for _, l := range all {
			if _, err := lineman.Ask(t.Context(), l, func() int { return l.Stats().Conns }); err != nil {
				t.Fatalf("loop %d has ended before the other: %v", l.Index(), err)
			}
		}
	}
	c.Close()
	began := time.Now()
	if err := next(t, ended, "the end"); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > patience/2 || gone.Load() != 1 {
		t.Errorf("ended after %v, with %d connections closed", took, gone.Load())
	}
}

// TestLoopsWrong has descriptions be refused that would share what must not be shared.
func TestLoopsWrong(t *testing.T) {
	perLoop := func(*lineman.Worker) {}
	for want, w := range map[string]*lineman.Worker{
		"share the variables":  {Addr: "text://127.0.0.1:0", Loops: 2},
		"Loops is -1":          {Addr: "text://127.0.0.1:0", Loops: -1},
		"datagrams":            {Addr: "udp://127.0.0.1:0", Loops: 2, PerLoop: perLoop},
		"callbacks beside":     {Addr: "text://127.0.0.1:0", PerLoop: perLoop, Events: lineman.Events{OnMessage: echo}},
		"PerLoop has changed":  {Addr: "text://127.0.0.1:0", PerLoop: func(w *lineman.Worker) { w.Count = 7 }},
		"panic in PerLoop: no": {Addr: "text://127.0.0.1:0", PerLoop: func(*lineman.Worker) { panic("no") }},
	} {
		if err := lineman.Run(t.Context(), w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	outer := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	outer.OnStart = func(l *lineman.Loop) error {
		_, err := l.Listen(&lineman.Worker{Name: "in", Addr: "text://127.0.0.1:0", Loops: 2, PerLoop: perLoop})
		return err
	}
	if err := lineman.Run(t.Context(), outer); err == nil || !strings.Contains(err.Error(), "Main and Run") {
		t.Errorf("Listen with Loops: %v", err)
	}
}

// TestLoopsStart has one loop start after the other.
func TestLoopsStart(t *testing.T) {
	started := make([]chan bool, 3)
	for i := range started {
		started[i] = make(chan bool)
	}
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Loops: len(started), PerLoop: func(w *lineman.Worker) {
		w.OnStart = func(l *lineman.Loop) error {
			for _, later := range started[l.Index()+1:] {
				select {
				case <-later:
					t.Errorf("a later loop starts before loop %d", l.Index())
				case <-time.After(20 * time.Millisecond): // it would have by now
				}
			}
			close(started[l.Index()])
			return nil
		}
	}}
	linemantest.Start(t, w)
	for _, c := range started {
		next(t, c, "a start")
	}
}

// TestLoopsFail has no loop serve when one does not start.
func TestLoopsFail(t *testing.T) {
	no := errors.New("not this one")
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Loops: 3, PerLoop: func(w *lineman.Worker) {
		w.OnStart = func(l *lineman.Loop) error {
			if l.Index() == 1 {
				return no
			}
			return nil
		}
	}}
	if err := lineman.Run(context.Background(), w); !errors.Is(err, no) {
		t.Errorf("error %v, want %v", err, no)
	}
}

// TestBus has each loop get what all publish, in the same order, whatever panics.
func TestBus(t *testing.T) {
	const publishers, values = 4, 250
	var bus lineman.Bus[string]
	got := make([][]string, 3)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Loops: len(got), PerLoop: func(w *lineman.Worker) {
		w.OnStart = func(l *lineman.Loop) error {
			bus.Join(l, func(v string) {
				got[l.Index()] = append(got[l.Index()], v)
				if v == "0 7" {
					panic("in a receiver")
				}
			})
			return nil
		}
	}}
	s := linemantest.Start(t, w)
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for i := range values {
				bus.Publish(fmt.Sprint(p, " ", i))
			}
		})
	}
	all.Wait()
	lists := make(chan []string, len(got))
	s.DoEach(w, func(l *lineman.Loop) { lists <- got[l.Index()] }) // after what was published before
	first := <-lists
	if len(first) != publishers*values {
		t.Errorf("%d values came, want %d", len(first), publishers*values)
	}
	for range len(got) - 1 {
		if other := <-lists; !slices.Equal(first, other) {
			t.Error("two loops got them in another order")
		}
	}
}

// TestBusKeepsNothing has neither a loop that has received what was published keep it, nor one that has ended.
func TestBusKeepsNothing(t *testing.T) {
	var bus lineman.Bus[*[100]int]
	received := make(chan bool, 1)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnStart = func(l *lineman.Loop) error {
		bus.Join(l, func(*[100]int) { received <- true })
		return nil
	}
	s := linemantest.Start(t, w)
	publish := func() weak.Pointer[[100]int] {
		value := new([100]int)
		bus.Publish(value)
		return weak.Make(value)
	}
	gone := func(p weak.Pointer[[100]int]) bool {
		runtime.GC()
		return p.Value() == nil
	}
	first := publish()
	next(t, received, "the value")
	linemantest.Until(t, "what was received is kept", func() bool { return gone(first) })
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if !gone(publish()) {
			t.Fatal("what no loop receives is kept")
		}
	}
}

func BenchmarkBus(b *testing.B) {
	var bus lineman.Bus[int]
	received := make(chan int, 1)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnStart = func(l *lineman.Loop) error {
		bus.Join(l, func(v int) {
			if v == 0 {
				received <- v
			}
		})
		return nil
	}
	linemantest.Start(b, w)
	b.ReportAllocs()
	for i := range b.N {
		bus.Publish(b.N - 1 - i)
	}
	<-received
}
