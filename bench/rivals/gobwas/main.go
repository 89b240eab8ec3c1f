//go:build unix

// Command gobwas is github.com/gobwas/ws over package net: a goroutine for each connection, which it reads and writes
// without a buffer.
package main

import (
	"net"
	"sync"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/bench/served"
)

var room served.Room[*conn]

// conn is a connection to which several goroutines write.
type conn struct {
	net.Conn
	mu sync.Mutex // guards writing
}

func main() {
	served.By(map[string]served.Server{
		"ws": serve(false, echo), "wsz": serve(true, echoCompressed), "wsbc": serve(false, toAll),
	})
}

func serve(compressed bool, handle func(*conn) error) served.Server {
	return func(addr, _, _ string) error {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			go attend(&conn{Conn: c}, compressed, handle)
		}
	}
}

func attend(c *conn, compressed bool, handle func(*conn) error) {
	defer c.Close()
	var u ws.Upgrader
	if compressed {
		e := wsflate.Extension{Parameters: wsflate.DefaultParameters}
		u.Negotiate = e.Negotiate
	}
	if _, err := u.Upgrade(c); err != nil {
		return
	}
	room.Enter(c)
	defer room.Leave(c)
	for handle(c) == nil {
	}
}

func echo(c *conn) error {
	message, code, err := wsutil.ReadClientData(c)
	if err != nil {
		return err
	}
	return wsutil.WriteServerMessage(c, code, message)
}

func echoCompressed(c *conn) error {
	frame, err := ws.ReadFrame(c)
	if err != nil {
		return err
	}
	frame = ws.UnmaskFrameInPlace(frame)
	if compressed, err := wsflate.IsCompressed(frame.Header); err != nil {
		return err
	} else if compressed {
		if frame, err = wsflate.DecompressFrame(frame); err != nil {
			return err
		}
	}
	if frame, err = wsflate.CompressFrame(frame); err != nil {
		return err
	}
	return ws.WriteFrame(c, frame)
}

func toAll(c *conn) error {
	message, code, err := wsutil.ReadClientData(c)
	if err != nil {
		return err
	}
	frame, err := ws.CompileFrame(ws.NewFrame(code, true, message))
	if err != nil {
		return err
	}
	room.Each(func(to *conn) {
		to.mu.Lock()
		defer to.mu.Unlock()
		_, _ = to.Write(frame) // its own goroutine sees that it has gone
	})
	return nil
}
