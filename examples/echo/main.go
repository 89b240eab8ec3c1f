// Echo: every message comes back, over any protocol.
//
//	go run ./examples/echo -addr websocket://127.0.0.1:2015
//	go run ./examples/echo -addr text://127.0.0.1:2015 -count 4 start -d
package main

import (
	"flag"
	"fmt"
	"strings"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/websocket"
)

func main() {
	addr := flag.String("addr", "text://127.0.0.1:2015", "`scheme://host:port`: tcp, udp, text, frame, http, websocket; or unix:///path")
	count := flag.Int("count", 1, "processes")
	reusePort := flag.Bool("reuseport", false, "give each process a listening socket of its own")
	flag.Parse()

	w := worker(*addr)
	w.Count, w.ReusePort = *count, *reusePort
	w.OnStart = func(l *lineman.Loop) error {
		if l.ID() == 0 {
			fmt.Printf("echo: %s on %s\n", *addr, l.Listener(w).Addr())
		}
		return nil
	}
	lineman.Main(w)
}

// worker echoes. Over HTTP, Send answers 200 with the body of the request.
func worker(addr string) *lineman.Worker {
	w := &lineman.Worker{Name: "echo", Addr: addr, Limits: lineman.Limits{MaxMessage: 32 << 20, MaxPending: 64 << 20}}
	if strings.HasPrefix(addr, "websocket") {
		w.Protocol = &websocket.Protocol{Origins: []string{"*"}} // an echo has no secrets
	}
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		if c.Binary() {
			_ = c.SendBinary(msg)
			return
		}
		_ = c.Send(msg)
	}
	return w
}
