// Game: snakes of all players in one arena. The loop moves them, and tells every page where they are.
//
//	go run ./examples/game
package main

import (
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
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

	lineman.Main(newGame(*addr, 120*time.Millisecond).worker)
}

const (
	maxName    = 20 // bytes
	maxPlayers = 50
)

// game joins the arena and the connections. One loop runs all of it, so there is no lock.
type game struct {
	worker *lineman.Worker
	arena  *arena[*lineman.Conn]
}

// newGame makes a game whose snakes move once in each tick.
func newGame(addr string, tick time.Duration) *game {
	w := &lineman.Worker{
		Name:   "game",
		Addr:   "websocket://" + addr,
		Limits: lineman.Limits{MaxMessage: 256},
	}
	g := &game{worker: w, arena: newArena[*lineman.Conn](rand.IntN)}
	w.OnStart = func(l *lineman.Loop) error {
		fmt.Printf("game: open http://%s/ in two windows\n", l.Listener(w).Addr())
		l.Every(tick, func() { g.tick(l) })
		return nil
	}
	w.OnRequest = servePage
	w.OnMessage = g.hear
	w.OnClose = func(c *lineman.Conn, _ error) { delete(g.arena.snakes, c) }
	w.OnFull = func(c *lineman.Conn) { c.Abort() } // a page that does not read has nothing to play with
	return g
}

// hear takes the first message of a page as its name, and each later one as a turn.
func (g *game) hear(c *lineman.Conn, msg []byte) {
	name := strings.TrimSpace(string(msg))
	switch {
	case g.arena.snakes[c] != nil:
		g.arena.turn(c, name)
	case name == "" || len(name) > maxName || !utf8.ValidString(name):
		_ = c.CloseWith(websocket.Policy, fmt.Sprintf("the first message is the name: 1 to %d bytes", maxName))
	case len(g.arena.snakes) >= maxPlayers:
		_ = c.CloseWith(websocket.TryAgain, "the arena is full")
	default:
		g.arena.enter(c, name)
	}
}

// tick moves the snakes, and tells every page. What it tells is encoded once for all.
func (g *game) tick(l *lineman.Loop) {
	if len(g.arena.snakes) == 0 {
		return
	}
	g.arena.step()
	state, err := json.Marshal(struct {
		Width  int      `json:"width"`
		Height int      `json:"height"`
		Apples []point  `json:"apples"`
		Snakes []*snake `json:"snakes"`
	}{width, height, g.arena.apples, slices.SortedFunc(maps.Values(g.arena.snakes), byScore)})
	if err != nil {
		panic(err) // these types can be written
	}
	l.Broadcast(maps.Keys(g.arena.snakes), state)
}

func byScore(a, b *snake) int {
	if a.Score != b.Score {
		return b.Score - a.Score
	}
	return strings.Compare(a.Name, b.Name)
}

func servePage(c *lineman.Conn, r *http1.Request) {
	if r.Method() != "GET" && r.Method() != "HEAD" || string(r.Path()) != "/" {
		_ = c.Respond(&http1.Response{Status: 404, Body: []byte("not found\n")})
		return
	}
	_ = c.Respond(&http1.Response{Type: "text/html; charset=utf-8", Body: page})
}
