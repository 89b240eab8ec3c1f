//go:build unix

// Command nethttp is net/http.
package main

import (
	"io"
	"net/http"

	"github.com/lineman-go/lineman/bench/served"
)

func main() {
	served.By(map[string]served.Server{"http": served.HTTP(greet), "https": served.HTTPS(greet)})
}

func greet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, served.Greeting) // the peer has gone
}
