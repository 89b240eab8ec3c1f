package lineman_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

const handshake = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

var deflateHandshake = strings.Replace(handshake, "\r\n\r\n",
	"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1)

// hotPaths are an exchange of each protocol, as bytes.
var hotPaths = []struct {
	name, scheme   string
	hello, request string
	repeat         int
	handle         lineman.Events
	protocol       protocol.Protocol
}{
	{"tcp", "tcp", "", strings.Repeat("x", 64), 1, lineman.Events{OnMessage: echo}, nil},
	{"text", "text", "", strings.Repeat("x", 63) + "\n", 1, lineman.Events{OnMessage: echo}, nil},
	{"text pipelined", "text", "", strings.Repeat("x", 63) + "\n", 16, lineman.Events{OnMessage: echo}, nil},
	{"frame", "frame", "", "\x00\x00\x00\x44" + strings.Repeat("x", 64), 1, lineman.Events{OnMessage: echo}, nil},
	{"websocket", "websocket", handshake, "\x81\xc0\x00\x00\x00\x00" + strings.Repeat("x", 64), 1,
		lineman.Events{OnMessage: echo}, nil},
	{"websocket pipelined", "websocket", handshake, "\x81\xc0\x00\x00\x00\x00" + strings.Repeat("x", 64), 16,
		lineman.Events{OnMessage: echo}, nil},
	{"websocket compressed", "websocket", deflateHandshake, compressedZeros, 1,
		lineman.Events{OnMessage: echo}, &websocket.Protocol{Compression: &websocket.Compression{}}},
	{"http OnMessage", "http", "", "GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: test\r\n\r\n", 1,
		lineman.Events{OnMessage: helloMessage}, nil},
	{"http OnRequest", "http", "", "GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: test\r\n\r\n", 1,
		lineman.Events{OnRequest: helloRequest}, nil},
	{"http pipelined", "http", "", "GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: test\r\n\r\n", 16,
		lineman.Events{OnRequest: helloRequest}, nil},
	{"http browser", "http", "", browserRequest, 1, lineman.Events{OnRequest: helloRequest}, nil},
	{"http POST", "http", "", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 4,
		lineman.Events{OnMessage: echo}, nil},
}

// browserRequest is a request with the fields of a usual browser.
const browserRequest = "GET /news?page=2 HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\nCache-Control: no-cache\r\n" +
	"Referer: http://www.example.com/news\r\nUpgrade-Insecure-Requests: 1\r\n" +
	"Cookie: session=5c1b2f7e9d3a4b60; theme=dark\r\n\r\n"

// compressedZeros is a frame of 1,000 binary zeros.
const compressedZeros = "\xc2\x8b\x00\x00\x00\x00" + "\x62\x60\x18\x05\xa3\x60\x14\x0c\x77\x00\x00"

var hello = []byte("Hello, World!")

func helloMessage(c *lineman.Conn, _ []byte)         { _ = c.Send(hello) }
func helloRequest(c *lineman.Conn, _ *http1.Request) { _ = c.Send(hello) }

// exchanger is a client and a stepped loop on one goroutine.
type exchanger struct {
	loop    *lineman.Loop
	client  net.Conn
	worker  *lineman.Worker
	request []byte
	reply   []byte
	size    int // of the reply
}

func newExchanger(tb testing.TB, i int) *exchanger {
	tb.Helper()
	p := hotPaths[i]
	w := &lineman.Worker{Addr: p.scheme + "://127.0.0.1:0", Protocol: p.protocol, Events: p.handle}
	l, err := lineman.Open(w)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Shut)
	addr := l.Listener(w).Addr()
	client, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { client.Close() })
	x := &exchanger{
		loop: l, client: client, worker: w, request: []byte(strings.Repeat(p.request, p.repeat)),
		reply: make([]byte, 64<<10),
	}
	if p.hello != "" {
		x.send(tb, []byte(p.hello))
		x.receive(tb, 0)
	}
	x.send(tb, x.request)
	x.size = x.receive(tb, 0)
	return x
}

func (x *exchanger) send(tb testing.TB, b []byte) {
	if _, err := x.client.Write(b); err != nil {
		tb.Fatal(err)
	}
	before := x.loop.Stats().BytesIn
	for x.loop.Stats().BytesIn < before+uint64(len(b)) {
		if err := x.loop.Step(); err != nil {
			tb.Fatal(err)
		}
	}
}

// receive reads n bytes, or once if n is 0.
func (x *exchanger) receive(tb testing.TB, n int) int {
	if n == 0 {
		n, err := x.client.Read(x.reply)
		if err != nil {
			tb.Fatal(err)
		}
		return n
	}
	if _, err := io.ReadFull(x.client, x.reply[:n]); err != nil {
		tb.Fatal(err)
	}
	return n
}

// TestAllocations has an exchange of each protocol allocate nothing.
func TestAllocations(t *testing.T) {
	if portable() {
		t.Skip("over package net a read may allocate")
	}
	for i, p := range hotPaths {
		t.Run(p.name, func(t *testing.T) {
			x := newExchanger(t, i)
			linemantest.NoAllocations(t, func() {
				x.send(t, x.request)
				x.receive(t, x.size)
			})
		})
	}
}

// TestDoAllocations has Do and the tick that runs it allocate nothing.
func TestDoAllocations(t *testing.T) {
	l, err := lineman.Open(&lineman.Worker{Addr: "text://127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Shut)
	ran := 0
	f := func() { ran++ }
	linemantest.NoAllocations(t, func() {
		before := ran
		for range 3 {
			l.Do(f)
		}
		if err := l.Step(); err != nil || ran != before+3 {
			t.Fatalf("%d of 3 functions ran: %v", ran-before, err)
		}
	})
}

func BenchmarkExchange(b *testing.B) {
	for i, p := range hotPaths {
		b.Run(p.name, func(b *testing.B) {
			x := newExchanger(b, i)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				x.send(b, x.request)
				x.receive(b, x.size)
			}
		})
	}
}
