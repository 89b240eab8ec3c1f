package pusher_test

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pusher"
)

// begin is the time at which all tests begin.
var begin = time.Unix(1353088179, 0)

// world are nodes with pages, in one goroutine: what their loops have to do waits until the test runs it.
type world struct {
	t      testing.TB
	apps   *pusher.Apps
	app    *pusher.App
	broker push.Broker // nil: there is one node
	now    time.Time
	nodes  []*node
	last   uint64 // connection
	heard  []string
	seen   pusher.Replays
}

// node is a Hub with its Service.
type node struct {
	world    *world
	hub      *push.Hub[*conn]
	service  *pusher.Service[*conn]
	queue    []func()
	timers   []timer
	encoded  int // messages for several
	accepted int // what the last publication has reached

	send func(to iter.Seq[*conn], text string) int // a message for several
}

type timer struct {
	at  time.Time
	run func()
}

// conn is a page.
type conn struct {
	id     uint64
	node   *node
	page   *pusher.Page
	got    []string
	closed int // the code; 0: it is open
	plain  bool
}

func (c *conn) ID() uint64 { return c.id }

// newWorld has some nodes with two apps.
func newWorld(t testing.TB, nodes int, change func(a *pusher.App)) *world {
	a := &pusher.App{ID: "shop", Key: "278d425bdf160c739803", Secret: "7ad3773142a6692b25b8", ClientEvents: true}
	if change != nil {
		change(a)
	}
	apps, err := pusher.NewApps(a, &pusher.App{ID: "other", Key: "other-key", Secret: "other-secret"})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, apps: apps, app: a, now: begin}
	if nodes > 1 {
		w.broker = push.NewMemory()
	}
	for range nodes {
		w.nodes = append(w.nodes, w.node())
	}
	return w
}

func (w *world) node() *node {
	n := &node{world: w, send: func(to iter.Seq[*conn], text string) (k int) {
		for c := range to {
			c.got = append(c.got, text)
			k++
		}
		return k
	}}
	all := w.app.Namespaces(push.Namespace{})
	for key, ns := range w.apps.ByID("other").Namespaces(push.Namespace{}) {
		all[key] = ns
	}
	hub, err := push.New(push.Options[*conn]{
		Broker: w.broker, Namespaces: all, Followers: n, MaxPlaces: 300,
		Do:    func(f func()) bool { n.queue = append(n.queue, f); return true },
		After: func(d time.Duration, f func()) { n.timers = append(n.timers, timer{w.now.Add(d), f}) },
		PresenceChanged: func(to iter.Seq[*conn], in push.Target, e push.PresenceEvent) {
			n.service.PresenceChanged(to, in, e)
		},
		PresenceRenewed: func(to iter.Seq[*conn], in push.Target, p push.Presence) {
			n.service.PresenceRenewed(to, in, p)
		},
		SubscribersChanged: func(to iter.Seq[*conn], in push.Target, count int, _ bool) {
			n.service.SubscribersChanged(to, in, count)
		},
		Fanout: func(to iter.Seq[*conn], msg []byte, _ *push.Forms) (k int) { return n.send(to, string(msg)) },
		Close:  func(c *conn, code int, _ string) { c.closed = code },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	n.hub = hub
	n.service, err = pusher.New(pusher.Options[*conn]{
		Hub: hub, Apps: w.apps, Now: func() time.Time { return w.now },
		Page:    func(c *conn) *pusher.Page { return c.page },
		Send:    func(c *conn, text []byte) { c.got = append(c.got, string(text)) },
		SendAll: n.sendAll,
		Close: func(c *conn, code int, _ string) {
			c.closed = code
			if m := hub.Member(c.id); m != nil {
				hub.Remove(m)
			}
		},
		Hear: func(a *pusher.App, e pusher.HookEvent) { w.heard = append(w.heard, a.ID+" "+string(e.Append(nil))) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (n *node) sendAll(to iter.Seq[*conn], _ push.Target, _ push.Stored, encode func([]byte) []byte) (k int) {
	n.encoded++
	return n.send(to, string(encode(nil)))
}

// The node has nobody who follows but pages of the Pusher protocol.
func (n *node) Since(c *conn, of push.Target) push.Since {
	if c.plain {
		return push.Since{}
	}
	return n.service.Since(c, of)
}
func (n *node) Begun(c *conn, of push.Target, r push.Recovery) { n.service.Begun(c, of, r) }
func (n *node) Published(to iter.Seq[*conn], of push.Target, m push.Stored) int {
	n.accepted = n.service.Published(to, of, m)
	return n.accepted
}
func (n *node) Passed(c *conn, of push.Target, at push.Position) { n.service.Passed(c, of, at) }
func (n *node) Missed(to iter.Seq[*conn], of push.Target, why push.Gap, top push.Position) {
	n.service.Missed(to, of, why, top)
}
func (n *node) Ended(c *conn, of push.Target) { n.service.Ended(c, of) }

// publish publishes a text as it is, by none of Pusher's ways.
func (n *node) publish(to push.Target, text string) {
	n.world.t.Helper()
	if err := n.hub.Publish(push.Message[*conn]{To: []push.Target{to}, Data: []byte(text)}, nil); err != nil {
		n.world.t.Fatal(err)
	}
}

// open has a page of an app come, which has been told its socket_id.
func (n *node) open(a *pusher.App) *conn {
	n.world.last++
	c := &conn{id: n.world.last, node: n, page: pusher.NewPage(a)}
	if err := n.service.Open(c); err != nil {
		n.world.t.Fatal(err)
	}
	c.hears(fmt.Sprintf(`{"event":"pusher:connection_established",`+
		`"data":"{\"socket_id\":\"%s\",\"activity_timeout\":120}"}`, c.socket()))
	return c
}

// openPlain has a connection of level 0 come, which has a channel of the Hub.
func (n *node) openPlain(channel push.Target) *conn {
	n.world.last++
	c := &conn{id: n.world.last, node: n, plain: true}
	m, err := n.hub.Add(c, "")
	if err == nil {
		err = m.Subscribe(string(channel))
	}
	if err != nil {
		n.world.t.Fatal(err)
	}
	return c
}

// socket is the socket_id.
func (c *conn) socket() string { return pusher.SocketID(c.node.hub.Name(c)) }

// says has a page send a text.
func (c *conn) says(text string) {
	c.node.service.Receive(c, []byte(text))
	c.node.world.settle()
}

// subscribes has it ask for a channel, with the signature of its app where one is needed.
func (c *conn) subscribes(channel, data string) {
	c.asks(channel, data)
	c.node.world.settle()
}

// signsIn has it show who it is.
func (c *conn) signsIn(data string) {
	c.says(fmt.Sprintf(`{"event":"pusher:signin","data":{"auth":%q,"user_data":%q}}`,
		c.page.App().AuthenticateUser(c.socket(), data), data))
}

// asks is subscribes, when loops have done nothing yet.
func (c *conn) asks(channel, data string) {
	a := c.page.App()
	c.node.service.Receive(c, []byte(fmt.Sprintf(
		`{"event":"pusher:subscribe","data":{"channel":%q,"auth":%q,"channel_data":%q}}`,
		channel, a.AuthorizeChannel(c.socket(), channel, data), data)))
}

// hears checks what a page was sent since it was asked last.
func (c *conn) hears(want ...string) {
	c.node.world.t.Helper()
	c.node.world.settle()
	if !slices.Equal(c.got, want) {
		c.node.world.t.Fatalf("the page has got\n%s\nwant\n%s", strings.Join(c.got, "\n"), strings.Join(want, "\n"))
	}
	c.got = nil
}

// goes has it close.
func (c *conn) goes() {
	if m := c.node.hub.Member(c.id); m != nil {
		c.node.hub.Remove(m)
	}
	c.node.world.settle()
}

// settle has all loops do what waits for them.
func (w *world) settle() {
	for w.step() {
	}
}

// step has one of them do one thing, and reports whether there was any.
func (w *world) step() bool {
	for _, n := range w.nodes {
		if len(n.queue) > 0 {
			f := n.queue[0]
			n.queue = n.queue[1:]
			f()
			return true
		}
	}
	return false
}

// pass has time pass.
func (w *world) pass(d time.Duration) {
	w.settle()
	w.now = w.now.Add(d)
	for _, n := range w.nodes {
		due := func(t timer) bool { return !t.at.After(w.now) }
		for _, t := range slices.Clone(n.timers) {
			if due(t) {
				t.run()
			}
		}
		n.timers = slices.DeleteFunc(n.timers, due)
	}
	w.settle()
}
