// Loops: a room that uses all processors. Each loop has a map of its own; a bus brings what is said to all of them.
//
//	go run ./examples/loops
//	nc 127.0.0.1 2019                  in two terminals: what one says, both get, whatever their loops are
//	go run ./examples/loops status     how many connections each loop has
package main

import (
	"flag"
	"fmt"
	"runtime"

	"github.com/lineman-go/lineman"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:2019", "`host:port` for lines")
	loops := flag.Int("loops", runtime.GOMAXPROCS(0), "event loops")
	flag.Parse()
	lineman.Main(room("text://"+*addr, *loops))
}

// room sends what anybody says to everybody.
func room(addr string, loops int) *lineman.Worker {
	var said lineman.Bus[string]
	return &lineman.Worker{Name: "room", Addr: addr, Loops: loops, PerLoop: func(w *lineman.Worker) {
		names := make(map[*lineman.Conn]string) // of this loop's connections: no other loop can see it
		w.OnStart = func(l *lineman.Loop) error {
			said.Join(l, func(text string) { l.Broadcast(l.Conns(w), []byte(text)) })
			return nil
		}
		w.OnConnect = func(c *lineman.Conn) {
			names[c] = fmt.Sprintf("%d on loop %d", c.ID(), c.Loop().Index())
			said.Publish(names[c] + " is here")
		}
		w.OnMessage = func(c *lineman.Conn, msg []byte) { said.Publish(names[c] + ": " + string(msg)) }
		w.OnClose = func(c *lineman.Conn, _ error) {
			said.Publish(names[c] + " has gone")
			delete(names, c)
		}
		w.OnFull = func(c *lineman.Conn) { c.Abort() } // who does not read has lost its place
	}}
}
