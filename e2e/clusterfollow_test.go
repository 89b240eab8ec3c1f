package e2e

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// keptChats is a namespace whose channels keep all that a follower may miss.
const keptChats = "  chat: {subscribe: all, history: {size: 10000, ttl: 1h}}\n"

// TestClusterFollowed has followers on three nodes, and a back end that publishes at all of them in turn, while things
// go wrong between the machines. Each follower gets every message once and in order; when Redis has lost everything,
// it is told so, and of nothing else.
func TestClusterFollowed(t *testing.T) {
	t.Parallel()
	need(t, "redis-server")
	c := &cluster{network: newNetwork(t, 3)}
	c.redis = startRedisOn(t, c.machine)
	for i, m := range c.machines {
		c.nodes = append(c.nodes, newNode(t, i, m, c.redis.addr, keptChats))
	}
	linemantest.Until(t, "the nodes do not find each other", c.linked)

	o := ordeal{followers: 60, events: 12, channels: 5, each: 3, perSecond: 50}
	l, names := newPositions(), o.names()
	ctx, cancel := context.WithCancel(context.Background())
	followers, left := c.followers(ctx, o, l, names)
	t.Cleanup(func() { cancel(); left() })
	linemantest.Until(t, "not all clients have come", func() bool { return every(followers, (*follower).begun) })

	publishing, unpublish := context.WithCancel(ctx)
	var backend sync.WaitGroup
	backend.Add(1)
	a := announcer{c.anyNode((*node).lines), names, o.perSecond, l}
	go func() { defer backend.Done(); a.live(publishing) }()
	began := time.Now()
	for _, what := range c.mishaps(t) {
		<-time.After(2 * time.Second)
		what()
		linemantest.Until(t, "the nodes do not find each other again", c.linked)
	}
	o.lasts = time.Since(began) / 4 // much of the time a node that the back end is at does not reach Redis
	unpublish()
	backend.Wait()
	sum := o.judge(t, followers, l, c.tops(t, names))
	if sum.gaps["epoch"] == 0 || len(sum.gaps) > 1 {
		t.Errorf("the gaps are %v", sum.gaps)
	}
}

// mishaps are what goes wrong, one after the other.
func (c *cluster) mishaps(t *testing.T) []func() {
	return []func(){
		func() { c.nodes[0].kill(); c.nodes[0].start() },
		func() { c.redis.kill(); c.redis.start() }, // nothing of it is left
		func() { linkCut(t, c, c.nodes[0].unplug) },
		func() { linkCut(t, c, c.nodes[1].silence) },
		func() {
			c.nodes[1].signal(syscall.SIGSTOP)
			<-time.After(stopFor)
			c.nodes[1].signal(syscall.SIGCONT)
		},
		func() { // without a word: Redis takes it to be there
			n := c.nodes[2]
			n.silence()
			n.kill()
			<-time.After(stopFor)
			n.heal()
			n.start()
		},
	}
}

// followers have followers live at all nodes until the context ends.
func (c *cluster) followers(ctx context.Context, o ordeal, l *positions, names []string) (
	all []*follower, wait func()) {
	var running sync.WaitGroup
	breaks := cuts{every: 5 * time.Second, pause: time.Second, until: time.Now().Add(time.Hour)}
	dial := c.anyNode(func(n *node) (net.Conn, error) { return n.dial(pagesPort) })
	for i := range o.followers + o.events {
		var of []string
		for k := range o.each {
			of = append(of, names[(i+k)%len(names)])
		}
		f := newFollower(fmt.Sprint("uid", i), of, uint64(i), l, breaks, dial)
		f.token, f.events = ticket(f.uid, "followers"), i >= o.followers
		all = append(all, f)
		running.Add(1)
		go func() {
			defer running.Done()
			f.live(ctx)
		}()
	}
	return all, running.Wait
}

// anyNode connects to the next node each time.
func (c *cluster) anyNode(dial func(*node) (net.Conn, error)) func() (net.Conn, error) {
	var next atomic.Uint64
	return func() (net.Conn, error) { return dial(c.nodes[next.Add(1)%uint64(len(c.nodes))]) }
}

// lines is a back end's connection that has said its key.
func (n *node) lines() (net.Conn, error) {
	c, _, err := n.backend()
	return c, err
}

// tops are the newest positions of channels.
func (c *cluster) tops(t *testing.T, channels []string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, ch := range channels {
		r, err := c.nodes[0].ask(fmt.Sprintf(`{"cmd":"history","to":%q,"limit":0}`, ch))
		if err != nil || !r.OK {
			t.Fatalf("the top of %s: %+v, %v", ch, r, err)
		}
		all[ch] = r.Top
	}
	return all
}
