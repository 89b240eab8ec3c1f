// Echo: every message comes back, over any protocol.
//
//	go run ./examples/echo -addr websocket://127.0.0.1:2015
//	go run ./examples/echo -addr websocket://127.0.0.1:2015 -compression -cert cert.pem -key key.pem
//	go run ./examples/echo -addr text://127.0.0.1:2015 -count 4 start -d
package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/websocket"
)

func main() {
	addr := flag.String("addr", "text://127.0.0.1:2015",
		"`scheme://host:port`: tcp, udp, text, frame, http, websocket; or unix:///path")
	count := flag.Int("count", 1, "processes")
	reusePort := flag.Bool("reuseport", false, "give each process a listening socket of its own")
	compression := flag.Bool("compression", false, "compress messages of WebSockets")
	cert := flag.String("cert", "", "certificate `file`, for TLS below the protocol")
	key := flag.String("key", "", "its key's `file`")
	flag.Parse()

	w := worker(*addr, *compression)
	w.Count, w.ReusePort = *count, *reusePort
	if *cert != "" {
		if err := secure(w, *cert, *key); err != nil {
			fmt.Fprintln(os.Stderr, "echo:", err)
			os.Exit(1)
		}
	}
	w.OnStart = func(l *lineman.Loop) error {
		if l.ID() == 0 {
			fmt.Printf("echo: %s on %s\n", *addr, l.Listener(w).Addr())
		}
		return nil
	}
	lineman.Main(w)
}

func secure(w *lineman.Worker, cert, key string) error {
	certificate, err := lineman.Certificate(cert, key)
	w.TLS = &tls.Config{GetCertificate: certificate}
	return err
}

// worker echoes. Over HTTP, Send answers 200 with the body of the request.
func worker(addr string, compression bool) *lineman.Worker {
	w := &lineman.Worker{Name: "echo", Addr: addr}
	if strings.HasPrefix(addr, "websocket") {
		p := &websocket.Protocol{Origins: []string{"*"}} // an echo has no secrets
		if compression {
			p.Compression = &websocket.Compression{}
		}
		w.Protocol = p
	}
	// A client that does not read is not read from either: the message that finds no room waits, and the rest where it
	// is. Of datagrams, which may get lost anyway, none waits.
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		m := message{msg, c.Binary()}
		if errors.Is(m.send(c), lineman.ErrFull) && !strings.HasPrefix(addr, "udp") {
			m.text = bytes.Clone(msg)
			c.SetValue(m)
			c.Pause()
		}
	}
	w.OnDrain = func(c *lineman.Conn) {
		if m, waits := c.Value().(message); waits {
			c.SetValue(nil)
			_ = m.send(c) // there is room, or the connection has ended
			c.Resume()
		}
	}
	return w
}

// message is what goes back as it came.
type message struct {
	text   []byte
	binary bool
}

func (m message) send(c *lineman.Conn) error {
	if m.binary {
		return c.SendBinary(m.text)
	}
	return c.Send(m.text)
}
