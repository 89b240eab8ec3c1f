//go:build unix

// Command nethttp is net/http, as subject answers.
package main

import (
	"io"
	"log"
	"net/http"

	"github.com/lineman-go/lineman/bench/served"
)

func main() {
	served.By(map[string]served.Server{
		"http":  func(addr, _, _ string) error { return server(addr).ListenAndServe() },
		"https": func(addr, cert, key string) error { return server(addr).ListenAndServeTLS(cert, key) },
	})
}

func server(addr string) *http.Server {
	quiet := log.New(io.Discard, "", 0) // of clients that come only to see whether it listens
	return &http.Server{Addr: addr, Handler: http.HandlerFunc(handle), ErrorLog: quiet}
}

func handle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, served.Greeting) // the peer has gone
}
