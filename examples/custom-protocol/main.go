// Custom protocol: messages of JSON, one after the other, with nothing between them. Two methods make a protocol.
//
//	go run ./examples/custom-protocol
//	printf '{"a":1}{"a":2}' | nc -N 127.0.0.1 2017
package main

import (
	"flag"
	"fmt"

	"github.com/lineman-go/lineman"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:2017", "`host:port` to listen on")
	flag.Parse()

	lineman.Main(worker(*addr))
}

// worker sends every object back, with its length.
func worker(addr string) *lineman.Worker {
	w := &lineman.Worker{Name: "objects", Addr: "tcp://" + addr, Protocol: Objects{}}
	w.OnStart = func(l *lineman.Loop) error {
		fmt.Printf("custom-protocol: objects on %s\n", l.Listener(w).Addr())
		return nil
	}
	w.OnFull = func(c *lineman.Conn) { c.Abort() } // who does not read its answers has lost its place
	w.OnMessage = func(c *lineman.Conn, object []byte) {
		_ = c.Send(fmt.Appendf(nil, `{"bytes":%d,"object":%s}`, len(object), object))
	}
	return w
}
