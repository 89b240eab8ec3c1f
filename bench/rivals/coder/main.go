//go:build unix

// Command coder is github.com/coder/websocket.
package main

import (
	"context"
	"net/http"

	"github.com/coder/websocket"

	"github.com/lineman-go/lineman/bench/served"
)

var room served.Room[*websocket.Conn]

func main() {
	plain := &websocket.AcceptOptions{}
	compressed := &websocket.AcceptOptions{CompressionMode: websocket.CompressionNoContextTakeover}
	served.By(map[string]served.Server{
		"ws": served.HTTP(serve(plain, echo)), "wss": served.HTTPS(serve(plain, echo)),
		"wsz": served.HTTP(serve(compressed, echo)), "wsbc": served.HTTP(serve(plain, toAll)),
	})
}

func serve(o *websocket.AcceptOptions, handle func(context.Context, *websocket.Conn) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, o)
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(served.MostBytes)
		room.Enter(c)
		defer room.Leave(c)
		for handle(context.Background(), c) == nil {
		}
	}
}

func echo(ctx context.Context, c *websocket.Conn) error {
	kind, message, err := c.Read(ctx)
	if err != nil {
		return err
	}
	return c.Write(ctx, kind, message)
}

func toAll(ctx context.Context, c *websocket.Conn) error {
	kind, message, err := c.Read(ctx)
	if err != nil {
		return err
	}
	room.Each(func(to *websocket.Conn) {
		_ = to.Write(ctx, kind, message) // its own goroutine sees that it has gone
	})
	return nil
}
