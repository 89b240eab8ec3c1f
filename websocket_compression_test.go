package lineman_test

import (
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// peer is a client that has agreed on compression.
type peer struct {
	*linemantest.Client
	t     *testing.T
	codec *websocket.Codec
}

// upgrade makes a WebSocket of a connection.
func upgrade(t *testing.T, c *linemantest.Client, h websocket.Handshake) *peer {
	t.Helper()
	h.Host = "x"
	request, err := h.AppendRequest(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Write(string(request))
	var head []byte
	for {
		b, err := c.Reader.ReadByte()
		if err != nil {
			t.Fatalf("%v after %q", err, head)
		}
		head = append(head, b)
		n, a, err := h.Decode(head)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return &peer{c, t, websocket.NewClientCodec(64<<20, a)}
		}
	}
}

func (p *peer) send(msg string) {
	p.t.Helper()
	frame, err := p.codec.Append(nil, []byte(msg))
	if err != nil {
		p.t.Fatal(err)
	}
	p.Write(string(frame))
}

// receive is the next message, and how long its frame is.
func (p *peer) receive() (msg string, size int) {
	p.t.Helper()
	var frame []byte
	for {
		b, err := p.Reader.ReadByte()
		if err != nil {
			p.t.Fatalf("%v after %q", err, frame)
		}
		frame = append(frame, b)
		n, msg, err := p.codec.Decode(frame)
		if err != nil {
			p.t.Fatal(err)
		}
		if n > 0 {
			return string(msg), n
		}
	}
}

// record is a message that compresses well.
var record = strings.Repeat(`{"user":"somebody","text":"hello"},`, 20)

// TestCompression has messages compressed both ways if the client offers it, and the protocol has it.
func TestCompression(t *testing.T) {
	linemantest.NoLeaks(t)
	off := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	on := &lineman.Worker{
		Addr: off.Addr, Name: "on", Protocol: &websocket.Protocol{Compression: &websocket.Compression{}},
		Events: off.Events,
	}
	keeping := &lineman.Worker{
		Addr: off.Addr, Name: "keeping",
		Protocol: &websocket.Protocol{Compression: &websocket.Compression{ContextTakeover: true}}, Events: off.Events,
	}
	s := linemantest.Start(t, off, on, keeping)
	for _, tt := range []struct {
		worker        *lineman.Worker
		offer         *websocket.Compression
		first, second int // the most bytes of a frame, and the least are half of it
	}{
		{off, &websocket.Compression{}, 704, 704},
		{on, nil, 704, 704},
		{on, &websocket.Compression{}, 80, 80},
		{on, &websocket.Compression{ContextTakeover: true}, 80, 80},
		{keeping, &websocket.Compression{}, 80, 80},
		{keeping, &websocket.Compression{ContextTakeover: true}, 80, 20},
	} {
		p := upgrade(t, s.Connect(tt.worker), websocket.Handshake{Compression: tt.offer})
		for _, most := range []int{tt.first, tt.second} {
			p.send(record)
			if msg, size := p.receive(); msg != record || size > most || size < most/2 {
				t.Errorf("%s, offered %+v: %d bytes came in %d, want at most %d", tt.worker.Name, tt.offer,
					len(msg), size, most)
			}
		}
	}
}

// TestCompressionBroken has a bomb, and what cannot be inflated, end the connection with the code of the RFC.
func TestCompressionBroken(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{
		Addr: "websocket://127.0.0.1:0", Logger: quiet,
		Protocol: &websocket.Protocol{Compression: &websocket.Compression{}},
	}
	w.Limits.MaxMessage = 10_000
	closes := make(chan error, 1)
	w.OnClose = func(_ *lineman.Conn, err error) { closes <- err }
	s := linemantest.Start(t, w)
	var broken *websocket.Error
	for _, tt := range []struct {
		name, wire string
		code       websocket.Code
		is         func(error) bool
	}{
		{"a bomb", "", websocket.TooBig, func(err error) bool { return err == lineman.ErrTooLarge }},
		{"garbage", "\xc1\x82\x00\x00\x00\x00\xff\xff", websocket.InvalidPayload,
			func(err error) bool { return errors.As(err, &broken) }},
		{"text that is none", "\xc1\x84\x00\x00\x00\x00\xfa\x0f\x00\x00", websocket.InvalidPayload,
			func(err error) bool { return errors.As(err, &broken) }},
		{"a compressed ping", "\xc9\x80\x00\x00\x00\x00", websocket.ProtocolError,
			func(err error) bool { return errors.As(err, &broken) }},
	} {
		p := upgrade(t, s.Connect(w), websocket.Handshake{Compression: &websocket.Compression{}})
		if tt.wire == "" {
			p.send(strings.Repeat("x", 1<<20))
		} else {
			p.Write(tt.wire)
		}
		msg, _ := p.receive()
		if goodbye, err := websocket.ParseClose([]byte(msg)); err != nil || goodbye.Code != tt.code {
			t.Errorf("%s: the goodbye is %+v, %v, want %d", tt.name, goodbye, err, tt.code)
		}
		p.Close()
		if err := next(t, closes, "OnClose"); !tt.is(err) {
			t.Errorf("%s: OnClose: %v", tt.name, err)
		}
	}
}

// offering makes a WebSocket with this list of extensions.
func offering(s *linemantest.Server, w *lineman.Worker, extensions string) *linemantest.Client {
	c := s.Connect(w)
	c.Upgrade("/", http.Header{"Sec-Websocket-Extensions": {extensions}})
	return c
}

// frameOf reads one frame of 126 to 65,535 bytes, or of less.
func frameOf(c *linemantest.Client) (first byte, payload string) {
	head := c.Read(2)
	n := int(head[1])
	if n == 126 {
		more := c.Read(2)
		n = int(more[0])<<8 | int(more[1])
	}
	return head[0], c.Read(n)
}

// inflate is the message of a payload, by an independent decompressor.
func inflate(t *testing.T, payload string) string {
	t.Helper()
	msg, err := io.ReadAll(flate.NewReader(strings.NewReader(payload + "\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
	if err != nil {
		t.Error(err)
	}
	return string(msg)
}

// TestCompressedBroadcast encodes once for each kind of connection, and for those that keep their context by
// themselves.
func TestCompressedBroadcast(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{
		Addr:     "websocket://127.0.0.1:0",
		Protocol: &websocket.Protocol{Compression: &websocket.Compression{ContextTakeover: true}},
	}
	s := linemantest.Start(t, w)
	const alone = "permessage-deflate; server_no_context_takeover"
	kinds := []string{"none", alone, alone + "; server_max_window_bits=9", "permessage-deflate"}
	var clients []*linemantest.Client
	for range 5 {
		for _, extensions := range kinds {
			clients = append(clients, offering(s, w, extensions))
		}
	}
	encoded := 0
	s.Do(w, func(l *lineman.Loop) {
		before := l.Encoded()
		if n := l.Broadcast(l.Conns(w), []byte(record)); n != len(clients) {
			t.Errorf("reached %d", n)
		}
		encoded = l.Encoded() - before
		if n := l.BroadcastBinary(l.Conns(w), []byte(record)); n != len(clients) {
			t.Errorf("reached %d", n)
		}
	})
	frames := map[string]string{}
	for i, c := range clients {
		kind := kinds[i%len(kinds)]
		for _, op := range []byte{1, 2} {
			first, payload := frameOf(c)
			msg, compressed := payload, first&0x40 != 0
			if second := kind == "permessage-deflate" && op == 2; second && len(payload) > 20 {
				t.Errorf("the second message of a connection that keeps its context takes %d bytes", len(payload))
			} else if compressed && !second {
				msg = inflate(t, payload)
			} else if second {
				msg = record
			}
			if first&0x8f != 0x80|op || msg != record || compressed != (kind != "none") {
				t.Errorf("%s: the frame begins with %x and holds %.20q", kind, first, msg)
			}
			if op == 1 {
				frames[kind] = payload
			}
		}
	}
	want := 4 + len(frames["none"]) + 2 + len(frames[alone]) + 2 + len(frames[kinds[2]])
	if encoded != want {
		t.Errorf("the frames made for all take %d bytes, want %d: one for each kind", encoded, want)
	}
}

// TestCompressionStays has a connection keep what its handshake agreed on when it goes to another worker.
func TestCompressionStays(t *testing.T) {
	linemantest.NoLeaks(t)
	next := &lineman.Worker{Name: "next", Protocol: &websocket.Protocol{}}
	next.OnMessage = func(c *lineman.Conn, msg []byte) { _ = c.Send([]byte(c.Subprotocol() + string(msg))) }
	first := &lineman.Worker{Addr: "websocket://127.0.0.1:0"}
	first.Protocol = &websocket.Protocol{Subprotocols: []string{"other", "mine"}, Compression: &websocket.Compression{}}
	first.OnMessage = func(c *lineman.Conn, _ []byte) {
		if err := c.SetWorker(next); err != nil {
			t.Error(err)
		}
	}
	s := linemantest.Start(t, first)
	p := upgrade(t, s.Connect(first),
		websocket.Handshake{Subprotocols: []string{"mine"}, Compression: &websocket.Compression{}})
	p.send("go")
	for range 2 {
		p.send(record)
		if msg, size := p.receive(); msg != "mine"+record || size > 100 {
			t.Errorf("%d bytes in %d", len(msg), size)
		}
	}
}

// TestCompressionConcurrent has several goroutines send on a connection whose messages refer to each other, while it
// receives.
func TestCompressionConcurrent(t *testing.T) {
	linemantest.NoLeaks(t)
	const senders, each = 4, 100
	p := &websocket.Protocol{Compression: &websocket.Compression{ContextTakeover: true}}
	w := &lineman.Worker{
		Addr: "websocket://127.0.0.1:0", Logger: quiet, Protocol: p, Events: lineman.Events{OnMessage: echo},
	}
	s := linemantest.Start(t, w)
	d := newDialed()
	d.Protocol = p
	c := dialFrom(t, s, w, "ws://"+s.Addr(w).String(), d.Dialer)
	next(t, d.connects, "OnConnect") // from here on they are compressed
	for i := range senders {
		go func() {
			for n := range each {
				if err := c.Send(fmt.Appendf(nil, "%d %d %s", i, n, record)); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	var got [senders]int
	for range senders * each {
		msg := next(t, d.messages, "an echo")
		var i, n int
		if _, err := fmt.Sscan(msg, &i, &n); err != nil || n != got[i] || !strings.HasSuffix(msg, record) {
			t.Fatalf("got %.20q, %v", msg, err)
		}
		got[i]++
	}
	if out := c.Stats().BytesOut; out > senders*each*100 {
		t.Errorf("%d bytes were sent", out)
	}
	c.Abort()
	next(t, d.closes, "OnClose")
}

// TestCompressionBehindHTTP has both ways of HTTP make compressed WebSockets.
func TestCompressionBehindHTTP(t *testing.T) {
	linemantest.NoLeaks(t)
	ws := &lineman.Worker{
		Name: "ws", Protocol: &websocket.Protocol{Compression: &websocket.Compression{}},
		Events: lineman.Events{OnMessage: echo},
	}
	plain := &lineman.Worker{Addr: "http://127.0.0.1:0"}
	plain.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
		if err := c.SetWorker(ws); err != nil {
			t.Error(err)
		}
	}
	handler := &lineman.Worker{Addr: "http://127.0.0.1:0", Name: "handler"}
	handler.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := lineman.Upgrade(w, r, ws); err != nil {
			t.Error(err)
		}
	})
	s := linemantest.Start(t, plain, handler)
	for _, w := range []*lineman.Worker{plain, handler} {
		p := upgrade(t, s.Connect(w), websocket.Handshake{Compression: &websocket.Compression{}})
		p.send(record)
		if msg, size := p.receive(); msg != record || size > 100 {
			t.Errorf("%s: %d bytes in %d", w.Name, len(msg), size)
		}
	}
}
