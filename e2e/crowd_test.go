package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// crowd are pages. Each has a node that it goes to, goes to another one when that is not there, and comes back whenever
// it was sent away.
type crowd struct {
	t      *testing.T
	nodes  []*node
	ledger *ledger
	pages  []*subscriber
	among  map[string][]*subscriber // by target

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	gate    chan struct{} // bounds how many connect at once
}

// subscriber is one of them: a page.
type subscriber struct {
	id    int
	home  int // index of its node
	query string

	uid, group, channel string

	last map[int]int // the number of what it got last from each back end; owned by its goroutine

	mu    sync.Mutex // guards the following
	conn  net.Conn   // nil while it is away
	stays []stay
}

// stay is a connection of a page.
type stay struct {
	node     int
	from, to time.Time // to is zero while it lasts
	left     bool      // the page itself has ended it
}

// How many there are of what.
const (
	crowdSize = 3000
	// the first 2,000 pages are of so many uids, with one on another node; the others have a uid each
	manyTabs    = 1000
	groups      = 100
	channels    = 150
	connecting  = 32
	comeBackPer = 20 * time.Millisecond // how long a page waits that no node takes
)

// newCrowd has pages come, and stay until the end of the test.
func newCrowd(t *testing.T, nodes []*node, l *ledger) *crowd {
	c := &crowd{t: t, nodes: nodes, ledger: l, among: map[string][]*subscriber{}, gate: make(chan struct{}, connecting)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	t.Cleanup(c.leave)
	for id := range crowdSize {
		uid := id
		if id < 2*manyTabs {
			uid = id % manyTabs
		}
		p := &subscriber{
			id: id, home: id % len(nodes), last: map[int]int{},
			uid: fmt.Sprint("user-", uid), group: fmt.Sprint("group-", id%groups),
			channel: fmt.Sprint("news:", id%channels),
		}
		p.query = "token=" + ticket(p.uid, p.group) + "&sub=" + url.QueryEscape(p.channel)
		for _, target := range []string{"*", "u:" + p.uid, "g:" + p.group, p.channel} {
			c.among[target] = append(c.among[target], p)
		}
		c.pages = append(c.pages, p)
		c.running.Add(1)
		go c.live(p)
	}
	return c
}

// ticket is a credential, made as docs/tokens.md says.
func ticket(uid, group string) string {
	now := time.Now().Unix()
	claims, _ := json.Marshal(map[string]any{"sub": uid, "iat": now, "exp": now + 3600, "groups": []string{group}})
	body := "t1." + base64.RawURLEncoding.EncodeToString(claims)
	mac := hmac.New(sha256.New, []byte(clusterSecret))
	mac.Write([]byte("lineman:" + body))
	return fmt.Sprintf("%s.%x", body, mac.Sum(nil))
}

// targeted are the pages that some targets name, each once.
func (c *crowd) targeted(to []string) []*subscriber {
	if len(to) == 1 {
		return c.among[to[0]]
	}
	seen, all := map[*subscriber]bool{}, []*subscriber(nil)
	for _, target := range to {
		for _, p := range c.among[target] {
			if !seen[p] {
				seen[p] = true
				all = append(all, p)
			}
		}
	}
	return all
}

// live has a page be there as much as it can.
func (c *crowd) live(p *subscriber) {
	defer c.running.Done()
	for try := p.home; c.ctx.Err() == nil; try++ {
		at := try % len(c.nodes)
		c.gate <- struct{}{}
		conn, err := c.nodes[at].visit(p.query)
		<-c.gate
		if err != nil {
			select { // as pages do
			case <-time.After(comeBackPer):
			case <-c.ctx.Done():
			}
			continue
		}
		p.arrive(at, conn)
		if c.ctx.Err() != nil {
			conn.Close()
		}
		err = c.read(p, conn)
		p.leave()
		var closed wsutil.ClosedError
		if errors.As(err, &closed) && closed.Code != 4101 {
			c.ledger.complain("page %d was closed with %d %s", p.id, closed.Code, closed.Reason)
		}
		try = p.home - 1
	}
}

// read takes what a page is sent, until its connection ends.
func (c *crowd) read(p *subscriber, conn net.Conn) error {
	for {
		text, err := wsutil.ReadServerText(conn)
		if err != nil {
			return err
		}
		c.ledger.received(p, text)
	}
}

func (p *subscriber) arrive(at int, conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn = conn
	p.stays = append(p.stays, stay{node: at, from: time.Now()})
}

func (p *subscriber) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn.Close()
	p.conn = nil
	p.stays[len(p.stays)-1].to = time.Now()
}

// moving is how long a page that has just come may be unknown to some, and one that goes may be taken to be there.
const moving = 2 * time.Second

// during is the node that a page was on from some time to another. It is not ok if the page came or went about then.
func (p *subscriber) during(from, to time.Time) (node int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.stays) - 1; i >= 0; i-- {
		if v := p.stays[i]; v.from.Add(moving).Before(from) {
			return v.node, v.to.IsZero() || v.to.After(to.Add(moving))
		}
	}
	return 0, false
}

// at is the node that a page is on, or -1.
func (p *subscriber) at() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		return -1
	}
	return p.stays[len(p.stays)-1].node
}

// lost are how many pages were disconnected from a node since some time, but for those that left it.
func (c *crowd) lost(node int, since time.Time) (n int) {
	for _, p := range c.pages {
		p.mu.Lock()
		for _, v := range p.stays {
			if v.node == node && !v.left && v.to.After(since) {
				n++
			}
		}
		p.mu.Unlock()
	}
	return n
}

// goHome has each page be on its own node again, and waits until all nodes know all of them.
func (c *crowd) goHome() {
	c.t.Helper()
	linemantest.Until(c.t, "pages do not come to their nodes", func() bool {
		home := true
		for _, p := range c.pages {
			switch p.at() {
			case p.home:
			case -1:
				home = false
			default:
				home = false
				p.mu.Lock()
				if p.conn != nil {
					p.stays[len(p.stays)-1].left = true
					p.conn.Close()
				}
				p.mu.Unlock()
			}
		}
		return home && c.known()
	})
}

// known reports whether all nodes know all pages, and each its own.
func (c *crowd) known() bool {
	for i, n := range c.nodes {
		own := float64(len(c.pages) / len(c.nodes))
		if n.metric("connections") != own || !c.nodes[i].counts(len(c.pages)) {
			return false
		}
	}
	return true
}

// leave ends all pages.
func (c *crowd) leave() {
	c.cancel()
	for _, p := range c.pages {
		p.mu.Lock()
		if p.conn != nil {
			p.conn.Close()
		}
		p.mu.Unlock()
	}
	c.running.Wait()
}
