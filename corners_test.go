package lineman_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

const plainGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// TestAwaitedInput has a client send without end while its request is with the application: little of it is read.
func TestAwaitedInput(t *testing.T) {
	linemantest.NoLeaks(t)
	conns := make(chan *lineman.Conn, 1)
	w := &lineman.Worker{
		Addr: "http://127.0.0.1:0", Limits: lineman.Limits{Close: second / 20, Shutdown: second / 20}, Logger: quiet,
	}
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) { conns <- c }
	s := linemantest.Start(t, w)
	client := dial(t, s.Addr(w))
	_, _ = io.WriteString(client, plainGet)
	c := next(t, conns, "the request")
	_ = client.SetWriteDeadline(time.Now().Add(2 * second))
	for sent := 0; sent < 256<<20; {
		n, err := client.Write(make([]byte, 64<<10))
		if sent += n; err != nil {
			break // the kernel has no more room: nobody reads
		}
	}
	if in := c.Stats().BytesIn; in > 1<<20 {
		t.Errorf("%d bytes were read", in)
	}
	c.Abort()
}

// TestGoodbyeAtLimit has a limit fall due in the tick in which the application says goodbye: what it has sent arrives.
func TestGoodbyeAtLimit(t *testing.T) {
	linemantest.NoLeaks(t)
	clock := &clock{}
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Limits: lineman.Limits{Idle: 10 * second}, Logger: quiet}
	w.OnMessage = func(c *lineman.Conn, _ []byte) {
		clock.mu.Lock()
		clock.ahead += 11 * second // as if the callback had taken so long
		clock.mu.Unlock()
		_ = c.Send([]byte("bye"))
		_ = c.Close()
	}
	s := linemantest.StartBy(t, func(ctx context.Context, workers ...*lineman.Worker) error {
		return lineman.RunByClock(ctx, clock.now, workers...)
	}, w)
	client := s.Dial(w)
	client.Write("quit\n")
	if rest := client.Rest(); rest != "bye\n" {
		t.Errorf("the peer got %q", rest)
	}
}

// TestFullAnswer has a client take nothing of its answer and ask again: that waits, and the connection ends at
// Limits.KeepAlive.
func TestFullAnswer(t *testing.T) {
	linemantest.NoLeaks(t)
	ends, asked := make(chan error, 1), make(chan bool, 2)
	w := &lineman.Worker{
		Addr: "http://127.0.0.1:0", Limits: lineman.Limits{Close: second, MaxPending: 1 << 16}, Logger: quiet,
	}
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
		_ = c.Respond(&http1.Response{Body: make([]byte, 64<<20)})
		asked <- true
	}
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	s, clock := startByClock(t, w)
	client := dial(t, s.Addr(w))
	_, _ = io.WriteString(client, plainGet+plainGet)
	next(t, asked, "the first request")
	for n := 0; len(ends) == 0 && n < 10; n++ {
		clock.jump(s, w, 61*second)
	}
	if err := next(t, ends, "OnClose"); err != lineman.ErrIdle || len(asked) > 0 {
		t.Errorf("OnClose: %v, and %d further requests", err, len(asked))
	}
}

// TestConnsMoved walks through connections while several at once go to another worker.
func TestConnsMoved(t *testing.T) {
	linemantest.NoLeaks(t)
	game := &lineman.Worker{Name: "game", Logger: quiet}
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet}
	conns := make(chan *lineman.Conn, 8)
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	s := linemantest.Start(t, w)
	var all []*lineman.Conn
	for range 8 {
		s.Dial(w)
		all = append(all, next(t, conns, "the connection"))
	}
	s.Do(w, func(l *lineman.Loop) {
		walked := 0
		for c := range l.Conns(w) {
			walked++
			for _, one := range []*lineman.Conn{c, all[0], all[1], all[2]} {
				if err := one.SetWorker(game); err != nil {
					t.Error(err)
				}
			}
		}
		left, moved := 0, 0
		for range l.Conns(w) {
			left++
		}
		for range l.Conns(game) {
			moved++
		}
		if walked < 5 || left != 0 || moved != 8 {
			t.Errorf("walked through %d; %d are left, %d moved", walked, left, moved)
		}
	})
}

// TestConnAnywhere has what any goroutine may call called beside what the loop does. It is for the race detector.
func TestConnAnywhere(t *testing.T) {
	linemantest.NoLeaks(t)
	other := &lineman.Worker{Name: "other", Protocol: textWithoutHTTP, Logger: quiet}
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet}
	done := make(chan bool, 8)
	w.OnConnect = func(c *lineman.Conn) {
		go func() { _ = c.Send([]byte("hello")); _ = c.RemoteAddr(); done <- true }()
		go func() { _ = c.Close(); <-c.Context().Done(); done <- true }()
		if err := c.SetWorker(other); err != nil {
			t.Error(err)
		}
	}
	other.OnClose = func(c *lineman.Conn, _ error) {
		go func() { <-c.Context().Done(); c.Abort(); done <- true }()
	}
	s := linemantest.Start(t, w)
	for range 20 {
		s.Dial(w).Close()
		for range 3 {
			next(t, done, "the goroutines")
		}
	}
}

// TestListenAgain closes a listener and opens it again in one callback, on the same port.
func TestListenAgain(t *testing.T) {
	for _, scheme := range []string{"text", "text+udp"} {
		t.Run(scheme, func(t *testing.T) {
			linemantest.NoLeaks(t)
			w := &lineman.Worker{Addr: scheme + "://127.0.0.1:0", Logger: quiet}
			s := linemantest.Start(t, w)
			again := &lineman.Worker{Name: "again", Addr: scheme + "://" + s.Addr(w).String(), Logger: quiet}
			s.Do(w, func(l *lineman.Loop) {
				for range 3 {
					if from := l.Listener(w); from != nil {
						from.Close()
					}
					if from := l.Listener(again); from != nil {
						from.Close()
					}
					if _, err := l.Listen(again); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// TestFailedStart has the error of OnStart win over a context that has ended, and nobody served.
func TestFailedStart(t *testing.T) {
	linemantest.NoLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	no := errors.New("no database")
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet}
	w.OnStart = func(*lineman.Loop) error { return no }
	w.OnConnect = func(*lineman.Conn) { t.Error("somebody was served") }
	if err := lineman.Run(ctx, w); !errors.Is(err, no) {
		t.Errorf("Run: %v", err)
	}
}

// TestDoWhileStopping has what Do has accepted run, also at the very end.
func TestDoWhileStopping(t *testing.T) {
	linemantest.NoLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	accepted, ran := 0, 0
	w := &lineman.Worker{Name: "w", Logger: quiet}
	w.OnStart = func(*lineman.Loop) error { cancel(); return nil }
	w.OnStop = func(l *lineman.Loop) {
		if l.Do(func() {
			ran++
			if l.Do(func() { ran++ }) {
				accepted++
			}
		}) {
			accepted++
		}
	}
	if err := lineman.Run(ctx, w); err != nil || ran != accepted || ran == 0 {
		t.Errorf("Do accepted %d, %d ran: %v", accepted, ran, err)
	}
}

// TestEndlessLimits has limits that nobody lives to see be none.
func TestEndlessLimits(t *testing.T) {
	linemantest.NoLeaks(t)
	ends := make(chan error, 1)
	w := &lineman.Worker{
		Addr:   "text://127.0.0.1:0",
		Limits: lineman.Limits{Idle: math.MaxInt64, Message: math.MaxInt64, MaxMessage: math.MaxInt}, Logger: quiet,
	}
	w.OnMessage = echo
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	s, clock := startByClock(t, w)
	client := s.Dial(w)
	client.Write("one\nhalf")
	client.Read(len("one\n"))
	clock.jump(s, w, 24*time.Hour) // each tenth of a second of it is looked at
	client.Write(" a line\n")
	if got := client.Read(len("half a line\n")); got != "half a line\n" || len(ends) > 0 {
		t.Errorf("got %q", got)
	}
}

// TestShutdownForever has a loop wait for the answer that is on its way, whatever it takes.
func TestShutdownForever(t *testing.T) {
	linemantest.NoLeaks(t)
	asked, ends := make(chan *lineman.Conn, 1), make(chan error, 1)
	stopping := make(chan bool, 1)
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Limits: lineman.Limits{Shutdown: -1}, Logger: quiet}
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) { asked <- c }
	w.OnStop = func(*lineman.Loop) { stopping <- true }
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	s, clock := startByClock(t, w)
	client := s.Dial(w)
	client.Write(plainGet)
	c := next(t, asked, "the request")
	go func() { _ = s.Stop() }()
	next(t, stopping, "OnStop")
	clock.jump(s, w, 30*second) // below Limits.Answer
	if err := c.Send([]byte("late")); err != nil {
		t.Error(err)
	}
	if _, body := client.Response(""); body != "late" {
		t.Errorf("%q", body)
	}
	client.Close()
	if err := next(t, ends, "OnClose"); err != nil {
		t.Errorf("OnClose: %v", err)
	}
}

// TestPongForever pings a silent peer again and again where it may stay silent.
func TestPongForever(t *testing.T) {
	linemantest.NoLeaks(t)
	ends := make(chan error, 1)
	w := &lineman.Worker{
		Addr: "websocket://127.0.0.1:0", Protocol: &websocket.Protocol{PingInterval: 10 * second, PongTimeout: -1},
		Logger: quiet,
	}
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	s, clock := startByClock(t, w)
	client := s.Dial(w)
	for range 3 {
		clock.jump(s, w, 11*second)
		if op, _ := client.NextFrame(); op != websocket.Ping {
			t.Errorf("got opcode %v", op)
		}
	}
	if len(ends) > 0 {
		t.Errorf("OnClose: %v", <-ends)
	}
}

// TestAfterNegative has a timer in the past wait for the next tick: it does not keep the loop from its work.
func TestAfterNegative(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet}
	s := linemantest.Start(t, w)
	calls, seen := 0, make(chan int, 1)
	s.Do(w, func(l *lineman.Loop) {
		var again func()
		again = func() {
			if calls++; calls < 100_000 && len(seen) == 0 {
				l.After(-time.Second, again)
			}
		}
		l.After(-time.Second, again)
		l.Do(func() { seen <- calls })
	})
	if n := next(t, seen, "Do"); n > 2 {
		t.Errorf("%d calls before what was asked for next", n)
	}
}

// TestOverlongDatagram has a datagram that is refused take nothing from the next one, of another peer.
func TestOverlongDatagram(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Addr: "text+udp://127.0.0.1:0", Limits: lineman.Limits{MaxMessage: 16}, Logger: quiet}
	got := make(chan string, 4)
	w.OnMessage = func(_ *lineman.Conn, msg []byte) { got <- string(msg) }
	s := linemantest.Start(t, w)
	fmt.Fprint(dial(t, s.Addr(w)), strings.Repeat("0123456789", 4))
	fmt.Fprint(dial(t, s.Addr(w)), "another\n")
	if msg := next(t, got, "the second datagram"); msg != "another" {
		t.Errorf("got %q", msg)
	}
}

// TestHandshakeOver has the limit of a handshake not strike a connection that asks for pages instead.
func TestHandshakeOver(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: quiet}
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) { _ = c.Send([]byte("page")) }
	s, clock := startByClock(t, w)
	client := linemantest.NewClient(t, dial(t, s.Addr(w)).(*net.TCPConn), w)
	for range 5 {
		client.Write(plainGet)
		if r, body := client.Response(""); r.StatusCode != 200 || body != "page" {
			t.Fatalf("%d %q", r.StatusCode, body)
		}
		clock.jump(s, w, 9*second)
	}
}
