// A client: it connects to any address, sends each line of its input as a message, and prints what comes.
//
//	go run ./examples/client text://127.0.0.1:2015
//	go run ./examples/client -again ws://127.0.0.1:8080/echo
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lineman-go/lineman"
)

func main() {
	again := flag.Bool("again", false, "connect again when the connection has ended")
	wait := flag.Duration("wait", time.Second, "how long answers may take after the last line")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: client [flags] address\n\n"+
			"The address is ws://host:port/path, wss://…, text://host:port, frame://…, tcp://…, udp://… and so on.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, flag.Arg(0), *again, *wait, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

// run is the connection's life: up to the end of the input and of the wait behind it, or its own.
func run(ctx context.Context, addr string, again bool, wait time.Duration, in io.Reader, out io.Writer) error {
	ctx, done := context.WithCancel(ctx)
	defer done()
	var failed error
	over := false // nothing is sent or awaited any more

	d := lineman.Dialer{}
	if again {
		d.Backoff.First = 100 * time.Millisecond
	}
	d.OnMessage = func(_ *lineman.Conn, msg []byte) { fmt.Fprintf(out, "%s\n", msg) }
	d.OnClose = func(_ *lineman.Conn, err error) {
		if again && !over {
			fmt.Fprintln(os.Stderr, "client: ended, and connects again:", err)
			return
		}
		if !errors.Is(err, io.EOF) {
			failed = err
		}
		done()
	}

	w := &lineman.Worker{Name: "client"} // a loop without a listener
	w.OnStart = func(l *lineman.Loop) error {
		c, err := l.Dial(addr, d)
		if err != nil {
			return err
		}
		go func() {
			send(c, in)
			c.Do(func() {
				l.After(wait, func() {
					over = true
					_ = c.Close() // it may have ended
				})
			})
		}()
		return nil
	}
	if err := lineman.Run(ctx, w); err != nil {
		return err
	}
	return failed
}

// send sends each line, and waits while the connection takes no more. It stops when the connection has ended for good.
func send(c *lineman.Conn, in io.Reader) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		err := c.Send(lines.Bytes())
		for ; errors.Is(err, lineman.ErrFull); err = c.Send(lines.Bytes()) {
			time.Sleep(10 * time.Millisecond)
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "client:", err) // about this line alone
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "client: the input:", err)
	}
}
