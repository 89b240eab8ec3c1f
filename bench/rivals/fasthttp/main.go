//go:build unix

// Command fasthttp is github.com/valyala/fasthttp.
package main

import (
	"github.com/valyala/fasthttp"

	"github.com/lineman-go/lineman/bench/served"
)

func main() {
	served.By(map[string]served.Server{
		"http":  func(addr, _, _ string) error { return fasthttp.ListenAndServe(addr, greet) },
		"https": func(addr, cert, key string) error { return fasthttp.ListenAndServeTLS(addr, cert, key, greet) },
	})
}

func greet(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.SetBodyString(served.Greeting)
}
