// Command gnet is github.com/panjf2000/gnet/v2, with WebSockets by github.com/gobwas/ws. measure builds it with the
// sources that it is given.
//
//	gnet PROTO PORT
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/gobwas/ws"
	"github.com/panjf2000/gnet/v2"
)

func main() {
	handlers := map[string]func(*server, gnet.Conn) gnet.Action{
		"tcp": echoBytes, "text": echoLines, "http": greet, "ws": webSocket, "wsbc": webSocket,
	}
	s := &server{handle: handlers[os.Args[1]], toAll: os.Args[1] == "wsbc", conns: map[gnet.Conn]bool{}}
	fmt.Fprintln(os.Stderr, gnet.Run(s, "tcp://127.0.0.1:"+os.Args[2], gnet.WithTCPNoDelay(gnet.TCPNoDelay)))
	os.Exit(1)
}

// server is all of one loop.
type server struct {
	gnet.BuiltinEventEngine
	handle func(*server, gnet.Conn) gnet.Action
	toAll  bool
	conns  map[gnet.Conn]bool // those that are WebSockets by now
}

func (s *server) OnTraffic(c gnet.Conn) gnet.Action { return s.handle(s, c) }

func (s *server) OnClose(c gnet.Conn, _ error) gnet.Action {
	delete(s.conns, c)
	return gnet.None
}

func echoBytes(_ *server, c gnet.Conn) gnet.Action {
	b, _ := c.Next(-1)
	return sent(c.Write(b))
}

func echoLines(_ *server, c gnet.Conn) gnet.Action {
	b, _ := c.Peek(-1)
	var out []byte
	for line := range bytes.Lines(b) {
		if line[len(line)-1] == '\n' {
			out = append(out, line...)
		}
	}
	if len(out) == 0 {
		return gnet.None
	}
	defer c.Discard(len(out))
	return sent(c.Write(out))
}

var (
	endOfHead = []byte("\r\n\r\n")
	hello     = []byte("HTTP/1.1 200 OK\r\nContent-Length: 13\r\nContent-Type: text/plain\r\n\r\nHello, World!")
)

// greet looks for the ends of requests and parses nothing: gnet has no HTTP.
func greet(_ *server, c gnet.Conn) gnet.Action {
	b, _ := c.Peek(-1)
	n, end := bytes.Count(b, endOfHead), bytes.LastIndex(b, endOfHead)
	if n == 0 {
		return gnet.None
	}
	defer c.Discard(end + len(endOfHead))
	return sent(c.Write(bytes.Repeat(hello, n)))
}

func webSocket(s *server, c gnet.Conn) gnet.Action {
	if c.Context() == nil {
		b, _ := c.Peek(-1)
		if !bytes.Contains(b, endOfHead) {
			return gnet.None
		}
		if _, err := ws.Upgrade(c); err != nil {
			return gnet.Close
		}
		c.SetContext(s)
		s.conns[c] = true
	}
	var out bytes.Buffer
	for {
		b, _ := c.Peek(min(c.InboundBuffered(), ws.MaxHeaderSize))
		r := bytes.NewReader(b)
		h, err := ws.ReadHeader(r)
		head := len(b) - r.Len()
		if err != nil || c.InboundBuffered() < head+int(h.Length) {
			break
		}
		b, _ = c.Peek(head + int(h.Length))
		payload := b[head:]
		ws.Cipher(payload, h.Mask, 0)
		if err := s.answer(&out, ws.NewFrame(h.OpCode, true, payload)); err != nil {
			return gnet.Close
		}
		if _, err := c.Discard(head + int(h.Length)); err != nil {
			return gnet.Close
		}
	}
	if out.Len() == 0 {
		return gnet.None
	}
	return sent(c.Write(out.Bytes()))
}

// answer writes a frame to all, or to out.
func (s *server) answer(out io.Writer, f ws.Frame) error {
	if !s.toAll {
		return ws.WriteFrame(out, f)
	}
	b, err := ws.CompileFrame(f)
	for c := range s.conns {
		_, _ = c.Write(b) // OnClose sees that it has gone
	}
	return err
}

func sent(_ int, err error) gnet.Action {
	if err != nil {
		return gnet.Close
	}
	return gnet.None
}
