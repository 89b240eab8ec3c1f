// Converse counts what each client says and what it is told, in lines, in HTTP and in WebSocket messages: a client says
// 1, 2, 3 and is told 1, 2, 3. Whatever is lost, doubled or out of order is seen at both ends. The counts cross to the
// successor in a reload.
package main

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// version is set by the linker.
var version = "1"

// conversation is the value of a connection.
type conversation struct {
	heard uint64 // the number that the client said last
	told  uint64 // and that it was told
}

// heard is how many messages the process has heard, with those of its predecessors. All loops add to it.
var heard atomic.Uint64

// padding makes a flood of answers large enough for the kernel to refuse some.
var padding = " " + strings.Repeat("x", 8<<10)

func main() {
	loops := flag.Int("loops", 1, "loops of the process")
	certificate := flag.String("cert", "", "certificate `file`: serve TLS")
	key := flag.String("key", "", "its key `file`")
	flag.Parse()
	w := &lineman.Worker{Name: "talk", Addr: "websocket://127.0.0.1:0", Loops: *loops, PerLoop: complete}
	w.Protocol = &websocket.Protocol{Compression: &websocket.Compression{}}
	w.Limits.MaxPending = 16 << 20
	m := lineman.Master{Workers: []*lineman.Worker{w}}
	if *certificate != "" {
		w.TLS = &tls.Config{}
		w.TLS.GetCertificate, m.Err = lineman.Certificate(*certificate, *key)
	}
	m.Main()
}

// complete makes the worker of a loop.
func complete(w *lineman.Worker) {
	converse(w)
	lines := &lineman.Worker{Name: "lines", Addr: "text://127.0.0.1:0"}
	converse(lines)
	requests := &lineman.Worker{Name: "requests", Addr: "http://127.0.0.1:0"}
	converse(requests)
	requests.OnMessage = nil
	requests.OnRequest = func(c *lineman.Conn, r *http1.Request) { hear(c, strings.TrimPrefix(string(r.Path()), "/")) }
	w.OnStart = func(l *lineman.Loop) error {
		_, err := l.Listen(lines)
		if err != nil {
			return err
		}
		_, err = l.Listen(requests)
		return err
	}
	w.SaveState = func(l *lineman.Loop) ([]byte, error) {
		if l.Index() > 0 {
			return nil, nil
		}
		return binary.BigEndian.AppendUint64(nil, heard.Load()), nil
	}
	w.RestoreState = func(_ *lineman.Loop, state []byte) error {
		if len(state) == 8 {
			heard.Store(binary.BigEndian.Uint64(state))
		}
		return nil
	}
}

// converse has a worker's clients converse, and what they said cross.
func converse(w *lineman.Worker) {
	w.OnConnect = func(c *lineman.Conn) { c.SetValue(&conversation{}) }
	w.OnMessage = func(c *lineman.Conn, msg []byte) { hear(c, string(msg)) }
	w.Save = func(c *lineman.Conn) ([]byte, error) {
		v := c.Value().(*conversation)
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, v.heard), v.told), nil
	}
	w.Restore = func(c *lineman.Conn, value []byte) error {
		if len(value) != 16 {
			return errors.New("no conversation")
		}
		c.SetValue(&conversation{binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:])})
		return nil
	}
}

// hear answers "N", and with so many large answers "N K". It tells the version of the program to "version", and how
// many messages were heard to "heard".
func hear(c *lineman.Conn, msg string) {
	switch msg {
	case "version":
		_ = c.Send([]byte(version))
		return
	case "heard":
		_ = c.Send(strconv.AppendUint(nil, heard.Load(), 10))
		return
	}
	v := c.Value().(*conversation)
	number, flood, large := strings.Cut(msg, " ")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || n != v.heard+1 {
		_ = c.Send(fmt.Appendf(nil, "heard %.20q after %d", msg, v.heard))
		return
	}
	heard.Add(1)
	v.heard = n
	answers := 1
	if large {
		answers, _ = strconv.Atoi(flood)
	}
	for range answers {
		v.told++
		answer := strconv.FormatUint(v.told, 10)
		if large {
			answer += padding
		}
		_ = c.Send([]byte(answer))
	}
}
