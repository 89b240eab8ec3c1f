//go:build unix

// Command rival is what Lineman is measured beside: net/http and fasthttp, which answer as subject does.
//
//	go -C bench run ./rival -proto nethttp -port 7000
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"syscall"

	"github.com/valyala/fasthttp"

	"github.com/lineman-go/lineman/bench/census"
)

var greeting = []byte("Hello, World!")

func main() {
	proto := flag.String("proto", "nethttp", "who serves what: nethttp, nethttps or fasthttp")
	port := flag.String("port", "7000", "port on 127.0.0.1")
	cert := flag.String("cert", "cert.pem", "certificate, for nethttps")
	key := flag.String("key", "key.pem", "its key")
	flag.Parse()
	go census.Serve(os.Stdout, syscall.SIGUSR1)
	if err := serve(*proto, "127.0.0.1:"+*port, *cert, *key); err != nil {
		fmt.Fprintln(os.Stderr, "rival:", err)
		os.Exit(1)
	}
}

func serve(proto, addr, cert, key string) error {
	quiet := log.New(io.Discard, "", 0) // of clients that come only to see whether it listens
	server := &http.Server{Addr: addr, Handler: http.HandlerFunc(handle), ErrorLog: quiet}
	switch proto {
	case "nethttp":
		return server.ListenAndServe()
	case "nethttps":
		return server.ListenAndServeTLS(cert, key)
	case "fasthttp":
		return fasthttp.ListenAndServe(addr, answer)
	}
	return fmt.Errorf("protocol %q: want nethttp, nethttps or fasthttp", proto)
}

func handle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(greeting) // the peer has gone
}

func answer(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.SetBody(greeting)
}
