//go:build unix

// Package served is what the programs of the rivals have in common: their flags, and that each tells what it holds.
package served

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"github.com/lineman-go/lineman/bench/census"
)

const (
	// Greeting is the answer to each request for http.
	Greeting = "Hello, World!"

	// MostBytes is how large a message may be.
	MostBytes = 16 << 20
)

// A Server serves on addr until it fails. cert and key are files.
type Server func(addr, cert, key string) error

// HTTP is a Server by net/http.
func HTTP(h http.HandlerFunc) Server {
	return func(addr, _, _ string) error { return server(addr, h).ListenAndServe() }
}

// HTTPS is HTTP over TLS.
func HTTPS(h http.HandlerFunc) Server {
	return func(addr, cert, key string) error { return server(addr, h).ListenAndServeTLS(cert, key) }
}

func server(addr string, h http.HandlerFunc) *http.Server {
	quiet := log.New(io.Discard, "", 0) // of clients that come only to see whether it listens
	return &http.Server{Addr: addr, Handler: h, ErrorLog: quiet}
}

// By runs the Server of the protocol that the flags name, and does not return:
//
//	PROGRAM -proto ws -port 7000 -cert cert.pem -key key.pem
func By(servers map[string]Server) {
	proto := flag.String("proto", "", "what to serve")
	port := flag.String("port", "7000", "port on 127.0.0.1")
	cert := flag.String("cert", "cert.pem", "certificate, for what is over TLS")
	key := flag.String("key", "key.pem", "its key")
	flag.Parse()
	serve := servers[*proto]
	if serve == nil {
		fmt.Fprintf(os.Stderr, "%s does not serve %q\n", filepath.Base(os.Args[0]), *proto)
		os.Exit(2)
	}
	census.Serve(os.Stdout, syscall.SIGUSR1)
	fmt.Fprintln(os.Stderr, serve("127.0.0.1:"+*port, *cert, *key))
	os.Exit(1)
}
