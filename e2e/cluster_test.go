package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// cluster are three nodes that meet by one Redis, each a machine, with pages, and back ends that publish.
type cluster struct {
	*network
	redis  *redis
	nodes  []*node
	ledger *ledger
	crowd  *crowd
	watch  *watch
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	need(t, "redis-server")
	c := &cluster{network: newNetwork(t, 3), ledger: &ledger{}}
	c.redis = startRedisOn(t, c.machine)
	for i, m := range c.machines {
		c.nodes = append(c.nodes, newNode(t, i, m, c.redis.addr))
	}
	c.watch = newWatch(t, c.nodes)
	c.crowd = newCrowd(t, c.nodes, c.ledger)
	c.crowd.goHome()
	return c
}

// scenario is something that happens while back ends publish.
type scenario struct {
	name    string
	happens func(*testing.T, *cluster)
	leaving []int // nodes whose pages are disconnected
	cut     bool  // a link to Redis breaks: what is published there is refused
}

// TestCluster has 3,000 pages on three nodes, and back ends that publish 500 times a second at all of them through all
// ways, while things go wrong. Whatever happens, no page gets anything twice or out of order, what was answered to
// have reached n pages has, and what a page has missed was said to be missed. Afterwards all works as before.
func TestCluster(t *testing.T) {
	c := newCluster(t)
	var all []verdict
	for _, s := range []scenario{
		{steady, allIsWell, nil, false},
		{"a node is killed", nodeKilled, []int{0}, false},
		{"Redis restarts, empty", redisRestarts, nil, true},
		{"a link is unplugged", func(t *testing.T, c *cluster) { linkCut(t, c, c.nodes[0].unplug) }, nil, true},
		{"a link goes silent", func(t *testing.T, c *cluster) { linkCut(t, c, c.nodes[1].silence) }, nil, true},
		{"a node stands still", nodeStops, nil, false},
		{"rolling reload", rollingReload, []int{0, 1, 2}, false},
		{"a machine dies", machineDies, []int{2}, false},
	} {
		t.Run(s.name, func(t *testing.T) { all = append(all, c.run(t, s)) })
	}
	table(t, all)
}

// run has a scenario happen, and judges what became of all publications.
func (c *cluster) run(t *testing.T, s scenario) verdict {
	began := time.Now()
	f := newTraffic(c.nodes, c.crowd, c.ledger)
	ended := false
	defer func() {
		if !ended { // the test has failed
			f.end()
		}
	}()
	c.goOn(t, 250)
	s.happens(t, c)
	c.goOn(t, 1000)
	f.end()
	ended = true
	took := time.Since(began)
	for i := range c.nodes {
		if n := c.crowd.lost(i, began); n > 0 && !strings.Contains(fmt.Sprint(s.leaving), fmt.Sprint(i)) {
			t.Errorf("%d pages of node %d, which lived, were disconnected", n, i)
		}
	}
	c.crowd.goHome()
	c.quiet(t)
	v := c.ledger.judge(s.name, c.crowd, c.watch)
	v.took = took
	c.compare(t, s, v, began)
	for _, complaint := range c.ledger.takeComplaints() {
		t.Error(complaint)
	}
	return v
}

// compare checks a verdict beside what the nodes have counted since some time, and what can happen in a scenario.
func (c *cluster) compare(t *testing.T, s scenario, v verdict, began time.Time) {
	t.Helper()
	unanswered, unlinked := c.watch.counted(began)
	// else a node is gone with its counts
	if s.leaving == nil && (unanswered < v.answers[incomplete] || unlinked < v.answers[unavailable]) {
		t.Errorf("the nodes counted %d publications that were not answered, and %d that were refused; back ends were "+
			"told of %d and %d",
			unanswered, unlinked, v.answers[incomplete], v.answers[unavailable])
	}
	if n := v.answers[unavailable]; n > 0 && !s.cut {
		t.Errorf("%d publications were refused, though every node reached Redis", n)
	}
	for why, n := range v.missed {
		if s.name == steady && n > 0 {
			t.Errorf("%d were missed, as: %s", n, why)
		}
	}
}

// steady is the scenario in which nothing happens.
const steady = "steady"

// goOn waits until some more publications are answered to be complete.
func (c *cluster) goOn(t *testing.T, n int) {
	t.Helper()
	want := c.ledger.complete() + n
	linemantest.Until(t, "publications are not answered", func() bool { return c.ledger.complete() >= want })
}

// quiet checks that all works when nothing happens: all nodes know all pages, and every publication reaches whom it is
// for.
func (c *cluster) quiet(t *testing.T) {
	t.Helper()
	var uids []string
	for target := range c.crowd.among {
		if uid, ok := strings.CutPrefix(target, "u:"); ok {
			uids = append(uids, fmt.Sprintf("%q", uid))
		}
	}
	for _, n := range c.nodes {
		r, err := n.ask(`{"cmd":"online","uids":[` + strings.Join(uids, ",") + `]}`)
		online := 0
		for _, is := range r.Online {
			if is {
				online++
			}
		}
		if err != nil || online != len(uids) {
			t.Errorf("node %d says that %d of %d uids are online: %v, %+v", n.index, online, len(uids), err, r.Error)
		}
		c.reach(t, n)
	}
}

// reach publishes something at a node for some of each kind of target, and waits until all have got it.
func (c *cluster) reach(t *testing.T, n *node) {
	t.Helper()
	s, err := newLines(n, c.ledger, false)
	if err != nil {
		t.Fatal(err)
	}
	number := c.ledger.connected()
	var all []*publication
	for _, target := range []string{"*", "u:user-1", "u:user-2500", "g:group-3", "news:7", "*"} {
		p := &publication{node: n.index, way: "a check", to: []string{target}}
		c.ledger.publish(number, p)
		all = append(all, p)
	}
	if err := s.publish(all); err != nil {
		t.Fatal(err)
	}
	s.finish()
	for _, p := range all {
		want := len(c.crowd.targeted(p.to))
		if p.answer.at.IsZero() || p.answer.n != want || p.answer.incomplete || p.answer.failed != "" {
			t.Errorf("when all is well, node %d answers what is for %s, %d pages, by %s", n.index, p.to, want, p.answer)
		}
		linemantest.Until(t, fmt.Sprintf("what is for %s does not reach all", p.to),
			func() bool { return c.ledger.reached(p) == want })
	}
}

// linked reports whether all nodes reach the others.
func (c *cluster) linked() bool {
	for _, n := range c.nodes {
		if n.metric("broker_linked") != 1 || n.metric("broker_nodes") != float64(len(c.nodes)) {
			return false
		}
	}
	return true
}

// allIsWell: nothing happens.
func allIsWell(t *testing.T, c *cluster) { c.goOn(t, 4000) }

// knownWithin is how long it may take until a process that was killed is given up: until then, answers say that it is
// missing, as it could be one whose link broke. It takes 8 s at most where the machine has nothing else to do.
const knownWithin = 16 * time.Second

// nodeKilled: its pages go to the others, which miss it until they give it up.
func nodeKilled(t *testing.T, c *cluster) {
	n := c.nodes[0]
	n.kill()
	began := time.Now()
	c.counted(t, c.nodes[1:])
	if took := time.Since(began); took > knownWithin {
		t.Errorf("all pages are on the other nodes, and counted, only after %v", took)
	} else {
		t.Logf("all pages are on the other nodes, and counted, after %v", took.Round(time.Millisecond))
	}
	n.start()
}

// counted waits until some nodes count every page once, and wait for no node that is gone.
func (c *cluster) counted(t *testing.T, by []*node) {
	t.Helper()
	linemantest.Until(t, "not all pages are counted", func() bool {
		for _, n := range by {
			if !n.counts(crowdSize) {
				return false
			}
		}
		return true
	})
}

// redisRestarts: nothing of it is left. What may wait for it, does.
func redisRestarts(t *testing.T, c *cluster) {
	c.redis.kill()
	linemantest.Until(t, "the nodes do not notice that Redis is gone", func() bool {
		for _, n := range c.nodes {
			if n.metric("broker_linked") != 0 {
				return false
			}
		}
		return true
	})
	s, err := newLines(c.nodes[0], c.ledger, false)
	if err != nil {
		t.Fatal(err)
	}
	const longest = 30 * time.Second // that a publication may wait
	p := &publication{way: "a line that waits", to: []string{"*"}, wait: longest}
	c.ledger.publish(c.ledger.connected(), p)
	if err := s.publish([]*publication{p}); err != nil {
		t.Error(err)
	}
	c.redis.start()
	linemantest.Until(t, "the nodes do not find Redis again", c.linked)
	s.finish()
	if p.answer.at.IsZero() || p.answer.failed != "" {
		t.Errorf("what was to wait for Redis is answered by %s", p.answer)
	}
}

// cutFor is how long a link is cut.
const cutFor = 10 * time.Second

// linkCut: a node reaches nobody, and does again.
func linkCut(t *testing.T, c *cluster, cut func()) {
	cut()
	<-time.After(cutFor)
	for _, n := range c.nodes {
		n.heal()
	}
	linemantest.Until(t, "the nodes do not find each other again", c.linked)
}

// stopFor is how long a node stands still.
const stopFor = 3 * time.Second

// nodeStops: it is there, and does nothing.
func nodeStops(t *testing.T, c *cluster) {
	n := c.nodes[1]
	n.signal(syscall.SIGSTOP)
	<-time.After(stopFor)
	n.signal(syscall.SIGCONT)
}

// rollingReload: one after the other has a successor, and sends its pages away: TestNodesHandover keeps them.
func rollingReload(t *testing.T, c *cluster) {
	for _, n := range c.nodes {
		if out, err := n.command("reload", "--drain"); err != nil {
			t.Errorf("reload of node %d: %v: %s", n.index, err, out)
		}
		linemantest.Until(t, "not all pages have come back", c.crowd.known)
	}
}

// machineDies: it is gone without a word, and Redis takes it to be there.
func machineDies(t *testing.T, c *cluster) {
	n, ghosts := c.nodes[2], c.nodes[0].metric("broker_ghosts_total")+c.nodes[1].metric("broker_ghosts_total")
	n.silence()
	n.kill()
	began := time.Now()
	c.counted(t, c.nodes[:2])
	if took := time.Since(began); took > 20*time.Second { // it takes up to 10
		t.Errorf("what was on a dead machine was waited for %v long", took)
	} else {
		t.Logf("nobody waits for a dead machine after %v", took.Round(time.Millisecond))
	}
	if c.nodes[0].metric("broker_ghosts_total")+c.nodes[1].metric("broker_ghosts_total") == ghosts {
		t.Error("no node counts what it has ended of the dead machine")
	}
	n.heal()
	n.start()
}
