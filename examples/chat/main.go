// Chat: what one page says, all pages read.
//
//	go run ./examples/chat
package main

import (
	_ "embed"
	"flag"
	"fmt"
	"unicode/utf8"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

//go:embed page.html
var page []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` of the page and its WebSocket")
	flag.Parse()

	lineman.Main(room(*addr))
}

// maxName is the longest name in bytes.
const maxName = 40

// room is a worker whose pages first say their name, then talk.
func room(addr string) *lineman.Worker {
	w := &lineman.Worker{
		Name:   "chat",
		Addr:   "websocket://" + addr,
		Limits: lineman.Limits{MaxMessage: 4 << 10},
	}
	w.OnStart = func(l *lineman.Loop) error {
		fmt.Printf("chat: open http://%s/ in two windows\n", l.Listener(w).Addr())
		return nil
	}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		if r.Method() != "GET" && r.Method() != "HEAD" || string(r.Path()) != "/" {
			_ = c.Respond(&http1.Response{Status: 404, Body: []byte("not found\n")})
			return
		}
		_ = c.Respond(&http1.Response{Type: "text/html; charset=utf-8", Body: page})
	}
	w.OnFull = func(c *lineman.Conn) { c.Abort() } // a page that does not read would miss lines without a word
	say := func(l *lineman.Loop, line string) { l.Broadcast(l.Conns(w), []byte(line)) }
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		name, known := c.Value().(string)
		switch {
		case known:
			say(c.Loop(), name+": "+string(msg))
		case len(msg) == 0 || len(msg) > maxName || !utf8.Valid(msg):
			_ = c.CloseWith(websocket.Policy, fmt.Sprintf("the first message is the name: 1 to %d bytes", maxName))
		default:
			c.SetValue(string(msg))
			say(c.Loop(), string(msg)+" came in")
		}
	}
	w.OnClose = func(c *lineman.Conn, _ error) {
		if name, known := c.Value().(string); known {
			say(c.Loop(), name+" left")
		}
	}
	return w
}
