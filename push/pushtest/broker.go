package pushtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// join writes targets down.
func join(to []push.Target) (text string) {
	for i, t := range to {
		if i > 0 {
			text += "+"
		}
		text += string(t)
	}
	return text
}

// testSubscribed delivers to who subscribes, and to nobody else.
func testSubscribed(t *testing.T, c *cluster) {
	a, b, d := c.join(), c.join(), c.join()
	b.subscribe("x", "y", "end")
	d.subscribe("y", "end")
	for _, topic := range []push.Target{"x", "y", "z", "end"} {
		if err := a.publish(topic, "to "+string(topic)); err != nil {
			t.Error(err)
		}
	}
	b.wants("x node1 1 to x", "y node1 2 to y", "end node1 4 to end")
	d.wants("y node1 2 to y", "end node1 4 to end")
	a.wants()
}

// testOwn delivers a node its own publications, before they are done.
func testOwn(t *testing.T, c *cluster) {
	a, b := c.join(), c.join()
	a.subscribe("x")
	b.subscribe("x")
	early := 0
	done := make(chan error, 100)
	a.loop.Await(func() {
		for i := range 100 {
			a.send([]push.Target{"x"}, "mine", func(err error) {
				if len(a.got) < i+1 {
					early++
				}
				done <- err
			})
		}
	})
	for range 100 {
		if err := a.await(done, "publish"); err != nil {
			t.Error(err)
		}
	}
	if early > 0 {
		t.Errorf("%d publications were done before they were delivered", early)
	}
	a.arrives(100)
	b.arrives(100)
}

// testOrder keeps the order of one publisher over all of its topics.
func testOrder(t *testing.T, c *cluster) {
	a, b := c.join(), c.join()
	b.subscribe("x", "y")
	const n = 500
	a.loop.Await(func() {
		for i := range n {
			a.send([]push.Target{"x", "y"}[i%2:i%2+1], "", func(error) {})
		}
	})
	got := b.arrives(n)
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("%s node1 %d ", []string{"x", "y"}[i%2], i+1))
	}
	if c.Divided { // x and y by themselves
		first := func(a, b string) int { return strings.Compare(a[:1], b[:1]) }
		slices.SortStableFunc(got, first)
		slices.SortStableFunc(want, first)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// testOneOrder gives all nodes the same order of what several publish, the publishers themselves too.
func testOneOrder(t *testing.T, c *cluster) {
	var nodes []*node
	for range 4 {
		n := c.join()
		n.subscribe("x")
		nodes = append(nodes, n)
	}
	const each = 200
	for _, n := range nodes {
		n.loop.Do(func() {
			for range each {
				n.send([]push.Target{"x"}, "", func(error) {})
			}
		})
	}
	first := nodes[0].arrives(each * len(nodes))
	for _, n := range nodes[1:] {
		if got := n.arrives(each * len(nodes)); !slices.Equal(first, got) {
			t.Errorf("%s got another order than node1", n.id)
		}
	}
}

// testUnsubscribed delivers nothing more in the end, until it is subscribed to again.
func testUnsubscribed(t *testing.T, c *cluster) {
	a, b := c.join(), c.join()
	b.subscribe("x", "mark")
	b.loop.Await(func() { b.link.Unsubscribe([]push.Target{"x"}) })
	b.subscribe("mark2") // comes behind that
	for _, topic := range []push.Target{"x", "mark"} {
		if err := a.publish(topic, "one"); err != nil {
			t.Error(err)
		}
	}
	b.wants("mark node1 2 one")
	b.subscribe("x")
	if err := a.publish("x", "two"); err != nil {
		t.Error(err)
	}
	b.wants("mark node1 2 one", "x node1 3 two")
}

// testClosed delivers nothing to a link that was closed, and refuses what it is asked.
func testClosed(t *testing.T, c *cluster) {
	a, b, d := c.join(), c.join(), c.join()
	b.subscribe("x")
	d.subscribe("x")
	b.loop.Await(b.link.Close)
	if err := a.publish("x", "late"); err != nil {
		t.Error(err)
	}
	d.wants("x node1 1 late")
	b.wants()
	if err := b.publish("x", "mine"); !errors.Is(err, push.ErrClosed) {
		t.Errorf("publish on a closed link: %v", err)
	}
	done := make(chan error, 1)
	b.loop.Await(func() { b.link.Subscribe([]push.Target{"y"}, func(err error) { done <- err }) })
	if err := b.await(done, "subscribe"); !errors.Is(err, push.ErrClosed) {
		t.Errorf("subscribe on a closed link: %v", err)
	}
}

// testConnections delivers what is for a connection to the node that has it.
func testConnections(t *testing.T, c *cluster) {
	a, b, d := c.join(), c.join(), c.join()
	b.subscribe("c:node2", "end")
	d.subscribe("c:node3", "end")
	for _, to := range []push.Target{"c:node2.1", "c:node3.2", "c:node9.3", "end"} {
		if err := a.publish(to, ""); err != nil {
			t.Error(err)
		}
	}
	b.wants("c:node2.1 node1 1 ", "end node1 4 ")
	d.wants("c:node3.2 node1 2 ", "end node1 4 ")
}

// testAsked has who has subscribed answer, each once, and nobody else.
func testAsked(t *testing.T, c *cluster) {
	a, b, d := c.join(), c.join(), c.join()
	a.subscribe("x")
	b.subscribe("x", "y")
	d.subscribe("z", "c:node3")
	for _, q := range []struct {
		to   []push.Target
		want []string
	}{
		{[]push.Target{"x"}, []string{"node1: x", "node2: x"}},
		{[]push.Target{"y"}, []string{"node2: y"}},
		{[]push.Target{"nobody"}, nil},
		{[]push.Target{"c:node3.7"}, []string{"node3: c:node3.7"}},
	} {
		answers, err := a.ask(join(q.to), q.to...)
		if err != nil || !slices.Equal(answers, q.want) {
			t.Errorf("%q answered by %q, %v; want %q", q.to, answers, err, q.want)
		}
	}
	answers, err := a.ask("?", "y", "z") // others may be asked too
	if err != nil || !slices.Contains(answers, "node2: ?") || !slices.Contains(answers, "node3: ?") ||
		len(answers) != len(slices.Compact(answers)) {
		t.Errorf("y and z answered by %q, %v", answers, err)
	}
	b.loop.Await(b.link.Close)
	if _, err := b.ask("?", "x"); !errors.Is(err, push.ErrClosed) {
		t.Errorf("asked over a closed link: %v", err)
	}
	if answers, err := a.ask("?", "x"); err != nil || !slices.Equal(answers, []string{"node1: ?"}) {
		t.Errorf("without node2: %q, %v", answers, err)
	}
}

// testAskedInOrder has questions and publications come in one order.
func testAskedInOrder(t *testing.T, c *cluster) {
	a, b := c.join(), c.join()
	a.subscribe("x")
	b.subscribe("x")
	const rounds = 50
	left := make(chan error, 2*rounds)
	a.loop.Await(func() {
		for i := range rounds {
			a.send([]push.Target{"x"}, "", func(err error) { left <- err })
			a.link.Ask([]push.Target{"x"}, fmt.Appendf(nil, "%d", i), func(_ [][]byte, err error) { left <- err })
		}
	})
	for range 2 * rounds {
		if err := a.await(left, "publish or ask"); err != nil {
			t.Error(err)
		}
	}
	var want []string
	for i := range rounds {
		want = append(want, fmt.Sprintf("x node1 %d ", i+1), fmt.Sprintf("x asks %d", i))
	}
	a.wants(want...)
	b.wants(want...)
}

// testContent carries any bytes, and all that a Publication says.
func testContent(t *testing.T, c *cluster) {
	a, b := c.join(), c.join()
	got := make(chan push.Publication, 3)
	loop := NewLoop(t)
	var link push.Link
	up := make(chan bool, 1)
	loop.Await(func() {
		var err error
		link, err = c.Broker().Join(push.Node{
			ID: "reader", Do: loop.Do, Retain: retain, HistoryBytes: 1 << 20,
			Deliver: func(_ []push.Target, p push.Publication) int { got <- p; return 0 },
			Answer:  func(_ []push.Target, _ []byte, reply func([]byte)) { reply(nil) },
			Linked:  func(bool) { up <- true },

			Presence:       func(push.Target, push.PresenceEvent) {},
			PresenceEvents: func(push.Target) bool { return false },
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-up
	t.Cleanup(func() { loop.Do(link.Close) })
	subscribed := make(chan error, 1)
	loop.Await(func() { link.Subscribe([]push.Target{"ユーザー\x20*"}, func(err error) { subscribed <- err }) })
	if err := <-subscribed; err != nil {
		t.Fatal(err)
	}
	large := make([]byte, 60_000)
	for i := range large {
		large[i] = byte(i)
	}
	for i, want := range []push.Publication{
		{Node: a.id, Number: 1 << 60, Except: "c:other.18446744073709551615", Data: []byte("\x00\r\n\xff")},
		{Node: b.id, Number: 1, Data: []byte{}},
		{Node: b.id, Number: 2, Data: large},
	} {
		a.loop.Await(func() { a.link.Publish([]push.Target{"ユーザー\x20*"}, want, func(push.Receipt, error) {}) })
		p := <-got
		if p.Node != want.Node || p.Number != want.Number || p.Except != want.Except ||
			string(p.Data) != string(want.Data) {
			t.Errorf("publication %d came as %+v", i, p)
		}
	}
}

// testBroken has links break: what is published meanwhile fails, and afterwards everything is as before.
func testBroken(t *testing.T, c *cluster) {
	if c.Cut == nil {
		t.Skip("nothing can break")
	}
	a, b := c.join(), c.join()
	a.subscribe("x")
	b.subscribe("x", "y")
	for round := 1; round <= 3; round++ {
		if err := a.publish("x", "before"); err != nil {
			t.Error(err)
		}
		if answers, err := a.ask("?", "y"); err != nil || !slices.Equal(answers, []string{"node2: ?"}) {
			t.Errorf("asked: %q, %v", answers, err)
		}
		c.Cut()
		for _, n := range []*node{a, b} {
			n.until("it learns that the link is down", func() bool { return n.downs == round })
		}
		if err := a.publish("x", "lost"); !errors.Is(err, push.ErrUnlinked) {
			t.Errorf("a publication over a broken link: %v", err)
		}
		if answers, err := a.ask("?", "y"); !errors.Is(err, push.ErrUnlinked) || len(answers) > 0 {
			t.Errorf("a question over a broken link: %q, %v", answers, err)
		}
		c.Mend()
		for _, n := range []*node{a, b} {
			n.until("the link is up again", func() bool { return n.ups == round+1 })
		}
		if err := a.publish("y", "after"); err != nil {
			t.Error(err)
		}
		var want []string
		for i := range uint64(round) {
			want = append(want, fmt.Sprintf("x node1 %d before", 3*i+1), "y asks ?",
				fmt.Sprintf("y node1 %d after", 3*i+3))
		}
		b.wants(want...)
	}
}

// testSubscribeDown has topics that were wanted while the link was down come when it is up.
func testSubscribeDown(t *testing.T, c *cluster) {
	if c.Cut == nil {
		t.Skip("nothing can break")
	}
	a, b := c.join(), c.join()
	b.subscribe("old")
	c.Cut()
	b.until("it learns that the link is down", func() bool { return b.downs == 1 })
	b.loop.Await(func() {
		b.link.Subscribe([]push.Target{"new"}, func(error) {})
		b.link.Unsubscribe([]push.Target{"old"})
	})
	c.Mend()
	for _, n := range []*node{a, b} {
		n.until("the link is up again", func() bool { return n.ups == 2 })
	}
	for _, topic := range []push.Target{"old", "new"} {
		if err := a.publish(topic, "x"); err != nil {
			t.Error(err)
		}
	}
	b.wants("new node1 2 x")
}
