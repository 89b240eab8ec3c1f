package pushtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// knowsPresence skips a test of presence where there is none.
func (c *cluster) knowsPresence() {
	c.t.Helper()
	if !c.Presence {
		c.t.Skip("the broker does not know who is present")
	}
}

// testPresence tells who is in a channel: each once, though several nodes have it, and as long as one has it.
func testPresence(t *testing.T, c *cluster) {
	c.knowsPresence()
	a, b := c.join(), c.join()
	a.has("x", "")
	a.enter("x", "ann", `bob={"name":"Bob"}`)
	b.enter("x", "ann", "dan")
	b.enter("y", "ann")
	a.has("x", `ann bob{"name":"Bob"} dan`)
	b.has("x", `ann bob{"name":"Bob"} dan`)
	a.has("y", "ann")
	counts, err := a.counts("y", "nobody", "x")
	if err != nil || !slices.Equal(counts, []int{1, 0, 3}) {
		t.Errorf("the counts are %v, %v", counts, err)
	}
	if s, err := b.stats(); err != nil || s != (push.PresenceStats{Channels: 2, Users: 4}) {
		t.Errorf("the stats are %+v, %v", s, err)
	}
	a.leave("x", "ann", "bob")
	a.has("x", "ann dan")
	b.leave("x", "ann")
	b.leave("y", "ann")
	b.leave("x", "dan")
	a.has("x", "")
	a.has("y", "")
	if s, err := a.stats(); err != nil || s != (push.PresenceStats{}) {
		t.Errorf("when all have gone the stats are %+v, %v", s, err)
	}
}

// testPresenceInfo tells what was said last of a uid, by whichever node, and forgets it when that has gone.
func testPresenceInfo(t *testing.T, c *cluster) {
	c.knowsPresence()
	a, b := c.join(), c.join()
	a.enter("x", `ann={"n":1}`)
	a.has("x", `ann{"n":1}`)
	b.enter("x", "ann") // has nothing to say
	b.has("x", `ann{"n":1}`)
	b.enter("x", `ann="two"`)
	a.has("x", `ann"two"`)
	b.leave("x", "ann")
	b.has("x", `ann"two"`)
	a.enter("x", "ann=null")
	a.has("x", "ann")
	a.enter("x", "ann=7")
	a.has("x", "ann7")
	a.leave("x", "ann")
	a.enter("x", "ann")
	a.has("x", "ann")
}

// testPresenceTwice has what is said twice change nothing, nor what takes back what was never said.
func testPresenceTwice(t *testing.T, c *cluster) {
	c.knowsPresence()
	a, b := c.join(), c.join()
	b.subscribe("x")
	a.leave("x", "ann", "nobody")
	a.enter("x", `ann={"n":1}`, `ann={"n":1}`, "ann")
	a.has("x", `ann{"n":1}`)
	b.enter("x", "ann")
	b.has("x", `ann{"n":1}`)
	b.leave("x", "ann", "ann")
	b.has("x", `ann{"n":1}`)
	a.leave("x", "ann", "ann")
	a.has("x", "")
	b.wants(`x +ann{"n":1} 1`, "x -ann 0")
}

// testPresenceEvents tells who has subscribed, and wants it, who comes and goes: the first node that has it, and the
// last one.
func testPresenceEvents(t *testing.T, c *cluster) {
	c.knowsPresence()
	a, b, d := c.join(), c.join(), c.join()
	a.subscribe("x")
	b.subscribe("x", "quiet")
	d.subscribe("y")
	a.enter("x", "ann")
	a.enter("quiet", "ann")
	a.has("x", "ann")
	b.enter("x", "ann", "bob")
	b.has("x", "ann bob")
	a.leave("x", "ann")
	a.has("x", "ann bob")
	b.enter("x", `bob={"name":"Bob"}`)
	b.leave("x", "ann")
	b.has("x", `bob{"name":"Bob"}`)
	d.enter("y", "dan")
	want := []string{"x +ann 1", "x +bob 2", `x +bob{"name":"Bob"} 2`, "x -ann 1"}
	a.wants(want...)
	b.wants(want...)
	d.wants("y +dan 1")
}

// testPresenceAttended tells who comes and goes the one node by whose saying it is, whoever has subscribed.
func testPresenceAttended(t *testing.T, c *cluster) {
	c.knowsPresence()
	a, b := c.join(), c.join()
	b.subscribe("x")
	a.enter("x", "ann", "ann=1")
	a.has("x", "ann1")
	b.enter("x", "ann", "bob", "bob=2")
	b.has("x", "ann1 bob2")
	a.leave("x", "ann")
	a.enter("y", "dan")
	a.has("y", "dan")
	b.leave("x", "ann", "ann", "nobody")
	a.has("x", "bob2")
	a.enter("x", "ann")
	a.has("x", "ann bob2")
	for n, want := range map[*node][]string{
		a: {"x ann true", "y dan true", "x ann true"}, b: {"x bob true", "x ann false"},
	} {
		n.until("all is told", func() bool { return len(n.moved) >= len(want) })
		n.loop.Await(func() {
			if !slices.Equal(n.moved, want) {
				t.Errorf("%s is told %q, want %q", n.id, n.moved, want)
			}
		})
	}
}

// testPresenceOrder has all nodes be told what changes in one order, together with what is published.
func testPresenceOrder(t *testing.T, c *cluster) {
	c.knowsPresence()
	const each = 50
	var nodes []*node
	for range 3 {
		n := c.join()
		n.subscribe("x")
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.loop.Do(func() {
			link := n.link.(push.PresenceLink)
			for i := range each {
				link.Enter("x", n.id, json.RawMessage(fmt.Sprint(i)))
				n.send([]push.Target{"x"}, fmt.Sprint(i), func(error) {})
				link.Leave("x", n.id)
			}
		})
	}
	first := nodes[0].arrives(3 * each * len(nodes))
	for _, n := range nodes[1:] {
		if got := n.arrives(len(first)); !slices.Equal(first, got) {
			t.Errorf("%s is told another order than node1", n.id)
		}
	}
	for _, n := range nodes {
		own := slices.DeleteFunc(slices.Clone(first), func(text string) bool { return !strings.Contains(text, n.id) })
		for i := range each {
			for j, word := range []string{fmt.Sprint("+", n.id, i), n.id, "-" + n.id} {
				if got := strings.Fields(own[3*i+j])[1]; got != word {
					t.Fatalf("%s is told %q as its event %d, want %s", n.id, own[3*i+j], 3*i+j, word)
				}
			}
		}
	}
}

// testPresenceLarge tells only how many there are, where they are more than are wanted.
func testPresenceLarge(t *testing.T, c *cluster) {
	c.knowsPresence()
	a := c.join()
	for i := range 30 {
		a.enter("x", fmt.Sprint("u", string(rune('A'+i))))
	}
	for most, whole := range map[int]bool{0: false, 29: false, 30: true, 31: true} {
		p, err := a.present("x", most)
		if err != nil || p.N != 30 || p.More == whole || (len(p.Users) == 30) != whole || !whole && p.Users != nil {
			t.Errorf("up to %d: %d, more %v, %d users, %v", most, p.N, p.More, len(p.Users), err)
		}
	}
	if p, err := a.present("nobody", 0); err != nil || p.N != 0 || p.More {
		t.Errorf("of an empty channel: %+v, %v", p, err)
	}
}

// testPresenceMidst has a list, and what is told from then on, be who is there: also if it is read while nodes say much
// at a time.
func testPresenceMidst(t *testing.T, c *cluster) {
	c.knowsPresence()
	reader, writers := c.join(), []*node{c.join(), c.join(), c.join()}
	reader.subscribe("x", "end")
	for i, n := range writers {
		random := rand.New(rand.NewPCG(1, uint64(i)))
		n.loop.Do(func() {
			link := n.link.(push.PresenceLink)
			for range 400 {
				uid := fmt.Sprint("u", random.IntN(6))
				if random.IntN(2) == 0 {
					link.Leave("x", uid)
				} else {
					link.Enter("x", uid, json.RawMessage(fmt.Sprint(random.IntN(3))))
				}
			}
		})
	}
	for range 20 {
		done := make(chan error, 1)
		reader.loop.Await(func() {
			reader.link.(push.PresenceLink).Present("x", 1000, func(p push.Presence, err error) {
				room := make(map[string]string)
				for uid, info := range p.Users {
					room[uid] = string(info)
				}
				reader.rooms = map[push.Target]map[string]string{"x": room}
				done <- err
			})
		})
		if err := reader.await(done, "present"); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range writers { // is told behind all that it has said
		if err := n.publish("end", ""); err != nil {
			t.Error(err)
		}
		if _, err := n.present("x", 0); err != nil {
			t.Error(err)
		}
	}
	p, err := reader.present("x", 1000)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for uid, info := range p.Users {
		want[uid] = string(info)
	}
	reader.until(fmt.Sprintf("a list that follows the events is %v", want), func() bool {
		return maps.Equal(reader.rooms["x"], want)
	})
}

// testPresenceGone takes out what a node has said that leaves the cluster, and no more.
func testPresenceGone(t *testing.T, c *cluster) {
	c.knowsPresence()
	a, b := c.join(), c.join()
	a.subscribe("x")
	a.enter("x", "ann")
	a.has("x", "ann")
	b.enter("x", "ann", "bob")
	b.enter("y", "bob")
	a.has("x", "ann bob")
	b.loop.Await(b.link.Close)
	a.has("x", "ann")
	a.has("y", "")
	a.wants("x +ann 1", "x +bob 2", "x -bob 1")
}

// testPresenceBroken has what a node says while its link is down be known when it is up, and what it takes back be
// gone.
func testPresenceBroken(t *testing.T, c *cluster) {
	c.knowsPresence()
	if c.Cut == nil {
		t.Skip("nothing can break")
	}
	a, b := c.join(), c.join()
	a.enter("x", `ann={"n":1}`, "bob")
	b.has("x", `ann{"n":1} bob`)
	c.Cut()
	for _, n := range []*node{a, b} {
		n.until("it learns that the link is down", func() bool { return n.downs == 1 })
	}
	if _, err := a.present("x", 9); !errors.Is(err, push.ErrUnlinked) {
		t.Errorf("read over a broken link: %v", err)
	}
	a.leave("x", "bob")
	a.enter("x", "dan", "ann")
	b.enter("x", "eve")
	c.Mend()
	for _, n := range []*node{a, b} {
		n.until("the link is up again", func() bool { return n.ups == 2 })
	}
	a.has("x", `ann{"n":1} dan eve`)
	b.has("x", `ann{"n":1} dan eve`)
}

// testPresenceClosed knows nothing over a link that was closed.
func testPresenceClosed(t *testing.T, c *cluster) {
	c.knowsPresence()
	a, b := c.join(), c.join()
	a.loop.Await(a.link.Close)
	a.enter("x", "ann")
	a.leave("x", "ann")
	_, present := a.present("x", 9)
	_, count := a.counts("x")
	_, stats := a.stats()
	for _, err := range []error{present, count, stats} {
		if !errors.Is(err, push.ErrClosed) {
			t.Errorf("read over a closed link: %v", err)
		}
	}
	b.has("x", "")
}
