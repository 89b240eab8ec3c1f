// Listen: a running worker opens a second port, and both share one callback.
//
//	go run ./examples/listen
//	printf 'hi\n' | nc -N 127.0.0.1 2015
//	curl http://127.0.0.1:2016/
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/lineman-go/lineman"
)

func main() {
	text := flag.String("text", "127.0.0.1:2015", "`host:port` for lines")
	http := flag.String("http", "127.0.0.1:2016", "`host:port` for HTTP")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := lineman.Run(ctx, worker(*text, *http)); err != nil {
		fmt.Fprintln(os.Stderr, "listen:", err)
		os.Exit(1)
	}
}

// worker answers lines; the HTTP listener that it opens when it starts answers requests with the same function.
func worker(text, http string) *lineman.Worker {
	hello := func(c *lineman.Conn, _ []byte) { _ = c.Send([]byte("hello")) }

	w := &lineman.Worker{Name: "text", Addr: "text://" + text}
	w.OnMessage = hello
	w.OnStart = func(l *lineman.Loop) error {
		inner := &lineman.Worker{Name: "http", Addr: "http://" + http}
		inner.OnMessage = hello
		second, err := l.Listen(inner)
		if err != nil {
			return err
		}
		fmt.Printf("listen: lines on %s, HTTP on %s\n", l.Listener(w).Addr(), second.Addr())
		return nil
	}
	return w
}
