// Command nbio is github.com/lesismal/nbio. measure builds it with the sources that it is given.
//
//	nbio PROTO PORT
package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"sync"

	"github.com/lesismal/nbio"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
)

const mostBytes = 16 << 20 // of a message

func main() {
	proto, addr := os.Args[1], "127.0.0.1:"+os.Args[2]
	logging.SetLevel(logging.LevelError)
	var err error
	switch proto {
	case "tcp", "text":
		err = serveBytes(proto, addr)
	case "http":
		err = serveHTTP(addr, greet)
	default:
		err = serveHTTP(addr, upgrade(proto))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nbio:", err)
		os.Exit(1)
	}
	select {}
}

func serveBytes(proto, addr string) error {
	e := nbio.NewEngine(nbio.Config{Network: "tcp", Addrs: []string{addr}, NPoller: 1})
	rests := map[*nbio.Conn][]byte{} // of the one poller
	e.OnData(func(c *nbio.Conn, data []byte) {
		if proto == "text" {
			data = append(rests[c], data...)
			end := bytes.LastIndexByte(data, '\n') + 1
			rests[c] = append([]byte(nil), data[end:]...)
			data = data[:end]
		}
		_, _ = c.Write(data) // it is closed when that fails
	})
	return e.Start()
}

func serveHTTP(addr string, h http.HandlerFunc) error {
	e := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp", Addrs: []string{addr}, Handler: h, NPoller: 1,
		MaxWebsocketFramePayloadSize: mostBytes, // one frame for a message
	})
	return e.Start()
}

func greet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", "13")  // or it comes in chunks
	_, _ = w.Write([]byte("Hello, World!")) // the peer has gone
}

func upgrade(proto string) http.HandlerFunc {
	var all sync.Map
	u := websocket.NewUpgrader()
	u.EnableCompression(proto == "wsz")
	u.KeepaliveTime = 0
	u.MessageLengthLimit = mostBytes
	u.OnOpen(func(c *websocket.Conn) { all.Store(c, true) })
	u.OnClose(func(c *websocket.Conn, _ error) { all.Delete(c) })
	u.OnMessage(func(c *websocket.Conn, kind websocket.MessageType, data []byte) {
		if proto != "wsbc" {
			_ = c.WriteMessage(kind, data) // OnClose sees that it has gone
			return
		}
		all.Range(func(to, _ any) bool {
			_ = to.(*websocket.Conn).WriteMessage(kind, data)
			return true
		})
	})
	return func(w http.ResponseWriter, r *http.Request) { _, _ = u.Upgrade(w, r, nil) } // it has answered
}
