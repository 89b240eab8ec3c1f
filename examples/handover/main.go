// Handover: a lobby where people play dice. A reload, or a new program, keeps every table, turn and connection.
//
//	go build -o lobby ./examples/handover
//	./lobby start -d && ./lobby reload && ./lobby stop
package main

import (
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
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

	lineman.Main(newLobby(*addr).worker)
}

const maxName = 20 // bytes

// lobby joins tables and connections. One loop runs all of it, so there is no lock.
type lobby struct {
	worker *lineman.Worker
	tables tables
	conns  map[uint64]*lineman.Conn // of players, by id
	roll   func() int
	clock  *lineman.Timer
}

func newLobby(addr string) *lobby {
	b := &lobby{
		tables: make(tables), conns: make(map[uint64]*lineman.Conn), roll: func() int { return rand.IntN(6) + 1 },
	}
	w := &lineman.Worker{Name: "lobby", Addr: "websocket://" + addr, Limits: lineman.Limits{MaxMessage: 256}}
	b.worker = w
	w.OnStart = b.start
	w.OnRequest = servePage
	w.OnMessage = b.hear
	w.OnClose = func(c *lineman.Conn, _ error) { b.leave(c) }
	w.OnFull = func(c *lineman.Conn) { c.Abort() } // a page that does not read has nothing to play with

	w.SaveState, w.RestoreState = b.saveState, b.restoreState
	w.Save, w.Restore = save, b.restore
	w.OnHandover = func(*lineman.Loop) { b.clock.Stop() } // the next process has one of its own
	return b
}

func (b *lobby) start(l *lineman.Loop) error {
	fmt.Printf("lobby: open http://%s/ in two windows\n", l.Listener(b.worker).Addr())
	b.clock = l.Every(time.Second, b.tick)
	return nil
}

// What crosses: the tables, once, and then each connection with its player. In the next process a connection has the
// id that it had, so the tables need no change.

func (b *lobby) saveState(*lineman.Loop) ([]byte, error) { return json.Marshal(b.tables) }

func (b *lobby) restoreState(l *lineman.Loop, state []byte) error {
	l.After(0, b.forgetAbsent)
	return json.Unmarshal(state, &b.tables)
}

func save(c *lineman.Conn) ([]byte, error) { return json.Marshal(c.Value()) }

func (b *lobby) restore(c *lineman.Conn, value []byte) error {
	var p *player
	if err := json.Unmarshal(value, &p); err != nil || p == nil {
		return err // nil: it has not said its name yet
	}
	c.SetValue(p)
	b.conns[c.ID()] = c
	return nil
}

// forgetAbsent takes players from their tables whose connections have not come along.
func (b *lobby) forgetAbsent() {
	for name, t := range maps.Clone(b.tables) {
		for _, id := range slices.Clone(t.Players) {
			if b.conns[id] == nil {
				b.tables.leave(name, id, time.Now())
			}
		}
	}
}

// hear takes the first message as a name, and later ones as what the player does or says.
func (b *lobby) hear(c *lineman.Conn, msg []byte) {
	text := strings.TrimSpace(string(msg))
	p, known := c.Value().(*player)
	if !known {
		b.welcome(c, text)
		return
	}
	word, name, _ := strings.Cut(text, " ")
	switch {
	case word == "join" && name != "":
		b.join(c, p, name)
	case text == "roll":
		b.play(c, p)
	case text == "who":
		say(c, "process %d answers; you are connection %d", os.Getpid(), c.ID())
	case p.Table == "":
		say(c, "join a table first, as in: join red")
	default:
		b.tell(p.Table, "%s: %s", p.Name, text)
	}
}

func (b *lobby) welcome(c *lineman.Conn, name string) {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		_ = c.CloseWith(websocket.Policy, fmt.Sprintf("the first message is the name: 1 to %d bytes", maxName))
		return
	}
	c.SetValue(&player{Name: name})
	b.conns[c.ID()] = c
	say(c, "hello %s; join a table, as in: join red", name)
}

func (b *lobby) join(c *lineman.Conn, p *player, name string) {
	b.stand(c, p)
	p.Table, p.Points = name, 0
	t := b.tables.enter(name, c.ID(), time.Now())
	b.tell(name, "%s sits down; %s is to roll", p.Name, b.name(t.next()))
}

// play rolls for a player whose turn it is.
func (b *lobby) play(c *lineman.Conn, p *player) {
	t := b.tables[p.Table]
	if t == nil || t.next() != c.ID() {
		say(c, "it is not your turn")
		return
	}
	n := b.roll()
	p.Points += n
	t.begin(t.Turn+1, time.Now())
	if p.Points < goal {
		b.tell(p.Table, "%s rolls %d and has %d; %s is to roll", p.Name, n, p.Points, b.name(t.next()))
		return
	}
	b.tell(p.Table, "%s rolls %d and wins; %s begins", p.Name, n, b.name(t.next()))
	for other := range b.at(p.Table) {
		other.Value().(*player).Points = 0
	}
}

// tick has the turn go on where somebody took too long.
func (b *lobby) tick() {
	for name, t := range b.tables {
		if now := time.Now(); now.After(t.Until) && len(t.Players) > 1 {
			t.begin(t.Turn+1, now)
			b.tell(name, "that took too long; %s is to roll", b.name(t.next()))
		}
	}
}

func (b *lobby) leave(c *lineman.Conn) {
	if p, known := c.Value().(*player); known {
		b.stand(c, p)
		delete(b.conns, c.ID())
	}
}

// stand takes a player from the table, if there is one.
func (b *lobby) stand(c *lineman.Conn, p *player) {
	if b.tables[p.Table] == nil {
		return
	}
	b.tables.leave(p.Table, c.ID(), time.Now())
	b.tell(p.Table, "%s stands up", p.Name)
	p.Table = ""
}

func (b *lobby) name(id uint64) string {
	if c := b.conns[id]; c != nil {
		return c.Value().(*player).Name
	}
	return "somebody who has gone"
}

// at are the connections at a table.
func (b *lobby) at(name string) iter.Seq[*lineman.Conn] {
	return func(yield func(*lineman.Conn) bool) {
		t := b.tables[name]
		if t == nil {
			return
		}
		for _, id := range t.Players {
			if c := b.conns[id]; c != nil && !yield(c) {
				return
			}
		}
	}
}

// tell says something to all at a table.
func (b *lobby) tell(name, format string, args ...any) {
	for c := range b.at(name) {
		say(c, format, args...)
	}
}

// say says something to one. Who does not read is closed by OnFull.
func say(c *lineman.Conn, format string, args ...any) { _ = c.Send(fmt.Appendf(nil, format, args...)) }

func servePage(c *lineman.Conn, r *http1.Request) {
	if r.Method() != "GET" && r.Method() != "HEAD" || string(r.Path()) != "/" {
		_ = c.Respond(&http1.Response{Status: 404, Body: []byte("not found\n")})
		return
	}
	_ = c.Respond(&http1.Response{Type: "text/html; charset=utf-8", Body: page})
}
