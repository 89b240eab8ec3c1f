// Command subject is Lineman as a server to be measured from outside.
//
//	go -C bench run ./subject -proto text -port 7000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
)

func main() {
	proto := flag.String("proto", "tcp", "what to serve: tcp or text or ws (echo), http (Hello, World!), wsbc (each message to all connections)")
	port := flag.Int("port", 7000, "port on 127.0.0.1")
	flag.Parse()
	w, err := worker(*proto, *port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := lineman.Run(ctx, w); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func worker(proto string, port int) (*lineman.Worker, error) {
	addr := func(scheme string) string { return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port) }
	switch proto {
	case "tcp", "text":
		return &lineman.Worker{Addr: addr(proto), Events: lineman.Events{OnMessage: echo}}, nil
	case "ws":
		return &lineman.Worker{Addr: addr("websocket"), Events: lineman.Events{OnMessage: echo}}, nil
	case "http":
		return &lineman.Worker{Addr: addr("http"), Events: lineman.Events{OnRequest: hello}}, nil
	case "wsbc":
		w := &lineman.Worker{Addr: addr("websocket")}
		w.OnMessage = func(c *lineman.Conn, msg []byte) { c.Loop().Broadcast(c.Loop().Conns(w), msg) }
		return w, nil
	}
	return nil, fmt.Errorf("subject: protocol %q: want tcp, text, http, ws or wsbc", proto)
}

// echo drops what a peer that does not read is owed: there is none in a measurement.
func echo(c *lineman.Conn, msg []byte) {
	if c.Binary() {
		_ = c.SendBinary(msg)
		return
	}
	_ = c.Send(msg)
}

var greeting = []byte("Hello, World!")

func hello(c *lineman.Conn, _ *http1.Request) { _ = c.Send(greeting) }
