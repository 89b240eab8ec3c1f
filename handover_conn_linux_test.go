package lineman_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestHandoverHalf has what is half received go on where it was.
func TestHandoverHalf(t *testing.T) {
	for name, tt := range map[string]struct{ scheme, first, rest, want string }{
		"line":         {"text", "first\nhalf a ", "line\n", " firsthalf a line"},
		"two lines":    {"text", "first\nhalf a ", "line\nb\n", " firsthalf a line"},
		"frame":        {"frame", "\x00\x00\x00\x06ab\x00\x00\x00\x06c", "d", " abcd"},
		"frame's size": {"frame", "\x00\x00\x00\x06ab\x00\x00", "\x00\x06cd", " abcd"},
	} {
		t.Run(name, func(t *testing.T) {
			var d diary
			w, to := remembering(tt.scheme+"://127.0.0.1:0", &d), remembering(tt.scheme+"://127.0.0.1:0", &d)
			s := linemantest.Start(t, w)
			c := s.Dial(w)
			c.Write(tt.first)
			c.Receive()
			waitForBytesIn(t, s, w, uint64(len(tt.first)))
			allCross(t, s, w, to)
			c.Write(tt.rest)
			if got := c.Receive(); !strings.HasSuffix(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestHandoverFragments has a WebSocket's message in fragments go on, in the midst of a frame too.
func TestHandoverFragments(t *testing.T) {
	var d diary
	w, to := remembering("websocket://127.0.0.1:0", &d), remembering("websocket://127.0.0.1:0", &d)
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Frame(false, websocket.Text, "one ")
	c.Frame(false, websocket.Continuation, "two ")
	c.Frame(true, websocket.Ping, "are you there")
	if op, said := c.NextFrame(); op != websocket.Pong || said != "are you there" {
		t.Fatalf("%v %q", op, said)
	}
	allCross(t, s, w, to)
	c.Frame(true, websocket.Continuation, "three")
	if got := c.Receive(); !strings.HasSuffix(got, " one two three") {
		t.Errorf("%q", got)
	}
}

// TestHandoverStalled has the queue of a peer that does not read cross: nothing is lost or doubled, Send refuses as
// before, and OnDrain tells when all is written.
func TestHandoverStalled(t *testing.T) {
	needsNative(t)
	var d diary
	limits := lineman.Limits{MaxPending: 1 << 20}
	w, to := remembering("tcp://127.0.0.1:0", &d), remembering("tcp://127.0.0.1:0", &d)
	w.Limits, to.Limits = limits, limits
	conns := accepted(w)
	s := linemantest.Start(t, w)
	drained := make(chan struct{}, 1)
	to.OnDrain = func(*lineman.Conn) { drained <- struct{}{} }
	w.OnDrain = func(*lineman.Conn) { t.Error("OnDrain in the predecessor") }
	crossed := restored(to)
	restore := to.Restore
	to.Restore = func(c *lineman.Conn, value []byte) error {
		if err := c.Send([]byte("more")); !errors.Is(err, lineman.ErrFull) { // before the kernel is asked again
			t.Errorf("%v, want that it is full", err)
		}
		return restore(c, value)
	}
	client := s.Dial(w)
	c := next(t, conns, "a connection")
	var sent bytes.Buffer
	for n, refused := 0, 0; refused < 10; n++ { // also when the loop has written what the kernel takes
		msg := bytes.Repeat([]byte{byte(n)}, 20_000+n)
		if err := c.Send(msg); errors.Is(err, lineman.ErrFull) {
			refused++
			s.Do(w, func(*lineman.Loop) {})
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		refused = 0
		sent.Write(msg)
	}
	allCross(t, s, w, to)
	other := next(t, crossed, "the connection")
	if got := client.Read(sent.Len()); got != sent.String() {
		t.Error("what was sent has not come as it was")
	}
	next(t, drained, "OnDrain")
	if err := other.Send([]byte("after")); err != nil {
		t.Error(err)
	}
}

// TestHandoverPaused has a connection stay paused, with the messages that wait.
func TestHandoverPaused(t *testing.T) {
	var d diary
	w, to := remembering("text://127.0.0.1:0", &d), remembering("text://127.0.0.1:0", &d)
	w.OnMessage = func(c *lineman.Conn, _ []byte) { c.Pause() }
	crossed := restored(to)
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("pause\na\nb\nhalf ")
	waitForBytesIn(t, s, w, 15)
	following := allCross(t, s, w, to)
	c.Write("a line\n")
	other := next(t, crossed, "the connection")
	following.Do(to, func(*lineman.Loop) {})
	if n := other.Stats().MessagesOut; n != 0 {
		t.Errorf("%d messages were answered while it was paused", n)
	}
	following.Do(to, func(*lineman.Loop) { other.Resume() })
	for _, want := range []string{" a", " ab", " abhalf a line"} {
		if got := c.Receive(); !strings.HasSuffix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestHandoverHeld has a connection that is held outlast the end of its peer's stream.
func TestHandoverHeld(t *testing.T) {
	var d diary
	w, to := remembering("text://127.0.0.1:0", &d), remembering("text://127.0.0.1:0", &d)
	w.OnMessage = func(c *lineman.Conn, _ []byte) { c.Hold() }
	crossed := restored(to)
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Send("hold")
	waitForBytesIn(t, s, w, 5)
	c.CloseWrite()
	following := allCross(t, s, w, to)
	other := next(t, crossed, "the connection")
	following.Do(to, func(*lineman.Loop) {
		if err := other.Send([]byte("answer")); err != nil {
			t.Error(err)
		}
		other.Release()
	})
	if got := c.Receive(); got != "answer" {
		t.Errorf("%q", got)
	}
	if err := c.Ended(); err != nil {
		t.Error(err)
	}
}

// TestHandoverTail has a goroutine send while the connection crosses: before its record and after it, each message
// comes once, and in order.
func TestHandoverTail(t *testing.T) {
	for _, scheme := range []string{"tcp", "text", "websocket"} {
		t.Run(scheme, func(t *testing.T) {
			var before, after diary
			w, to := remembering(scheme+"://127.0.0.1:0", &before), remembering(scheme+"://127.0.0.1:0", &after)
			conns, crossed := accepted(w), restored(to)
			s := linemantest.Start(t, w)
			client := s.Dial(w)
			c := next(t, conns, "a connection")
			ctx := c.Context()
			big := strings.Repeat("b", 100_000) // is written at once where it may be
			_, h := handOver(t, s, w, to, func(step string) error {
				switch step {
				case "states":
					return c.Send([]byte("before its record"))
				case "records":
					return c.Send([]byte("after its record"))
				case "commit":
					return c.Send([]byte(big))
				case "committed":
					if err := c.Send([]byte("too late")); !errors.Is(err, net.ErrClosed) {
						t.Errorf("%v, want that it is closed", err)
					}
				}
				return nil
			})
			if h.Crossed != 1 {
				t.Fatalf("%v stayed: %v, %v", h.Stayed, h.Handed, h.Received)
			}
			if ctx.Err() == nil || c.Send(nil) == nil || c.Connected() || c.Do(func() {}) || c.LocalAddr() != nil {
				t.Error("it is not closed in the predecessor")
			}
			other := next(t, crossed, "the connection")
			if err := other.Send([]byte("from the successor")); err != nil {
				t.Error(err)
			}
			want := []string{"before its record", "after its record", big, "from the successor"}
			if scheme == "tcp" {
				all := strings.Join(want, "")
				if got := client.Read(len(all)); got != all {
					t.Errorf("%d bytes that are others", len(got))
				}
				return
			}
			for _, one := range want {
				if got := client.Receive(); got != one {
					t.Errorf("%.30q, want %.30q", got, one)
				}
			}
		})
	}
}

// TestHandoverKeeps has what happens to a connection after its record keep it where it is.
func TestHandoverKeeps(t *testing.T) {
	var before, after diary
	w, to := remembering("text://127.0.0.1:0", &before), remembering("text://127.0.0.1:0", &after)
	ended := make(chan error, 2)
	to.OnClose = func(_ *lineman.Conn, err error) { ended <- err }
	conns := accepted(w)
	s := linemantest.Start(t, w)
	client, other := s.Dial(w), s.Dial(w)
	c := next(t, conns, "a connection")
	next(t, conns, "another one")
	_, h := handOver(t, s, w, to, func(step string) error {
		if step != "commit" {
			return nil
		}
		_ = c.Send([]byte("the last words"))
		return c.Close()
	})
	if h.Crossed != 1 || len(h.Stayed) != 1 {
		t.Fatalf("%d crossed, %v stayed: %v, %v", h.Crossed, h.Stayed, h.Handed, h.Received)
	}
	if got := client.Receive(); got != "the last words" {
		t.Errorf("%q", got)
	}
	if err := client.Ended(); err != nil {
		t.Error(err)
	}
	if err := next(t, ended, "OnClose in the successor"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the successor has %v", err)
	}
	client.Close()
	linemantest.Until(t, "OnClose does not come in the predecessor", func() bool { return before.count("OnGone") == 1 })
	other.Send("a")
	other.Receive()
}

// TestHandoverStream has the answer to a request, which goes on, cross; and stay if it ends while it crosses.
func TestHandoverStream(t *testing.T) {
	for _, ends := range []bool{false, true} {
		t.Run(fmt.Sprintf("ends %v", ends), func(t *testing.T) {
			worker := func(who string) (*lineman.Worker, chan *lineman.Conn) {
				w := &lineman.Worker{Addr: "http://127.0.0.1:0", Name: "service"}
				asked := make(chan *lineman.Conn, 2)
				w.Save, w.Restore = saveNothing, restoreNothing
				w.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
					_ = c.Respond(&http1.Response{Body: []byte(who), Stream: true})
					asked <- c
				}
				return w, asked
			}
			w, asked := worker("old")
			to, askedAgain := worker("new")
			crossed := restored(to)
			s := linemantest.Start(t, w)
			client := s.Connect(w)
			const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
			client.Write(request)
			c := next(t, asked, "a request")
			_, h := handOver(t, s, w, to, func(step string) error {
				if step == "commit" && ends {
					return c.EndStream()
				}
				return nil
			})
			if h.Handed != nil || (h.Crossed == 1) == ends {
				t.Fatalf("%d crossed, %v stayed: %v, %v", h.Crossed, h.Stayed, h.Handed, h.Received)
			}
			want := "old"
			if !ends {
				c = next(t, crossed, "the connection")
				asked, want = askedAgain, "old, and more"
				if err := errors.Join(c.Send([]byte(", and more")), c.EndStream()); err != nil {
					t.Error(err)
				}
			}
			if _, body := client.Response("GET"); body != want {
				t.Errorf("%q, want %q", body, want)
			}
			client.Write(request)
			if err := next(t, asked, "another request").EndStream(); err != nil {
				t.Error(err)
			}
			if _, body := client.Response("GET"); (body == "old") != ends {
				t.Errorf("the next request is answered by %q", body)
			}
		})
	}
}

// TestHandoverLimits has limits that are running go on.
func TestHandoverLimits(t *testing.T) {
	for _, tt := range []struct {
		name, said string
		limits     lineman.Limits
		want       error
	}{
		{"idle", "", lineman.Limits{Idle: 20 * time.Second}, lineman.ErrIdle},
		{"message", "half a line", lineman.Limits{Message: 20 * time.Second}, lineman.ErrTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d diary
			w, to := remembering("text://127.0.0.1:0", &d), remembering("text://127.0.0.1:0", &d)
			w.Limits, to.Limits = tt.limits, tt.limits
			ended := make(chan error, 1)
			to.OnClose = func(_ *lineman.Conn, err error) { ended <- err }
			s, own := startByClock(t, w)
			c := s.Dial(w)
			c.Send("a")
			c.Receive()
			c.Write(tt.said)
			waitForBytesIn(t, s, w, uint64(2+len(tt.said)))
			own.jump(s, w, 15*second)
			var others clock
			following := handOverBy(t, &lineman.Handover{Clock: others.now}, s, w, to)
			others.jump(following, to, 4*second)
			select {
			case err := <-ended:
				t.Fatalf("it has ended too early: %v", err)
			default:
			}
			others.jump(following, to, 2*second)
			c.Close()
			if err := next(t, ended, "the limit"); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}
