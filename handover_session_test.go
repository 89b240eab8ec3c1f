package lineman

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/text"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// conversation is what a peer sends to a worker, and what the worker does meanwhile.
type conversation struct {
	name   string
	worker Worker
	wire   string
	each   func(c *Conn, at int) // after each byte; nil: nothing
	most   int                   // bytes of the longest state
}

// TestSessionsMove has the session of a connection be made again after each byte of many conversations, from what it
// says to a record. Callbacks and output are as if it had not been.
func TestSessionsMove(t *testing.T) {
	for _, tt := range conversations() {
		t.Run(tt.name, func(t *testing.T) {
			stayed, _ := tt.hold(t, false)
			moved, moves := tt.hold(t, true)
			if moved != stayed {
				t.Errorf("moved:\n%s\nand not:\n%s", moved, stayed)
			}
			enough := len(tt.wire) / 8
			if moves.stayed[staysHandler.Error()] > 0 {
				enough = 1 // it moves when no handler is at work, which is the scheduler's affair
			}
			if moves.count < enough {
				t.Errorf("it moved %d times, and stayed: %v", moves.count, moves.stayed)
			}
			if moves.longest > tt.most {
				t.Errorf("the longest state has %d bytes, want %d at the most", moves.longest, tt.most)
			}
		})
	}
}

func conversations() []conversation {
	const host = "Host: x\r\n"
	get, post := "GET / HTTP/1.1\r\n"+host, "POST / HTTP/1.1\r\n"+host
	requests := get + "\r\n" + post + "Content-Length: 3\r\n\r\nabc\r\n" +
		post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok" +
		post + "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n" +
		"HEAD / HTTP/1.1\r\n" + host + "\r\nGET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
	upgrade := get + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
	frames := masked(0x81, "one") + masked(0x01, "tw\xe2") + masked(0x89, "ping") + masked(0x00, "\x82") +
		masked(0x80, "\xac!") + masked(0x82, strings.Repeat("x", 200)) + masked(0xc1, compressed("compressed")) +
		masked(0x41, compressed("again")[:3]) + masked(0x80, compressed("again")[3:]) + masked(0x88, "\x03\xe8")
	deflate := &websocket.Protocol{Subprotocols: []string{"chat"}, Compression: &websocket.Compression{Threshold: -1}}
	return []conversation{
		{name: "bytes", worker: Worker{Addr: "tcp://127.0.0.1:0"}, wire: "abc"},
		{name: "lines", worker: Worker{Addr: "text://127.0.0.1:0", Limits: Limits{MaxMessage: 9}},
			wire: "one\r\ntwo\n0123456789abc\nthree\nfo", most: 1},
		{name: "lines of objects",
			worker: Worker{Addr: "tcp://127.0.0.1:0", Protocol: text.Protocol{RefuseHTTP: true, WantObject: true}},
			wire:   " {\"a\":1}\nP\nGET / HTTP/1.1\n", most: 1},
		{name: "HTTP on a port for lines",
			worker: Worker{Addr: "tcp://127.0.0.1:0", Protocol: text.Protocol{RefuseHTTP: true}}, wire: get, most: 1},
		{name: "frames", worker: Worker{Addr: "frame://127.0.0.1:0"},
			wire: "\x00\x00\x00\x05a\x00\x00\x00\x04\x00\x00"},
		{name: "requests", worker: Worker{Addr: "http://127.0.0.1:0"}, wire: requests + "nonsense\r\n\r\n", most: 8},
		{name: "heads that are decided about", worker: decided(), wire: requests, most: 8},
		{name: "a stream", worker: Worker{Addr: "http://127.0.0.1:0"}, each: streams(60),
			wire: "GET /stream HTTP/1.1\r\n" + host + "\r\n" + requests, most: 8},
		{name: "a stream to HTTP/1.0", worker: Worker{Addr: "http://127.0.0.1:0"}, each: streams(60),
			wire: "GET /stream HTTP/1.0\r\n\r\n" + requests[:40], most: 8},
		{name: "a stream that the connection ends", worker: Worker{Addr: "http://127.0.0.1:0"}, each: streams(60),
			wire: "GET /delimited HTTP/1.1\r\n" + host + "\r\n" + requests[:40], most: 8},
		{name: "a Handler", worker: Worker{Addr: "http://127.0.0.1:0", Handler: http.HandlerFunc(handle)},
			wire: strings.ReplaceAll(requests, "GET / HTTP/1.0", "GET /last HTTP/1.0"), most: 2},
		{name: "a WebSocket", worker: Worker{Addr: "websocket://127.0.0.1:0"}, wire: upgrade + frames[:35], most: 20},
		{name: "compression and fragments", worker: Worker{Addr: "websocket://127.0.0.1:0", Protocol: deflate},
			wire: upgrade + frames, most: 40},
		{name: "requests before a WebSocket", worker: Worker{Addr: "websocket://127.0.0.1:0"},
			wire: requests + upgrade + frames[:9], most: 20},
		{name: "what is no WebSocket", worker: Worker{Addr: "websocket://127.0.0.1:0"}, wire: upgrade + "\x81\x01a",
			most: 20},
	}
}

// TestStays has each connection that cannot go say why.
func TestStays(t *testing.T) {
	answers := func(f func(c *Conn)) func(*Worker) {
		return func(w *Worker) { w.OnRequest = func(c *Conn, _ *http1.Request) { f(c) } }
	}
	begun := make(chan struct{})
	slow := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done()
	})
	const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, tt := range []struct {
		reason stays
		addr   string
		with   func(*Worker)
		wire   string
		began  bool // the handler says so
	}{
		{staysAnswering, "http", answers(func(*Conn) {}), request, false},
		{staysHandler, "http", answers(func(c *Conn) { _ = c.Serve(slow) }), request, true},
		{staysHandler, "http", func(w *Worker) { w.Handler = slow }, request, true},
		{staysCodec, "tcp", func(w *Worker) { w.Protocol = fixed{} }, "a", false},
		{staysClosing, "tcp", func(w *Worker) { w.OnMessage = func(c *Conn, _ []byte) { c.Close() } }, "a", false},
		{staysHeader, "tcp", func(w *Worker) { w.Proxies, w.ProxyProtocol = []string{"127.0.0.1"}, true }, "PROXY",
			false},
	} {
		t.Run(string(tt.reason), func(t *testing.T) {
			w := Worker{Addr: tt.addr + "://127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)}
			tt.with(&w)
			l, err := Open(&w)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Shut()
			addr := l.Listener(&w).Addr()
			peer, err := net.Dial(addr.Network(), addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			if _, err := io.WriteString(peer, tt.wire); err != nil {
				t.Fatal(err)
			}
			until := time.Now().Add(time.Minute)
			for stepUntil(t, l, until); l.live == 0 || onlyConn(l).in.bytes.count() == 0; {
				stepUntil(t, l, until)
			}
			if tt.began {
				<-begun
			}
			var reason stays
			if _, _, err := recorded(onlyConn(l)); !errors.As(err, &reason) || reason != tt.reason {
				t.Errorf("it stays because %v, want %q", err, tt.reason)
			}
		})
	}
}

// onlyConn is the connection of a loop that has one.
func onlyConn(l *Loop) (c *Conn) {
	for c = range l.all() {
	}
	return c
}

// fixed is a protocol of one byte for each message, whose codec is no protocol.Movable.
type fixed struct{}

func (fixed) Name() string                            { return "fixed" }
func (fixed) NewCodec(int) protocol.Codec             { return fixed{} }
func (fixed) Decode(data []byte) (int, []byte, error) { return 1, data[:1:1], nil }
func (fixed) Append(dst, msg []byte) ([]byte, error)  { return append(dst, msg...), nil }

// panicking has methods that panic.
type panicking struct{ fixed }

func (panicking) NewCodec(int) protocol.Codec   { return panicking{} }
func (panicking) AppendState(dst []byte) []byte { panic("AppendState") }
func (panicking) RestoreState([]byte) error     { panic("RestoreState") }

// masked makes a short frame of a client, or one with a length of two bytes.
func masked(first byte, payload string) string {
	b := []byte{first, 0x80 | byte(len(payload))}
	if len(payload) > 125 {
		b = []byte{first, 0xfe, byte(len(payload) >> 8), byte(len(payload))}
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return string(b)
}

// compressed is a payload of permessage-deflate.
func compressed(msg string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression) // the level is one
	_, _ = io.WriteString(w, msg)
	_ = w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// decided is a worker that is asked about each head.
func decided() Worker {
	w := Worker{Addr: "http://127.0.0.1:0"}
	w.OnHead = func(_ *Conn, r *http1.Request) error {
		if r.Method() == "HEAD" {
			return &RefuseError{Status: 403}
		}
		return nil
	}
	return w
}

// streams sends pieces of an answer, and ends it.
func streams(end int) func(c *Conn, at int) {
	return func(c *Conn, at int) {
		switch {
		case at == end:
			_ = c.EndStream()
		case at > 35 && at < end:
			_ = c.Send([]byte(fmt.Sprintf("piece %d\n", at)))
		}
	}
}

func handle(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %q %v %v", r.Method, r.URL, body, err, r.Trailer)
}

// moves are those of a conversation.
type moves struct {
	count, longest int
	stayed         map[string]int // by reasons
}

var dates = regexp.MustCompile(`Date: [^\r]*`)

// hold holds the conversation, byte by byte, and returns what was told and sent.
func (v conversation) hold(t *testing.T, moving bool) (told string, m moves) {
	t.Helper()
	var b strings.Builder
	w := v.worker
	w.Logger = slog.New(slog.DiscardHandler)
	hour := time.Hour // a busy machine may hold the conversation slowly
	w.Limits.Handshake, w.Limits.KeepAlive, w.Limits.Message, w.Limits.Answer = hour, hour, hour, hour
	tellIn(&w, &b)
	l, err := Open(&w)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Shut()
	addr := l.Listener(&w).Addr()
	peer, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	output := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(peer) // also what came before a reset
		output <- string(all)
	}()
	m.stayed = map[string]int{}
	var until time.Time
	for i := range len(v.wire) {
		until = time.Now().Add(time.Minute)
		if _, err := io.WriteString(peer, v.wire[i:i+1]); err != nil {
			break // it has ended
		}
		var c *Conn
		for c == nil || c.in.bytes.count() <= uint64(i) && c.state&armedRead != 0 && c.phase.get() == open {
			stepUntil(t, l, until)
			c = onlyConn(l)
			if c == nil && i > 0 {
				break
			}
		}
		if c == nil {
			break
		}
		if moving {
			m.move(t, c)
		}
		if v.each != nil {
			v.each(c, i)
		}
		stepUntil(t, l, until)
	}
	_ = peer.(*net.TCPConn).CloseWrite() // it may have ended
	for l.live > 0 || len(output) == 0 {
		stepUntil(t, l, until)
	}
	return b.String() + dates.ReplaceAllString(<-output, "Date"), m
}

func stepUntil(t *testing.T, l *Loop, until time.Time) {
	t.Helper()
	step(t, l)
	runtime.Gosched()
	if time.Now().After(until) {
		t.Fatal("the conversation does not end")
	}
}

// move makes the session of c again, if it may go.
func (m *moves) move(t *testing.T, c *Conn) {
	t.Helper()
	kind, state, err := recorded(c)
	var reason stays
	if errors.As(err, &reason) {
		m.stayed[reason.Error()]++
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	m.count, m.longest = m.count+1, max(m.longest, len(state))
	connected := c.phase.connected()
	s, err := restoreSession(c, kind, state)
	if err != nil {
		t.Fatalf("%s: %q: %v", kind, state, err)
	}
	if c.phase.connected() != connected {
		t.Errorf("it was connected: %v, and is: %v", connected, !connected)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = s
}

// recorded is what a record has of the session of c.
func recorded(c *Conn) (kind string, state []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := staysLocked(c); err != nil {
		return "", nil, err
	}
	const before = "before"
	state, err = c.session.appendStateLocked(c, []byte(before))
	return c.session.recordKind(c), bytes.TrimPrefix(state, []byte(before)), err
}

// tellIn has the callbacks of a worker write what they are told.
func tellIn(w *Worker, b *strings.Builder) {
	w.OnConnect = func(*Conn) { b.WriteString("connect\n") }
	w.OnClose = func(_ *Conn, err error) { fmt.Fprintf(b, "close %v\n", err) }
	w.OnInvalid = func(_ *Conn, err error) { fmt.Fprintf(b, "invalid %v\n", err) }
	w.OnPong = func(_ *Conn, payload []byte) { fmt.Fprintf(b, "pong %s\n", payload) }
	if f := w.OnHead; f != nil {
		w.OnHead = func(c *Conn, r *http1.Request) error {
			fmt.Fprintf(b, "head %s\n", r.Method())
			return f(c, r)
		}
	}
	switch {
	case w.Handler != nil:
		return
	case strings.HasPrefix(w.Addr, "http") || strings.HasPrefix(w.Addr, "websocket"):
		w.OnRequest = func(c *Conn, r *http1.Request) {
			fmt.Fprintf(b, "request %s %s %q\n", r.Method(), r.Target(), r.Body())
			switch string(r.Path()) {
			case "/stream":
				_ = c.Respond(&http1.Response{Stream: true, Body: []byte("begins")})
			case "/delimited":
				_ = c.Respond(&http1.Response{Stream: true, CloseDelimited: true, Body: []byte("begins")})
			default:
				_ = c.Respond(&http1.Response{Body: r.Body()})
			}
		}
	}
	if !strings.HasPrefix(w.Addr, "http") {
		w.OnMessage = func(c *Conn, msg []byte) {
			fmt.Fprintf(b, "message %q %v %s\n", msg, c.Binary(), c.Subprotocol())
			_ = c.Send(bytes.ToValidUTF8(msg, nil))
		}
	}
}
