//go:build unix

// Command gws is github.com/lxzan/gws.
package main

import (
	"net"

	"github.com/lxzan/gws"

	"github.com/lineman-go/lineman/bench/served"
)

var room served.Room[*gws.Conn]

func main() {
	served.By(map[string]served.Server{
		"ws":   func(addr, _, _ string) error { return server(&echo{}, false).Run(addr) },
		"wss":  func(addr, cert, key string) error { return server(&echo{}, false).RunTLS(addr, cert, key) },
		"wsz":  func(addr, _, _ string) error { return server(&echo{}, true).Run(addr) },
		"wsbc": func(addr, _, _ string) error { return server(&toAll{}, false).Run(addr) },
	})
}

func server(h gws.Event, compressed bool) *gws.Server {
	s := gws.NewServer(h, &gws.ServerOption{
		PermessageDeflate:   gws.PermessageDeflate{Enabled: compressed},
		ReadMaxPayloadSize:  served.MostBytes,
		WriteMaxPayloadSize: served.MostBytes,
	})
	s.OnError = func(net.Conn, error) {} // of clients that come only to see whether it listens
	return s
}

type echo struct{ gws.BuiltinEventHandler }

func (*echo) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // reading sees that it has gone
}

type toAll struct{ gws.BuiltinEventHandler }

func (*toAll) OnOpen(c *gws.Conn)           { room.Enter(c) }
func (*toAll) OnClose(c *gws.Conn, _ error) { room.Leave(c) }

func (*toAll) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	b := gws.NewBroadcaster(m.Opcode, append([]byte(nil), m.Bytes()...))
	defer b.Close()
	room.Each(func(to *gws.Conn) { _ = b.Broadcast(to) }) // reading sees that it has gone
}
