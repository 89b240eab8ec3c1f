package lineman_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/frame"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/text"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// largeText is n bytes of text whose pieces are told apart, with characters that a piece may cut.
func largeText(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d – ", i)
	}
	return strings.ToValidUTF8(b.String()[:n], "?")
}

// largeWires are the ways in which a large message goes over the wire to a server.
var largeWires = []struct {
	name, scheme string
	wire         func(msg string) string
}{
	{"line", "text", func(msg string) string { return appended(text.Protocol{}.NewCodec(1<<30).Append, msg) }},
	{"frame", "frame", func(msg string) string { return appended(frame.Protocol{}.NewCodec(1<<30).Append, msg) }},
	{"websocket", "websocket", func(msg string) string {
		return appended(websocket.NewClientCodec(1<<30, websocket.Accepted{}).Append, msg)
	}},
	{"websocket in fragments", "websocket", func(msg string) string { return fragmented(msg, 50_000) }},
	{"body", "http", func(msg string) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(msg), msg)
	}},
	{"chunks", "http", func(msg string) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+
			"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", 10, msg[:10], len(msg)-10, msg[10:])
	}},
}

// fragmented is a text of frames that hold n bytes, masked with zeros.
func fragmented(msg string, n int) string {
	var wire []byte
	headers := websocket.NewServerCodec(n, websocket.Accepted{})
	for i := 0; i < len(msg); i += n {
		piece := []byte(msg[i:min(i+n, len(msg))])
		header, _, _ := headers.AppendHeader(nil, websocket.Binary, piece) // binary is always fit for one
		if header[0], header[1] = 0, header[1]|0x80; i == 0 {
			header[0] = byte(websocket.Text)
		}
		if i+n >= len(msg) {
			header[0] |= 0x80
		}
		wire = append(append(append(wire, header...), 0, 0, 0, 0), piece...)
	}
	return string(wire)
}

func appended(encode func(dst, msg []byte) ([]byte, error), msg string) string {
	wire, err := encode(nil, []byte(msg))
	if err != nil {
		panic(err)
	}
	return string(wire)
}

// answerOf is the next message of a server, or the body of its answer.
func answerOf(c *linemantest.Client, scheme string) string {
	if scheme == "http" {
		_, body := c.Response("POST")
		return body
	}
	return c.Receive()
}

// TestLargeSplit has large messages echoed that are cut in two where anything changes: in what frames them, where the
// loop's memory ends, and that of the pool.
func TestLargeSplit(t *testing.T) {
	for _, p := range largeWires {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			w := &lineman.Worker{Addr: p.scheme + "://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
			s := linemantest.Start(t, w)
			c := s.Dial(w)
			msg := largeText(150_000)
			wire := p.wire(msg)
			var cuts []int
			for _, at := range []int{
				10, 32 << 10, 50_000, 64 << 10, 68 << 10, 72 << 10, 100_000, 136 << 10, len(wire) - 10,
			} {
				for cut := at - 9; cut < at+9; cut++ {
					cuts = append(cuts, cut)
				}
			}
			for _, cut := range cuts {
				c.Write(wire[:cut])
				untilRead(t, s, w, c.Written())
				c.Write(wire[cut:])
				if got := answerOf(c, p.scheme); got != msg {
					t.Fatalf("cut at %d: %d bytes came back, want %d, or they are others", cut, len(got), len(msg))
				}
			}
		})
	}
}

// untilRead waits until the loop has read so many bytes.
func untilRead(t *testing.T, s *linemantest.Server, w *lineman.Worker, n uint64) {
	t.Helper()
	linemantest.Until(t, "the loop has not read what was sent", func() (read bool) {
		s.Do(w, func(l *lineman.Loop) { read = l.Stats().BytesIn >= n })
		return read
	})
}

// TestLargeSizes has messages of all sizes echoed, each followed at once by a small one.
func TestLargeSizes(t *testing.T) {
	for _, p := range largeWires {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			w := &lineman.Worker{Addr: p.scheme + "://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
			w.Limits.MaxPending = 16 << 20 // over package net, what is on its way counts
			c := linemantest.Start(t, w).Dial(w)
			for _, n := range []int{
				1 << 10, 32 << 10, 64<<10 - 14, 64 << 10, 64<<10 + 1, 68<<10 - 14, 68 << 10, 72 << 10,
				136 << 10, 256 << 10, 1_000_000, 1 << 20, 3 << 20,
			} {
				msg := largeText(n)
				c.Write(p.wire(msg) + p.wire("a small message"))
				if got := answerOf(c, p.scheme); got != msg {
					t.Errorf("%d bytes came back of %d, or others", len(got), n)
				}
				if got := answerOf(c, p.scheme); got != "a small message" {
					t.Fatalf("after %d bytes: %.40q", n, got)
				}
			}
		})
	}
}

// TestLargeUnread has a peer read nothing for a while: what the kernel refused has been copied when Send returns, in
// order with what is sent before and after, from any goroutine.
func TestLargeUnread(t *testing.T) {
	for _, scheme := range []string{"tcp", "text", "frame", "websocket"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			conns := make(chan *lineman.Conn, 1)
			w := &lineman.Worker{Addr: scheme + "://127.0.0.1:0", Limits: lineman.Limits{MaxPending: 1 << 30}}
			w.OnConnect = func(c *lineman.Conn) { conns <- c }
			client := linemantest.Start(t, w).Dial(w)
			c := next(t, conns, "the connection")
			var want []string
			buf := make([]byte, 0, 3<<20)
			for i, n := range []int{10, 64 << 10, 1 << 20, 20, 3 << 20, 100_000, 30, 2 << 20, 5} {
				msg := fmt.Sprint(i) + strings.Repeat("–", n/3)
				buf = append(buf[:0], msg...)
				if err := c.Send(buf); err != nil {
					t.Fatal(err)
				}
				clear(buf)
				want = append(want, msg)
			}
			if scheme == "tcp" {
				whole := strings.Join(want, "")
				if got := client.Read(len(whole)); got != whole {
					t.Error("other bytes came")
				}
				return
			}
			for i, msg := range want {
				if got := client.Receive(); got != msg {
					t.Fatalf("message %d: %d bytes came, want %d, or others", i, len(got), len(msg))
				}
			}
		})
	}
}

// TestLargeAnswers has answers with large bodies arrive as small ones do: whole, or without the body where none is due.
func TestLargeAnswers(t *testing.T) {
	msg := largeText(1 << 20)
	w := &lineman.Worker{Addr: "http://127.0.0.1:0"}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		path := string(r.Path())
		answer := &http1.Response{Body: []byte(msg), Type: "text/x", Stream: path == "/stream"}
		switch path {
		case "/204":
			answer.Status = 204
		case "/500":
			answer.Status, answer.Close = 500, true
		}
		if err := c.Respond(answer); err != nil {
			t.Error(err)
		}
		clear(answer.Body)
		if err := c.Respond(answer); !answer.Stream && err == nil {
			t.Error("a second answer was accepted")
		}
		if answer.Stream {
			more := []byte(msg)
			if err := c.Send(more); err != nil {
				t.Error(err)
			}
			clear(more)
			_ = c.EndStream()
		}
	}
	c := linemantest.Start(t, w).Dial(w)
	for _, x := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", 200, msg}, {"HEAD", "/", 200, ""}, {"GET", "/204", 204, ""}, {"GET", "/stream", 200, msg + msg},
		{"GET", "/500", 500, msg},
	} {
		c.Write(x.method + " " + x.path + " HTTP/1.1\r\nHost: x\r\n\r\n")
		r, body := c.Response(x.method)
		if r.StatusCode != x.status || body != x.body {
			t.Errorf("%s %s: %d with %d bytes, want %d with %d", x.method, x.path, r.StatusCode, len(body), x.status,
				len(x.body))
		}
		if x.status == 200 && r.Header.Get("Content-Type") != "text/x" {
			t.Errorf("%s %s: %v", x.method, x.path, r.Header)
		}
	}
	if rest := c.Rest(); rest != "" {
		t.Errorf("%d bytes come behind the last answer", len(rest))
	}
}

// TestLargeSenders has several goroutines and the loop send large messages at once: each arrives whole.
func TestLargeSenders(t *testing.T) {
	const senders, each = 4, 20
	conns := make(chan *lineman.Conn, 1)
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Limits: lineman.Limits{MaxPending: 1 << 30}}
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	w.OnMessage = echo
	client := linemantest.Start(t, w).Dial(w)
	c := next(t, conns, "the connection")
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			buf := make([]byte, 0, 300<<10)
			for j := range each {
				buf = append(buf[:0], strings.Repeat(string(rune('a'+i)), 60<<10+j*10_000)...)
				if err := c.SendBinary(buf); err != nil {
					t.Error(err)
				}
			}
		})
	}
	client.Send(strings.Repeat("e", 200<<10))
	counts := map[byte]int{}
	for range senders*each + 1 {
		msg := client.Receive()
		counts[msg[0]]++
		if strings.Count(msg, msg[:1]) != len(msg) {
			t.Fatal("a message is mixed with another")
		}
	}
	all.Wait()
	if counts['e'] != 1 || len(counts) != senders+1 {
		t.Errorf("%v came", counts)
	}
}

// TestLargeAnnounced has many peers announce the largest message and send little of it: memory follows what they send.
func TestLargeAnnounced(t *testing.T) {
	if linemantest.Raced() {
		t.Skip("the race detector needs memory of its own")
	}
	const peers = 300
	for _, p := range largeWires {
		if p.scheme == "text" || strings.Contains(p.name, "fragments") || p.name == "chunks" {
			continue // they announce nothing
		}
		t.Run(p.name, func(t *testing.T) {
			w := &lineman.Worker{Addr: p.scheme + "://127.0.0.1:0", Limits: lineman.Limits{MaxMessage: 10 << 20}}
			s := linemantest.Start(t, w)
			wire := p.wire(strings.Repeat("x", 10<<20))
			clients := make([]*linemantest.Client, peers)
			for i := range clients {
				clients[i] = s.Dial(w)
			}
			sent := 0
			before := liveHeap()
			for _, upTo := range []int{100, 40 << 10, 50 << 10} { // the last is read straight to where it waits
				total := uint64(0)
				for _, c := range clients {
					c.Write(wire[sent:upTo])
					total += c.Written()
				}
				sent = upTo
				untilRead(t, s, w, total)
				most := int64(2*upTo + 12<<10)
				if grown := (liveHeap() - before) / peers; grown > most {
					t.Errorf("%d bytes for each peer that has sent %d, want at most %d", grown, upTo, most)
				}
			}
		})
	}
}

// TestLargeAhead has a peer send a large message, and then little: what is ready for another large one goes back to the
// pool, so that few bytes never keep it.
func TestLargeAhead(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	spare := func() (n int) {
		s.Do(w, func(l *lineman.Loop) { n = l.Spare() })
		return n
	}
	msg := largeText(1_000_000)
	wire := largeWires[2].wire(msg)
	for _, cut := range []int{1, 13, 20, 40 << 10, 999_000, len(wire)} {
		c.Send(msg)
		if got := c.Receive(); got != msg {
			t.Fatalf("%d bytes came back", len(got))
		}
		free := spare()
		c.Write(wire[:cut])
		untilRead(t, s, w, c.Written())
		if got := spare(); cut < len(wire) && (got < free) != (cut >= 40<<10) { // the answer may wait, too
			t.Errorf("with %d bytes of a message, %d bytes are free, and %d were before", cut, got, free)
		}
		c.Write(wire[cut:])
		if got := c.Receive(); got != msg {
			t.Fatalf("cut at %d: %d bytes came back, want %d, or they are others", cut, len(got), len(msg))
		}
		c.Send("a small one")
		c.Receive()
	}
}

// TestLargeQuiet has the memory of large messages given back when none have come for a while, and not before.
func TestLargeQuiet(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	s, clock := startByClock(t, w)
	spare := func() (n int) {
		s.Do(w, func(l *lineman.Loop) { n = l.Spare() })
		return n
	}
	c := s.Dial(w)
	msg := largeText(1 << 20)
	for range 3 {
		for range 3 {
			c.Send(msg)
			c.Receive()
			if n := spare(); n < 1<<20 || n > 8<<20 {
				t.Errorf("%d bytes are kept for the next message", n)
			}
			clock.jump(s, w, 4*time.Second)
		}
		for range 3 {
			clock.jump(s, w, 6*time.Second)
		}
		if n := spare(); n != 0 {
			t.Errorf("%d bytes are kept though the loop was quiet", n)
		}
	}
}

// TestLargeFramer has what a Framer puts around a message be what Append does.
func TestLargeFramer(t *testing.T) {
	for _, p := range []protocol.Protocol{text.Protocol{}, frame.Protocol{}} {
		c := p.NewCodec(100).(protocol.Framer)
		for _, msg := range []string{"", "hello", "two\nlines"} {
			want, wantErr := c.Append([]byte("dst"), []byte(msg))
			around, before, err := c.AppendFrame([]byte("dst"), []byte(msg))
			if err != wantErr {
				t.Errorf("%s, %q: %v, want %v", p.Name(), msg, err, wantErr)
			}
			before += len("dst")
			if got := string(around[:before]) + msg + string(around[before:]); err == nil && got != string(want) {
				t.Errorf("%s, %q: %q, want %q", p.Name(), msg, got, want)
			}
		}
	}
}
