// Echo: every message comes back, over any protocol.
//
//	go run ./examples/echo -addr websocket://127.0.0.1:2015
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/websocket"
)

func main() {
	addr := flag.String("addr", "text://127.0.0.1:2015", "`scheme://host:port`: tcp, udp, text, frame, http, websocket; or unix:///path")
	reusePort := flag.Bool("reuseport", false, "let several processes listen on the port")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	w := worker(*addr)
	w.ReusePort = *reusePort
	w.OnStart = func(l *lineman.Loop) error {
		fmt.Printf("echo: %s on %s\n", *addr, l.Listener(w).Addr())
		return nil
	}
	if err := lineman.Run(ctx, w); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

// worker echoes. Over HTTP, Send answers 200 with the body of the request.
func worker(addr string) *lineman.Worker {
	w := &lineman.Worker{Addr: addr, Limits: lineman.Limits{MaxMessage: 32 << 20, MaxPending: 64 << 20}}
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
