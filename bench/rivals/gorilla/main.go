//go:build unix

// Command gorilla is github.com/gorilla/websocket.
package main

import (
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/lineman-go/lineman/bench/served"
)

var (
	plain      = websocket.Upgrader{}
	compressed = websocket.Upgrader{EnableCompression: true}
	room       served.Room[*conn]
)

// conn is a connection to which several goroutines write.
type conn struct {
	*websocket.Conn
	mu sync.Mutex // guards writing
}

func main() {
	served.By(map[string]served.Server{
		"ws": served.HTTP(serve(&plain, echo)), "wss": served.HTTPS(serve(&plain, echo)),
		"wsz": served.HTTP(serve(&compressed, echo)), "wsbc": served.HTTP(serve(&plain, toAll)),
	})
}

func serve(u *websocket.Upgrader, handle func(*conn) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ws, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		c := &conn{Conn: ws}
		room.Enter(c)
		defer room.Leave(c)
		for handle(c) == nil {
		}
	}
}

func echo(c *conn) error {
	kind, message, err := c.ReadMessage()
	if err != nil {
		return err
	}
	return c.WriteMessage(kind, message)
}

func toAll(c *conn) error {
	kind, message, err := c.ReadMessage()
	if err != nil {
		return err
	}
	prepared, err := websocket.NewPreparedMessage(kind, message)
	if err != nil {
		return err
	}
	room.Each(func(to *conn) {
		to.mu.Lock()
		defer to.mu.Unlock()
		_ = to.WritePreparedMessage(prepared) // its own goroutine sees that it has gone
	})
	return nil
}
