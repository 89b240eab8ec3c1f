// A proxy: each connection that it accepts is joined with one that it dials. With a certificate it ends TLS in front.
//
//	go run ./examples/proxy -listen tcp://127.0.0.1:8081 -to tcp://127.0.0.1:8080
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"os"

	"github.com/lineman-go/lineman"
)

func main() {
	listen := flag.String("listen", "tcp://127.0.0.1:8081", "`address` to listen on")
	to := flag.String("to", "tcp://127.0.0.1:8080", "`address` to connect to")
	cert := flag.String("cert", "", "certificate `file`, for TLS in front")
	key := flag.String("key", "", "its key's `file`")
	flag.Parse()

	w := worker(*listen, *to)
	if *cert != "" {
		if err := secure(w, *cert, *key); err != nil {
			fmt.Fprintln(os.Stderr, "proxy:", err)
			os.Exit(1)
		}
	}
	lineman.Main(w)
}

func secure(w *lineman.Worker, cert, key string) error {
	certificate, err := lineman.Certificate(cert, key)
	w.TLS = &tls.Config{GetCertificate: certificate}
	return err
}

func worker(listen, to string) *lineman.Worker {
	w := &lineman.Worker{Name: "proxy", Addr: listen}
	w.OnStart = func(l *lineman.Loop) error {
		fmt.Printf("proxy: what comes to %s goes to %s\n", l.Listener(w).Addr(), to)
		return nil
	}
	w.OnConnect = func(c *lineman.Conn) {
		d := lineman.Dialer{Name: to}
		d.OnClose = func(_ *lineman.Conn, err error) { log.Printf("%v: the other side ended: %v", c.RemoteAddr(), err) }
		target, err := c.Loop().Dial(to, d)
		if err == nil {
			err = lineman.Pipe(c, target)
		}
		if err != nil {
			log.Print(err)
			c.Abort()
		}
	}
	w.OnClose = func(c *lineman.Conn, err error) {
		stats := c.Stats()
		log.Printf("%v: %d bytes there, %d back: %v", c.RemoteAddr(), stats.BytesIn, stats.BytesOut, err)
	}
	return w
}
