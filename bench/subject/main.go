//go:build unix

// Command subject is Lineman as a server to be measured from outside. Several protocols are served by one loop.
//
//	go -C bench run ./subject -proto text -port 7000
//	go -C bench run ./subject -proto text,https -port 7000,7001 -cert cert.pem -key key.pem
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/bench/census"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

func main() {
	protos := flag.String("proto", "tcp",
		"what to serve, separated by commas: tcp, udp, text, ws or wss (echo), wsz (echo of compressed messages), "+
			"wsbc (each message to all connections), http or https (Hello, World! by OnRequest), handler or handlers "+
			"(by Handler)")
	ports := flag.String("port", "7000", "as many ports on 127.0.0.1")
	cert := flag.String("cert", "cert.pem", "certificate, for wss, https and handlers")
	key := flag.String("key", "key.pem", "its key")
	loops := flag.Int("loops", 1, "how many loops serve the one protocol, if there is only one, and no TLS")
	flag.Parse()
	workers, err := services(strings.Split(*protos, ","), strings.Split(*ports, ","), *cert, *key)
	if err == nil && *loops > 1 {
		workers[0], err = onLoops(*loops, *protos, "127.0.0.1:"+*ports)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "subject:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	census.Serve(os.Stdout, syscall.SIGUSR1)
	if err := lineman.Run(ctx, workers[0]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// services are the workers of one loop: the first opens the others.
func services(protos, ports []string, cert, key string) ([]*lineman.Worker, error) {
	if len(protos) != len(ports) {
		return nil, fmt.Errorf("%d protocols and %d ports", len(protos), len(ports))
	}
	var workers []*lineman.Worker
	for i, proto := range protos {
		w, err := service(proto, "127.0.0.1:"+ports[i])
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(proto, "s") && proto != "ws" {
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				return nil, err
			}
			w.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, DynamicRecordSizingDisabled: true}
		}
		workers = append(workers, w)
	}
	workers[0].OnStart = func(l *lineman.Loop) error {
		for _, w := range workers[1:] {
			if _, err := l.Listen(w); err != nil {
				return err
			}
		}
		return nil
	}
	return workers, nil
}

func service(proto, addr string) (*lineman.Worker, error) {
	w := &lineman.Worker{Limits: lineman.Limits{KeepAlive: time.Hour}}
	switch proto {
	case "tcp", "text", "udp":
		w.Addr, w.OnMessage = proto+"://"+addr, echo
	case "ws", "wss":
		w.Addr, w.OnMessage = "websocket://"+addr, echo
	case "wsz":
		w.Addr, w.OnMessage = "websocket://"+addr, echo
		w.Protocol = &websocket.Protocol{Compression: &websocket.Compression{}}
	case "wsbc":
		w.Addr = "websocket://" + addr
		w.OnMessage = func(c *lineman.Conn, msg []byte) { c.Loop().Broadcast(c.Loop().Conns(w), msg) }
	case "http", "https":
		w.Addr, w.OnRequest = "http://"+addr, hello
	case "handler", "handlers":
		w.Addr, w.Handler = "http://"+addr, http.HandlerFunc(handle)
	default:
		return nil, fmt.Errorf("protocol %q: want tcp, udp, text, ws, wss, wsz, wsbc, http, https, handler or handlers",
			proto)
	}
	return w, nil
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

func handle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(greeting) // the peer has gone
}
