// HTTP and WebSocket: what is posted over HTTP reaches every page.
//
//	go run ./examples/http-and-websocket
//	curl -d hello http://127.0.0.1:8080/push
package main

import (
	_ "embed"
	"flag"
	"fmt"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
)

//go:embed page.html
var page []byte

func main() {
	http := flag.String("http", "127.0.0.1:8080", "`host:port` for HTTP")
	ws := flag.String("websocket", "127.0.0.1:8081", "`host:port` for WebSockets")
	flag.Parse()

	lineman.Main(worker(*http, *ws))
}

// worker serves HTTP and, when it starts, listens for WebSockets on the same loop.
func worker(http, ws string) *lineman.Worker {
	pages := &lineman.Worker{Name: "pages", Addr: "websocket://" + ws}
	pages.OnFull = func(c *lineman.Conn) { c.Abort() } // a page that does not read would miss something without a word

	w := &lineman.Worker{Name: "http", Addr: "http://" + http}
	w.OnStart = func(l *lineman.Loop) error {
		inner, err := l.Listen(pages)
		if err != nil {
			return err
		}
		fmt.Printf("http-and-websocket: open http://%s/?ws=%s and then\n  curl -d hello http://%s/push\n",
			l.Listener(w).Addr(), inner.Addr(), l.Listener(w).Addr())
		return nil
	}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) { route(c, r, pages) }
	return w
}

func route(c *lineman.Conn, r *http1.Request, pages *lineman.Worker) {
	answer := &http1.Response{Status: 404, Body: []byte("not found\n")}
	switch path := string(r.Path()); {
	case path == "/" && (r.Method() == "GET" || r.Method() == "HEAD"):
		answer = &http1.Response{Type: "text/html; charset=utf-8", Body: page}
	case path == "/push" && r.Method() == "POST":
		l := c.Loop()
		n := l.Broadcast(l.Conns(pages), r.Body())
		answer = &http1.Response{Body: fmt.Appendf(nil, "sent to %d\n", n)}
	case path == "/push":
		answer = &http1.Response{Status: 405, Header: []http1.Field{{Name: "Allow", Value: "POST"}}}
	}
	_ = c.Respond(answer)
}
