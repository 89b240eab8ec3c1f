// Listen: a running worker opens a second port, and both share one callback.
//
//	go run ./examples/listen
//	printf 'hi\n' | nc -N 127.0.0.1 2015
//	curl http://127.0.0.1:2016/
//
// With -count 4, each of four processes opens the second port: only the first can have it, unless -reuseport gives each
// a listening socket of its own.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"syscall"

	"github.com/lineman-go/lineman"
)

func main() {
	text := flag.String("text", "127.0.0.1:2015", "`host:port` for lines")
	http := flag.String("http", "127.0.0.1:2016", "`host:port` for HTTP")
	count := flag.Int("count", 1, "processes")
	noOuter := flag.Bool("no-outer", false, "leave the port for lines out: the worker only opens the other")
	reusePort := flag.Bool("reuseport", false, "let every process listen on the port for HTTP")
	flag.Parse()

	addr := "text://" + *text
	if *noOuter {
		addr = ""
	}
	w := worker(addr, "http://"+*http, *reusePort)
	w.Count = *count
	lineman.Main(w)
}

// worker answers lines; the HTTP listener that each of its processes opens when it starts answers requests with the
// same function.
func worker(addr, http string, reusePort bool) *lineman.Worker {
	hello := func(c *lineman.Conn, _ []byte) { _ = c.Send([]byte("hello")) }

	cut := func(c *lineman.Conn) { c.Abort() } // who does not read its answers has lost its place

	w := &lineman.Worker{Name: "text", Addr: addr}
	w.OnMessage, w.OnFull = hello, cut
	w.OnStart = func(l *lineman.Loop) error {
		inner := &lineman.Worker{Name: "http", Addr: http, ReusePort: reusePort}
		inner.OnMessage, inner.OnFull = hello, cut
		second, err := l.Listen(inner)
		if errors.Is(err, syscall.EADDRINUSE) && l.ID() > 0 {
			slog.Error(err.Error())
			return nil // the first process has it; this one serves what it can
		}
		if err != nil {
			return err
		}
		if first := l.Listener(w); first != nil {
			fmt.Printf("listen: lines on %s, HTTP on %s\n", first.Addr(), second.Addr())
		} else {
			fmt.Printf("listen: HTTP on %s\n", second.Addr())
		}
		return nil
	}
	return w
}
