// Push: a page holds a WebSocket, a back end writes one line of JSON to another port of the same process, the page has
// it.
//
//	go run ./examples/push
//	go run ./examples/push -send '{"uid":"uid1","percent":"88%"}'
package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"os"
	"unicode/utf8"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/text"
	"github.com/lineman-go/lineman/protocol/websocket"
)

//go:embed page.html
var page []byte

func main() {
	// A page may choose any uid, so no other machine is let in: docs/pages.md has pages that prove who they are.
	ws := flag.String("websocket", "127.0.0.1:1234", "`host:port` for browsers")
	back := flag.String("text", "127.0.0.1:5678", "`host:port` for back ends")
	line := flag.String("send", "",
		"send this `line` to a running server as a back end does, print its answer, and end")
	flag.Parse()

	if *line == "" {
		lineman.Main(newServer(*ws, *back, os.Stdout).pages)
	}
	if err := send(*back, *line, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "push:", err)
		os.Exit(1)
	}
}

// server is what the WebSocket worker and the text worker inside it share: one loop runs both, so plain variables do.
type server struct {
	pages    *lineman.Worker
	backends *lineman.Worker
	loop     *lineman.Loop                     // of both, from OnStart on
	users    map[string]map[*lineman.Conn]bool // the open pages of each uid
}

func newServer(ws, back string, out io.Writer) *server {
	s := &server{users: make(map[string]map[*lineman.Conn]bool)}
	s.pages, s.backends = s.pageWorker(ws), s.backendWorker(back)
	s.pages.OnStart = func(l *lineman.Loop) error {
		s.loop = l
		inner, err := l.Listen(s.backends)
		if err != nil {
			return err
		}
		greet(out, l.Listener(s.pages).Addr(), inner.Addr())
		return nil
	}
	return s
}

// maxUID is the longest uid in bytes.
const maxUID = 255

func (s *server) pageWorker(addr string) *lineman.Worker {
	w := &lineman.Worker{
		Name: "push",
		Addr: "websocket://" + addr,
		// One process: a page is known to the process that holds its WebSocket, and a line that reached another one
		// would not find it.
		Count: 1,
		// A page that was opened from a file sends the origin "null", and so can any page, in a sandboxed frame: list
		// your own pages instead.
		Protocol: &websocket.Protocol{Origins: []string{"null"}},
	}
	w.OnRequest = servePage
	w.OnMessage = s.login
	w.OnClose = s.logout
	return w
}

// login takes the first message of a page as its uid; later ones are ignored.
func (s *server) login(c *lineman.Conn, msg []byte) {
	if c.Value() != nil {
		return
	}
	if len(msg) == 0 || len(msg) > maxUID {
		_ = c.CloseWith(websocket.Policy, fmt.Sprintf("the first message is the uid: 1 to %d bytes", maxUID))
		return
	}
	uid := string(msg)
	c.SetValue(uid)
	if s.users[uid] == nil {
		s.users[uid] = make(map[*lineman.Conn]bool)
	}
	s.users[uid][c] = true
}

func (s *server) logout(c *lineman.Conn, _ error) {
	uid, ok := c.Value().(string)
	if !ok {
		return
	}
	delete(s.users[uid], c)
	if len(s.users[uid]) == 0 {
		delete(s.users, uid)
	}
}

// backendWorker is the port for back ends: one line of JSON, one line of answer.
func (s *server) backendWorker(addr string) *lineman.Worker {
	w := &lineman.Worker{Name: "backend", Addr: "text://" + addr, Protocol: text.Protocol{RefuseHTTP: true}}
	w.OnMessage = func(c *lineman.Conn, line []byte) { _ = c.Send(s.push(line)) }
	w.OnFull = func(c *lineman.Conn) { c.Abort() } // who does not read its answers has lost its place
	w.OnInvalid = func(c *lineman.Conn, err error) { _ = c.Send([]byte("error: " + err.Error())) }
	return w
}

// push delivers a line and says how that went.
func (s *server) push(line []byte) []byte {
	to, err := parse(line)
	if err != nil {
		return []byte("error: " + err.Error())
	}
	if to.all && s.broadcast(line) || !to.all && s.sendMessageByUid(to.uid, line) {
		return []byte("ok")
	}
	return []byte("fail")
}

// broadcast sends message to every page that has said its uid and reports whether one took it.
func (s *server) broadcast(message []byte) bool {
	known := func(yield func(*lineman.Conn) bool) {
		for c := range s.loop.Conns(s.pages) {
			if c.Value() != nil && !yield(c) {
				return
			}
		}
	}
	return s.loop.Broadcast(known, message) > 0
}

// sendMessageByUid sends message to all pages of uid and reports whether one took it: one that does not read, and for
// which as much waits as may wait, does not.
func (s *server) sendMessageByUid(uid string, message []byte) bool {
	return s.loop.Broadcast(maps.Keys(s.users[uid]), message) > 0
}

// target is whom a line is for.
type target struct {
	uid string
	all bool
}

// parse finds the target of a line: a JSON object with "uid", a string or an integer, or with "all":true.
func parse(line []byte) (target, error) {
	switch {
	case len(line) == 0:
		return target{}, errors.New("there is nothing: want a JSON object")
	case !utf8.Valid(line):
		return target{}, errors.New("not UTF-8")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil || fields == nil {
		return target{}, errors.New("not a JSON object")
	}
	if all := fields["all"]; all != nil {
		if string(all) != "true" {
			return target{}, errors.New(`"all" must be true`)
		}
		return target{all: true}, nil
	}
	uid, err := parseUID(fields["uid"])
	return target{uid: uid}, err
}

// parseUID reads a uid: 7 and "7" are the same.
func parseUID(raw json.RawMessage) (string, error) {
	if raw == nil {
		return "", errors.New(`no "uid"`)
	}
	var uid string
	if raw[0] != '"' || json.Unmarshal(raw, &uid) != nil {
		n, ok := new(big.Int).SetString(string(raw[:min(len(raw), maxUID+1)]), 10)
		if !ok {
			return "", errors.New(`"uid" must be a string or an integer`)
		}
		uid = n.String()
	}
	if uid == "" || len(uid) > maxUID {
		return "", fmt.Errorf(`"uid" must have 1 to %d bytes`, maxUID)
	}
	return uid, nil
}

func servePage(c *lineman.Conn, r *http1.Request) {
	if r.Method() != "GET" && r.Method() != "HEAD" || string(r.Path()) != "/" {
		_ = c.Respond(&http1.Response{Status: 404, Body: []byte("not found\n")})
		return
	}
	_ = c.Respond(&http1.Response{Type: "text/html; charset=utf-8", Body: page})
}

func greet(out io.Writer, pages, backends net.Addr) {
	_, port, _ := net.SplitHostPort(pages.String())
	fmt.Fprintf(out, `push: pages on ws://%s, back ends on %s
  open   http://127.0.0.1:%s/
  send   go run ./examples/push -send '{"uid":"uid1","percent":"88%%"}'
`, pages, backends, port)
}
