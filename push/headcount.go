package push

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// headcount is how many connections have subscribed to a channel on all nodes, as this node knows it. Each node says
// how many it has by presence: its name is present in a target that belongs to the channel, and the number is the info.
// So what a node has said goes with it when it dies, a link that breaks says it again, and all nodes see the same
// numbers in one order.
//
//	a connection comes or goes ── say ──▶ Enter(c:#channel, node, n) ──▶ Broker ──▶ each node: the sum ──▶ tell
//
// A node says something at once, and tells something at once, but neither more often than headcountPace: what changes
// meanwhile is said and told after it. Owned by the loop.
type headcount[C Conn] struct {
	name  string
	nodes map[string]int // how many each node has said; nil until they are read
	said  int            // how many this node has
	told  int            // how many there are, as those who follow know
	first bool           // this node is the one that tells the program
	again bool           // somebody has come who was told nothing
	paces [headcountSteps]pace
}

// headcounts are those of the channels that have connections on this node.
type headcounts[C Conn] struct {
	by  map[string]*headcount[C] // by the names of the channels
	due [headcountSteps][]*headcount[C]
}

// headcountStep is what a node does with a headcount.
type headcountStep uint8

// The steps.
const (
	sayCount headcountStep = iota
	tellCount
	headcountSteps
)

// pace is that of a step.
type pace struct {
	due   bool // something is to be done
	rests bool // something was done a moment ago
}

// headcountPace is how long a step rests.
const headcountPace = time.Second

// errNoCountLink is that of New.
var errNoCountLink = errors.New(
	"push: this broker does not know who is present: leave SubscribersChanged out of the options")

// headcountPrefix is what the target of a headcount begins with. No user can name it, as no connection is called so.
const headcountPrefix = connPrefix + "#"

// headcountTarget is where the nodes are present that have connections in a channel. What stands behind a dot would not
// be in its Topic, and no name has a control character.
func headcountTarget(channel string) Target {
	return Target(headcountPrefix + strings.ReplaceAll(channel, ".", "\x01"))
}

// headcountOf is the channel of such a target.
func headcountOf(t Target) (channel string, is bool) {
	name, is := strings.CutPrefix(string(t), headcountPrefix)
	return strings.ReplaceAll(name, "\x01", "."), is
}

// hasHeadcounts reports whether there are any.
func (o *Options[C]) hasHeadcounts() bool {
	for _, n := range o.Namespaces {
		if n.TellSubscribers && o.SubscribersChanged != nil {
			return true
		}
	}
	return false
}

// Subscribers is how many connections of a channel those who follow it were told last. told is false if they were told
// nothing yet, or will be in a moment.
func (h *Hub[C]) Subscribers(in Target) (n int, told bool) {
	c := h.headcounts.by[string(in)]
	if c == nil || c.told == 0 || c.paces[sayCount].due || c.paces[tellCount].due {
		return 0, false
	}
	return c.told, true
}

// recount notes that a connection has come to a set, or gone.
func (h *Hub[C]) recount(s *set[C], came bool) {
	if h.counting == nil || s.kind != ToChannel {
		return
	}
	c := h.headcounts.by[s.name]
	if c == nil {
		if !h.namespace(s.name).TellSubscribers {
			return
		}
		c = h.addHeadcount(s.name)
		h.readHeadcount(c, func() {})
	}
	c.again = c.again || came
	h.soon(c, sayCount)
}

// addHeadcount makes that of a channel that has its first connection here.
func (h *Hub[C]) addHeadcount(channel string) *headcount[C] {
	c := &headcount[C]{name: channel}
	if h.headcounts.by == nil {
		h.headcounts.by = make(map[string]*headcount[C])
	}
	h.headcounts.by[channel] = c
	h.link.Subscribe([]Target{headcountTarget(channel)}, func(error) {}) // a link that is down subscribes when it is up
	return c
}

// endHeadcount forgets that of a channel that has no connection here any more.
func (h *Hub[C]) endHeadcount(c *headcount[C]) {
	delete(h.headcounts.by, c.name)
	h.link.Unsubscribe([]Target{headcountTarget(c.name)})
}

// readHeadcount reads what the nodes have said. What changes from then on is told by headcountChanged.
func (h *Hub[C]) readHeadcount(c *headcount[C], then func()) {
	links := h.links
	c.nodes = nil
	h.counting.Present(headcountTarget(c.name), math.MaxInt32, func(p Presence, err error) {
		switch {
		case links != h.links: // it is read again when the link is up
			return
		case err == nil:
			c.nodes = make(map[string]int, len(p.Users))
			for node, info := range p.Users {
				c.note(node, info)
			}
			c.first = c.first && h.isFirst(c)
			h.soon(c, tellCount)
		case errors.Is(err, ErrUnanswered):
			h.soon(c, tellCount) // which reads it again
		}
		then()
	})
}

// note notes how many a node has. What is no number counts for nothing.
func (c *headcount[C]) note(node string, info json.RawMessage) {
	n, _ := strconv.ParseUint(string(info), 10, 31)
	c.nodes[node] = int(n)
}

// headcountChanged is told by the Broker how many connections a node has in a channel.
func (h *Hub[C]) headcountChanged(channel string, e PresenceEvent) {
	c := h.headcounts.by[channel]
	switch {
	case c == nil || c.nodes == nil: // what is read has it
		return
	case e.Here:
		c.note(e.UID, e.Info)
	default:
		delete(c.nodes, e.UID)
	}
	c.first = c.first && h.isFirst(c) // another one may tell the program something before this one does
	h.soon(c, tellCount)
}

// soon has a step be done at the end of the tick, or when it has rested.
func (h *Hub[C]) soon(c *headcount[C], step headcountStep) {
	p, due := &c.paces[step], &h.headcounts.due[step]
	if p.due {
		return
	}
	if p.due = true; p.rests {
		return
	}
	if *due = append(*due, c); len(*due) == 1 {
		h.options.Do(func() { h.stepHeadcounts(step) })
	}
}

// stepHeadcounts does a step of those for which it is due.
func (h *Hub[C]) stepHeadcounts(step headcountStep) {
	due := h.headcounts.due[step]
	h.headcounts.due[step] = nil
	var done []*headcount[C]
	for _, c := range due {
		c.paces[step].due = false
		if h.closed || h.headcounts.by[c.name] != c {
			continue
		}
		if step == sayCount && h.sayHeadcount(c) || step == tellCount && h.tellHeadcount(c) {
			done = append(done, c)
		}
	}
	h.restHeadcounts(step, done)
}

// restHeadcounts has a step rest, and be done after that if it is due.
func (h *Hub[C]) restHeadcounts(step headcountStep, all []*headcount[C]) {
	if len(all) == 0 {
		return
	}
	for _, c := range all {
		c.paces[step].rests = true
	}
	h.options.After(headcountPace, func() {
		for _, c := range all {
			c.paces[step].rests = false
			if c.paces[step].due || step == sayCount && c.said == 0 {
				h.headcounts.due[step] = append(h.headcounts.due[step], c)
			}
		}
		h.stepHeadcounts(step)
	})
}

// sayHeadcount says how many connections there are here, and reports whether that is another number. A headcount ends
// some time after it was said that there are none.
func (h *Hub[C]) sayHeadcount(c *headcount[C]) bool {
	n, in := 0, headcountTarget(c.name)
	if s := h.sets[ToChannel][c.name]; s != nil {
		n = len(s.members)
	}
	switch {
	case n == c.said && n == 0:
		h.endHeadcount(c)
		return false
	case n == c.said:
		if c.again { // as many have gone
			h.soon(c, tellCount)
		}
		return false
	case n == 0:
		h.counting.Leave(in, h.node)
	default:
		h.counting.Enter(in, h.node, strconv.AppendInt(nil, int64(n), 10))
	}
	c.said = n
	return true
}

// tellHeadcount tells those who follow how many there are, and reports whether there was something to tell. The first
// node of those that have any tells it to the program, too, also when it has just become the first.
func (h *Hub[C]) tellHeadcount(c *headcount[C]) bool {
	if c.nodes == nil {
		if h.linked {
			h.readHeadcount(c, func() {})
		}
		return true
	}
	n, in, first := 0, Channel(c.name), h.isFirst(c)
	for _, has := range c.nodes {
		n += has
	}
	switch {
	case c.nodes[h.node] != c.said: // it comes in a moment
		return false
	case n == 0:
		c.told = 0
		return false
	}
	to, tells := h.following(in), first && (n != c.told || !c.first)
	switch {
	case n != c.told || c.again:
	case tells:
		to = func(func(C) bool) {}
	default:
		c.first = first
		return false
	}
	c.told, c.first, c.again = n, first, false
	h.options.SubscribersChanged(to, in, n, tells)
	return true
}

// isFirst reports whether this node is the first of those that have any connection.
func (h *Hub[C]) isFirst(c *headcount[C]) bool {
	for node, has := range c.nodes {
		if node < h.node && has > 0 {
			return false
		}
	}
	return c.said > 0
}

// relinkHeadcounts reads them again, one after the other, as the link was down.
func (h *Hub[C]) relinkHeadcounts() {
	all, links := sorted(h.headcounts.by), h.links
	for _, name := range all {
		h.headcounts.by[name].nodes = nil
	}
	var next func()
	next = func() {
		for len(all) > 0 && links == h.links {
			c := h.headcounts.by[all[0]]
			if all = all[1:]; c != nil {
				h.readHeadcount(c, next)
				return
			}
		}
	}
	next()
}
