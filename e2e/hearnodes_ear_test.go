package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// hearsay is what listeners of some groups have handled.
type hearsay struct {
	mu         sync.Mutex // guards the following
	groups     map[string]*hearers
	complaints []string
}

// hearers are those of one group. Each page has a uid of its own.
type hearers struct {
	pages map[string]*heardPage
	moves map[string][]string // join and leave by uid, occupied and vacated by channel
	syncs int
	again int         // events that were handled before
	at    map[int]int // events, by the node of the listener
}

// mover is a uid that has one page after the other.
const mover = "mover"

// heardPage is what a group has heard of a page. Of one that was there before the group was known, it hears the rest.
type heardPage struct {
	connects, closes int
	said             int // messages 1 to said came in order
	code             int // that it was closed with
	closed           time.Time
}

// heardEvent is an event as a listener gets it.
type heardEvent struct {
	Type, Conn, UID, Text, Channel, Call, Method string
	N                                            uint64
	Code                                         int
	Again                                        bool
	Data                                         json.RawMessage
}

func newHearsay(groups ...string) *hearsay {
	h := &hearsay{groups: map[string]*hearers{}}
	for _, name := range groups {
		h.groups[name] = &hearers{pages: map[string]*heardPage{}, moves: map[string][]string{}, at: map[int]int{}}
	}
	return h
}

func (h *hearsay) complainLocked(format string, args ...any) {
	if len(h.complaints) < 20 {
		h.complaints = append(h.complaints, fmt.Sprintf(format, args...))
	}
}

// every reports whether something is so in all groups.
func (h *hearsay) every(is func(*hearers) bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, g := range h.groups {
		if !is(g) {
			return false
		}
	}
	return true
}

// has reports whether all groups have heard all of some pages.
func (h *hearsay) has(all []*talker, closed bool) bool {
	return h.every(func(g *hearers) bool {
		for _, k := range all {
			p := g.pages[k.uid]
			if p == nil || p.said != k.said || closed && p.closes == 0 {
				return false
			}
		}
		return true
	})
}

// handleLocked notes that a listener has handled an event.
func (h *hearsay) handleLocked(group string, e *heardEvent) {
	g := h.groups[group]
	switch e.Type {
	case "sync":
		g.syncs++
	case "join", "leave":
		g.moves[e.UID] = append(g.moves[e.UID], e.Type)
	case "occupied", "vacated":
		g.moves[e.Channel] = append(g.moves[e.Channel], e.Type)
	case "connect", "message", "close":
		if e.UID == mover {
			return
		}
		if g.pages[e.UID] == nil {
			g.pages[e.UID] = &heardPage{}
		}
		if !g.pages[e.UID].take(e) {
			if !e.Again && g.pages[e.UID].connects > 0 {
				h.complainLocked("group %s: %s of %s, and had %+v", group, e.Type, e.UID, *g.pages[e.UID])
			}
			g.again++
		}
	case "dropped":
		h.complainLocked("group %s: events were dropped", group)
	}
}

// take takes the next event; false: it is another one.
func (p *heardPage) take(e *heardEvent) bool {
	switch e.Type {
	case "connect":
		p.connects++
		return p.connects == 1 && p.said == 0 && p.closes == 0
	case "close":
		p.closes++
		p.code, p.closed = e.Code, time.Now()
		return p.closes == 1
	}
	said := e.Text
	if said == "" {
		said = string(e.Data)
	}
	if said != strconv.Itoa(p.said+1) || p.closes > 0 {
		return false
	}
	p.said++
	return true
}

// lineEar is a listener at a node.
type lineEar struct {
	net.Conn
	hearsay *hearsay
	node    int
	group   string
	ended   chan struct{}
	dead    bool // guarded by hearsay.mu
	deaf    bool // likewise: it acknowledges nothing
}

// listenAt begins to listen.
func listenAt(h *hearsay, node int, addr, group string) (*lineEar, error) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c, `{"cmd":"listen","group":%q,"window":100,"events":["connect","message","close","join","leave",`+
		`"occupied","vacated","rpc"]}`+"\n", group)
	lines := bufio.NewReader(c)
	if answer, err := lines.ReadString('\n'); err != nil || answer != `{"ok":true}`+"\n" {
		c.Close()
		return nil, fmt.Errorf("listen is answered by %q, %w", answer, err)
	}
	e := &lineEar{Conn: c, hearsay: h, node: node, group: group, ended: make(chan struct{})}
	go e.live(lines)
	return e, nil
}

// live handles events until the connection ends.
func (e *lineEar) live(lines *bufio.Reader) {
	defer close(e.ended)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var said heardEvent
		if err := json.Unmarshal(line, &said); err != nil || said.Type == "" {
			continue // the answer to a reply
		}
		if !e.handle(&said) {
			continue
		}
		if said.Type == "rpc" {
			fmt.Fprintf(e, `{"cmd":"reply","call":%q,"data":{"node":%d,"asked":%s}}`+"\n", said.Call, e.node, said.Data)
		}
		fmt.Fprintf(e, `{"cmd":"ack","n":%d}`+"\n", said.N)
	}
}

// handle does an event; acknowledge: it may say so.
func (e *lineEar) handle(said *heardEvent) (acknowledge bool) {
	h := e.hearsay
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.dead {
		return false
	}
	h.handleLocked(e.group, said)
	h.groups[e.group].at[e.node]++
	return !e.deaf
}

// kill ends it by a reset, and waits.
func (e *lineEar) kill() {
	e.hearsay.mu.Lock()
	e.dead = true
	e.hearsay.mu.Unlock()
	_ = e.Conn.(*net.TCPConn).SetLinger(0) // so that closing is a reset
	e.Close()
	<-e.ended
}

// goDeaf has it acknowledge nothing more.
func (e *lineEar) goDeaf() {
	e.hearsay.mu.Lock()
	defer e.hearsay.mu.Unlock()
	e.deaf = true
}
