package push_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// world are nodes in virtual time, in one goroutine: what their loops have to do waits until the test runs it. Beside
// it is written down, too simply to be wrong, who should be present.
type world struct {
	t      *testing.T
	seed   uint64
	step   int
	random *rand.Rand
	broker push.Broker // nil: there is one node
	now    int         // seconds
	nodes  []*worldNode
	last   uint64 // connection
	infos  map[seat]string
	there  map[seat]int   // how often somebody has come, less how often gone, as nodes are told in no order
	lossy  bool           // a node has died before it was told something of that
	silent bool           // nobody comes, and nobody goes
	counts map[string]int // how many connections a channel has, as the program was told last
}

// seat is a uid in a channel.
type seat struct{ channel, uid string }

// worldNode is a node. What it should say of a seat is in here: it has connections there, or had one until a while ago.
type worldNode struct {
	world  *world
	hub    *hub
	queue  []func()
	timers []timer
	conns  []*worldConn
	gone   map[seat]int   // when its last connection left
	told   map[string]int // when those who follow a channel were told last how many they are
}

type timer struct {
	at  int
	run func()
}

// worldConn is a connection that follows, and keeps who is in its channels: by a list that it has asked for and the
// changes since.
type worldConn struct {
	*conn
	member   *member
	uid      string
	channels map[string]bool
	others   map[string]string // uids that it has in channels, in place of its own
	token    string            // JSON; empty: it says nothing
	session  string            // likewise
	lists    map[string]map[string]string
	counts   map[string]int // how many connections a channel has
	stale    []string       // channels whose lists it has to ask for
}

// fatalf ends the test, and says how it comes to that again.
func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("seed %d, step %d: %s", w.seed, w.step, fmt.Sprintf(format, args...))
}

func (w *world) fatal(err error) {
	w.t.Helper()
	w.fatalf("%v", err)
}

// mostPresent is how many uids of a channel are told.
const mostPresent = 3

func (w *world) node() *worldNode {
	n := &worldNode{world: w, gone: make(map[seat]int), told: make(map[string]int)}
	o := options()
	o.Namespaces = map[string]push.Namespace{
		"room": {Presence: push.PresenceEvents, MaxPresent: mostPresent, TellSubscribers: true},
	}
	o.Broker = w.broker
	o.Do = func(f func()) bool { n.queue = append(n.queue, f); return true }
	o.After = func(d time.Duration, f func()) { n.timers = append(n.timers, timer{w.now + int(d/time.Second), f}) }
	o.Followers = &recorder{}
	o.PresenceChanged = n.changed
	o.PresenceRenewed = n.renewed
	o.Attended = w.attended
	o.SubscribersChanged = n.counted
	n.hub = newHub(w.t, o)
	return n
}

// of is the connection as the model has it.
func (n *worldNode) of(c *conn) *worldConn {
	i := slices.IndexFunc(n.conns, func(one *worldConn) bool { return one.conn == c })
	return n.conns[i]
}

// changed applies a change to the lists of those who have one. Those that have none, as they were too many, ask again.
func (n *worldNode) changed(to iter.Seq[*conn], in push.Target, e push.PresenceEvent) {
	n.world.checkSilence(in)
	for c := range to {
		one := n.of(c)
		switch list := one.lists[string(in)]; {
		case list == nil:
			one.stale = append(one.stale, string(in))
		case e.Here:
			list[e.UID] = string(e.Info)
		default:
			delete(list, e.UID)
		}
	}
}

func (n *worldNode) renewed(to iter.Seq[*conn], in push.Target, p push.Presence) {
	n.world.checkSilence(in)
	for c := range to {
		n.of(c).lists[string(in)] = listed(p)
	}
}

// attended notes that somebody has come, or gone: no other node is told so.
func (w *world) attended(in push.Target, uid string, here bool) {
	w.checkSilence(in)
	if s := (seat{string(in), uid}); here {
		w.there[s]++
	} else {
		w.there[s]--
	}
}

// checkSilence checks that nobody is told anything in a handover.
func (w *world) checkSilence(in push.Target) {
	if w.silent {
		w.fatalf("a change of %s is told in a handover", in)
	}
}

// listed is who is there with what is known of each; nil if they are too many.
func listed(p push.Presence) map[string]string {
	if p.More {
		return nil
	}
	list := make(map[string]string)
	for uid, info := range p.Users {
		list[uid] = string(info)
	}
	return list
}

// says reports whether the node should say that it has a seat.
func (n *worldNode) says(s seat) bool {
	left, leaving := n.gone[s]
	return n.has(s) || leaving && n.world.now < left+5
}

// has reports whether it has a connection there.
func (n *worldNode) has(s seat) bool {
	return slices.ContainsFunc(n.conns, func(c *worldConn) bool {
		return c.channels[s.channel] && c.uidIn(s.channel) == s.uid
	})
}

// said notes what a connection says of its uid.
func (w *world) said(s seat, info string) {
	if info != "" {
		w.infos[s] = info
	}
}

// info is what a connection has to say; empty: nothing.
func (c *worldConn) info() string {
	if c.session != "" {
		return c.session
	}
	return c.token
}

// forget drops what was known of who is nowhere any more.
func (w *world) forget() {
	maps.DeleteFunc(w.infos, func(s seat, _ string) bool {
		return !slices.ContainsFunc(w.nodes, func(n *worldNode) bool { return n.says(s) })
	})
}

// present is who should be in a channel.
func (w *world) present(channel string) map[string]string {
	all := make(map[string]string)
	for _, uid := range worldUIDs {
		s := seat{channel, uid}
		if slices.ContainsFunc(w.nodes, func(n *worldNode) bool { return n.says(s) }) {
			if all[uid] = w.infos[s]; all[uid] == "null" {
				all[uid] = ""
			}
		}
	}
	return all
}

var (
	worldUIDs     = []string{"ann", "bob", "dan", "eve", "fay"}
	worldChannels = []string{"room:1", "room:2", "news"}
)

// leaves has a connection leave a channel.
func (n *worldNode) leaves(c *worldConn, channel string) {
	if !c.channels[channel] {
		return
	}
	s := seat{channel, c.uidIn(channel)}
	delete(c.channels, channel)
	delete(c.others, channel)
	delete(c.lists, channel)
	delete(c.counts, channel)
	if !n.has(s) {
		n.gone[s] = n.world.now
	}
}

// goes has a connection go.
func (n *worldNode) goes(c *worldConn) {
	for _, channel := range worldChannels {
		n.leaves(c, channel)
	}
	n.conns = slices.DeleteFunc(n.conns, func(other *worldConn) bool { return other == c })
}

// uidIn is the uid that the connection has in a channel.
func (c *worldConn) uidIn(channel string) string {
	if uid, other := c.others[channel]; other {
		return uid
	}
	return c.uid
}

// comesAs has a connection come to a channel as any uid, or be that uid where it is.
func (n *worldNode) comesAs(c *worldConn, channel string) {
	w := n.world
	before, was := seat{channel, c.uidIn(channel)}, c.channels[channel]
	uid := worldUIDs[w.random.IntN(len(worldUIDs))]
	c.channels[channel], c.others[channel] = true, uid
	info := w.json(func(info json.RawMessage) error { return c.member.SubscribeAs(channel, uid, info) })
	if was && !n.has(before) {
		n.gone[before] = w.now
	}
	w.said(seat{channel, uid}, info)
	if !was {
		n.tellCount(c, channel)
		c.stale = append(c.stale, channel)
	}
	if got := c.member.UIDIn(channel); got != uid {
		w.fatalf("the connection is %q in %s, want %q", got, channel, uid)
	}
}

// comes has a connection come to a channel.
func (n *worldNode) comes(c *worldConn, channel string) {
	if channel != "news" && n.world.random.IntN(3) == 0 {
		n.comesAs(c, channel)
		return
	}
	if c.channels[channel] {
		return
	}
	c.channels[channel] = true
	if err := c.member.Subscribe(channel); err != nil {
		n.world.fatal(err)
	}
	if channel != "news" {
		n.world.said(seat{channel, c.uid}, c.info())
		c.stale = append(c.stale, channel)
		n.tellCount(c, channel)
	}
}

// tells has a connection have another info.
func (n *worldNode) tells(c *worldConn, change func()) {
	before := c.info()
	change()
	after := c.info()
	if after == before {
		return
	}
	if after == "" {
		after = "null"
	}
	for channel := range c.channels {
		if _, other := c.others[channel]; !other {
			n.world.said(seat{channel, c.uid}, after)
		}
	}
}
