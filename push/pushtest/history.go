package pushtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// briefly is how long what expires in a test is kept.
const briefly = 50 * time.Millisecond

// retain is what the nodes of the suite keep of a target.
func retain(of push.Target) push.Retention {
	switch kind, _, _ := strings.Cut(string(of), ":"); kind {
	case "kept":
		return push.Retention{Size: 1000}
	case "few":
		return push.Retention{Size: 3}
	case "small":
		return push.Retention{Size: 1000, Bytes: 10}
	case "brief":
		return push.Retention{Size: 1000, TTL: briefly}
	case "latest":
		return push.Retention{Class: push.Latest}
	}
	return push.Retention{}
}

// everything is all that is kept.
var everything = push.Range{Limit: 1 << 20}

// keepsHistory skips a test of history where there is none.
func (c *cluster) keepsHistory() {
	c.t.Helper()
	if !c.History {
		c.t.Skip("the broker keeps no history")
	}
}

// testHistory keeps what is published, tells it to every node with positions, and nothing of what is not to be kept.
func testHistory(t *testing.T, c *cluster) {
	c.keepsHistory()
	a, b := c.join(), c.join()
	b.subscribe("kept:1", "other")
	began := time.Now().Add(-time.Second)
	if h := b.tells("kept:1", everything, ""); h.Top.Epoch == "" {
		t.Errorf("before the first publication the top is %q", h.Top)
	}
	at := a.publishes("kept:1", "1", "2", "3")
	if err := a.publish("other", "x"); err != nil {
		t.Error(err)
	}
	a.loop.Await(func() {
		if a.receipt.Positions != nil {
			t.Errorf("what is not kept has the positions %v", a.receipt.Positions)
		}
	})
	for _, n := range []*node{a, b} {
		h := n.tells("kept:1", everything, "1 2 3")
		for i, m := range h.Messages {
			if m.Position != at[i] || m.At.Before(began) || m.At.After(time.Now().Add(time.Second)) {
				t.Errorf("message %d is %v of %v, want %v", i, m.Position, m.At, at[i])
			}
		}
		if h.Top != at[2] {
			t.Errorf("the top is %v, want %v", h.Top, at[2])
		}
		n.tells("kept:1", since(at[0]), "2 3")
		n.tells("kept:1", since(at[2]), "")
	}
	b.arrives(4)
	b.loop.Await(func() {
		want := []placed{{"kept:1", at[0], "1"}, {"kept:1", at[1], "2"}, {"kept:1", at[2], "3"}}
		if !slices.Equal(b.placed, want) {
			t.Errorf("it was delivered %v, want %v", b.placed, want)
		}
	})
}

// testHistoryOrder has what several publish at a time have one order, without a hole or a double, the same for who gets
// it and for who reads it.
func testHistoryOrder(t *testing.T, c *cluster) {
	c.keepsHistory()
	const each = 100
	var nodes []*node
	for range 3 {
		n := c.join()
		n.subscribe("kept:1")
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.loop.Do(func() {
			for i := range each {
				n.send([]push.Target{"kept:1"}, fmt.Sprint(n.id, ".", i), func(error) {})
			}
		})
	}
	for _, n := range nodes {
		n.arrives(each * len(nodes))
	}
	h, err := nodes[0].history("kept:1", everything)
	if err != nil || len(h.Messages) != each*len(nodes) {
		t.Fatalf("%d messages are kept, %v", len(h.Messages), err)
	}
	for _, n := range nodes {
		n.loop.Await(func() {
			for i, m := range h.Messages {
				if got := n.placed[i]; got.position != m.Position || got.data != string(m.Data) {
					t.Errorf("%s: %d is %v, and %v %s is read", n.id, i, got, m.Position, m.Data)
				}
				if i > 0 && !follows(h.Messages[i-1].Position, m.Position) {
					t.Errorf("%v comes after %v", m.Position, h.Messages[i-1].Position)
				}
			}
		})
	}
}

// testHistorySeveral gives a publication a position in the history of each of its targets that keeps one.
func testHistorySeveral(t *testing.T, c *cluster) {
	c.keepsHistory()
	a := c.join()
	a.publishes("kept:2", "before")
	done := make(chan error, 1)
	a.loop.Await(func() {
		a.send([]push.Target{"kept:1", "other", "kept:2"}, "x", func(err error) { done <- err })
	})
	if err := a.await(done, "publish"); err != nil {
		t.Fatal(err)
	}
	var at []push.Position
	a.loop.Await(func() { at = a.receipt.Positions })
	if len(at) != 3 || at[1] != (push.Position{}) {
		t.Fatalf("the positions are %v", at)
	}
	first, second := a.tells("kept:1", everything, "x"), a.tells("kept:2", everything, "before x")
	if first.Top != at[0] || second.Top != at[2] {
		t.Errorf("the tops are %v and %v, want %v", first.Top, second.Top, at)
	}
}

// testHistoryLimits keeps and tells no more than is wanted: the last ones, or the first ones after a position.
func testHistoryLimits(t *testing.T, c *cluster) {
	c.keepsHistory()
	a := c.join()
	few := a.publishes("few:1", "1", "2", "3", "4", "5")
	a.publishes("small:1", "1234", "5678", "9")
	a.tells("few:1", everything, "3 4 5")
	a.tells("small:1", everything, "1234 5678 9")
	a.publishes("small:1", "ab")
	a.tells("small:1", everything, "5678 9 ab")
	a.publishes("small:1", "longer than ten")
	a.tells("small:1", everything, "")
	a.tells("few:1", push.Range{Limit: 2}, "4 5")
	a.tells("few:1", push.Range{Since: few[1], Limit: 2}, "3 4")
	if h := a.tells("few:1", push.Range{Since: few[1]}, ""); h.Top != few[4] {
		t.Errorf("the top alone is %v, want %v", h.Top, few[4])
	}
	a.tells("few:1", push.Range{Since: few[1], Limit: 9, Bytes: 2}, "3 4")
	a.tells("few:1", push.Range{Limit: 9, Bytes: 2}, "4 5")
	a.publishes("few:1", "large one")
	a.tells("few:1", push.Range{Since: few[4], Limit: 9, Bytes: 2}, "large one")
	a.tells("few:1", push.Range{Limit: 9, Bytes: 2}, "large one")
}

// testHistoryGaps says why something is missing, and tells nothing then.
func testHistoryGaps(t *testing.T, c *cluster) {
	c.keepsHistory()
	a := c.join()
	at := a.publishes("few:1", "1", "2", "3", "4", "5")
	a.tells("few:1", since(at[1]), "3 4 5")
	a.tells("few:1", since(at[0]), "gap:expired")
	a.tells("few:1", since(push.Position{Epoch: at[0].Epoch, Offset: at[4].Offset + 1}), "gap:ahead")
	a.tells("few:1", since(push.Position{Epoch: "another", Offset: at[3].Offset}), "gap:epoch")
	a.tells("few:nothing", since(push.Position{Epoch: "another", Offset: 0}), "gap:epoch")
	epoch := a.tells("few:nothing", everything, "").Top.Epoch // a Broker with partitions may have several
	a.tells("few:nothing", since(push.Position{Epoch: epoch, Offset: 1 << 63}), "gap:ahead")
}

// testHistoryLatest has the last one be enough, whatever came before it.
func testHistoryLatest(t *testing.T, c *cluster) {
	c.keepsHistory()
	a := c.join()
	at := a.publishes("latest:1", "1", "2", "3")
	a.tells("latest:1", everything, "3")
	a.tells("latest:1", since(at[0]), "3")
	a.tells("latest:1", since(push.Position{Epoch: "another", Offset: 9}), "3")
	a.tells("latest:1", since(at[2]), "")
	a.forget("latest:1")
	a.tells("latest:1", since(at[2]), "")
	a.tells("latest:1", since(at[1]), "gap:expired")
	a.tells("latest:1", since(push.Position{Epoch: "another", Offset: 9}), "gap:epoch")
}

// testHistoryExpired keeps nothing for longer than is wanted. The offsets go on.
func testHistoryExpired(t *testing.T, c *cluster) {
	c.keepsHistory()
	a := c.join()
	at := a.publishes("brief:1", "1", "2")
	var h push.History
	var err error
	if !until(func() bool {
		h, err = a.history("brief:1", everything)
		return err == nil && len(h.Messages) == 0 && h.Top == at[1]
	}) {
		t.Fatalf("it never expires: %+v, %v", h, err)
	}
	a.tells("brief:1", since(at[0]), "gap:expired")
	a.tells("brief:1", since(at[1]), "")
	if next := a.publishes("brief:1", "3"); !follows(at[1], next[0]) {
		t.Errorf("%v comes after %v", next[0], at[1])
	}
}

// testHistoryForgotten removes what is kept, and no more than that. The offsets go on.
func testHistoryForgotten(t *testing.T, c *cluster) {
	c.keepsHistory()
	a, b := c.join(), c.join()
	at := a.publishes("kept:1", "1", "2")
	a.publishes("kept:2", "x")
	b.forget("kept:1", "kept:nothing")
	if h := a.tells("kept:1", everything, ""); h.Top != at[1] {
		t.Errorf("the top is %v, want %v", h.Top, at[1])
	}
	a.tells("kept:1", since(at[0]), "gap:expired")
	a.tells("kept:1", since(at[1]), "")
	a.tells("kept:2", everything, "x")
	if next := a.publishes("kept:1", "3"); !follows(at[1], next[0]) {
		t.Errorf("%v comes after %v", next[0], at[1])
	}
	b.tells("kept:1", since(at[1]), "3")
}

// testHistoryAway has a node that comes later read what was published while another one was away.
func testHistoryAway(t *testing.T, c *cluster) {
	c.keepsHistory()
	a, b := c.join(), c.join()
	b.subscribe("kept:1")
	a.publishes("kept:1", "1", "2")
	b.arrives(2)
	var seen push.Position
	b.loop.Await(func() {
		seen = b.placed[1].position
		b.link.Close()
	})
	a.publishes("kept:1", "3", "4")
	d := c.join()
	d.subscribe("kept:1")
	a.publishes("kept:1", "5")
	d.tells("kept:1", since(seen), "3 4 5")
	d.wants("kept:1 node1 5 5")
}

// testHistoryBroken has a node whose link has broken find in the history exactly what it has missed.
func testHistoryBroken(t *testing.T, c *cluster) {
	c.keepsHistory()
	if c.Cut == nil {
		t.Skip("nothing can break")
	}
	a, b := c.join(), c.join()
	b.subscribe("kept:1")
	a.publishes("kept:1", "first")
	const n = 200
	errs := make(chan error, n)
	a.loop.Await(func() {
		for i := range n {
			a.send([]push.Target{"kept:1"}, fmt.Sprint(i), func(err error) { errs <- err })
		}
	})
	c.Cut()
	sent := 1
	for range n {
		switch err := a.await(errs, "publish"); {
		case err == nil:
			sent++
		case !errors.Is(err, push.ErrUnlinked) && !errors.Is(err, push.ErrUnanswered):
			t.Error(err)
		}
	}
	b.until("it learns that the link is down", func() bool { return b.downs == 1 })
	if _, err := b.history("kept:1", everything); !errors.Is(err, push.ErrUnlinked) {
		t.Errorf("read over a broken link: %v", err)
	}
	var got []placed // before it broke; a server may still be at what it was sent before
	b.loop.Await(func() { got = slices.Clone(b.placed) })
	c.Mend()
	b.until("the link is up again", func() bool { return b.ups == 2 })
	a.until("the link is up again", func() bool { return a.ups == 2 })
	all, err := b.history("kept:1", everything)
	if err != nil || len(all.Messages) < sent {
		t.Fatalf("%d messages are kept, %v: %d were confirmed", len(all.Messages), err, sent)
	}
	for i, p := range got {
		if m := all.Messages[i]; p.position != m.Position || p.data != string(m.Data) {
			t.Errorf("%d is %v, and %v %s is read", i, p, m.Position, m.Data)
		}
	}
	missed, err := b.history("kept:1", since(got[len(got)-1].position))
	if err != nil || missed.Gap != "" || len(got)+len(missed.Messages) < len(all.Messages) {
		t.Fatalf("it got %d of %d, and finds %+v, %v", len(got), len(all.Messages), missed, err)
	}
	for i, m := range all.Messages[len(got):] {
		if found := missed.Messages[i]; found.Position != m.Position || !bytes.Equal(found.Data, m.Data) {
			t.Errorf("%v is found, and %v was kept", found.Position, m.Position)
		}
	}
}

// testHistoryClosed reads nothing over a link that was closed.
func testHistoryClosed(t *testing.T, c *cluster) {
	c.keepsHistory()
	a := c.join()
	a.publishes("kept:1", "1")
	a.loop.Await(a.link.Close)
	if _, err := a.history("kept:1", everything); !errors.Is(err, push.ErrClosed) {
		t.Errorf("read over a closed link: %v", err)
	}
	b := c.join()
	b.tells("kept:1", everything, "1")
}
