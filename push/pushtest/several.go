package pushtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// testSeveral delivers what is for several targets once, to each node that wants one of them.
func testSeveral(t *testing.T, c *cluster) {
	a, b, d := c.join(), c.join(), c.join()
	b.subscribe("x", "y", "end")
	d.subscribe("y", "end")
	for _, to := range [][]push.Target{{"x", "z"}, {"x", "y"}, {"z", "w"}, {"end"}} {
		done := make(chan error, 1)
		a.loop.Await(func() { a.send(to, "", func(err error) { done <- err }) })
		if c.Divided { // only what is done has come in every part
			if err := a.await(done, "publish"); err != nil {
				t.Error(err)
			}
		}
	}
	if c.Divided {
		b.wantsParts([]push.Target{"x", "y", "end"}, "1 x", "2 x", "2 y", "4 end")
		d.wantsParts([]push.Target{"y", "end"}, "2 y", "4 end")
		return
	}
	b.wants("x+z node1 1 ", "x+y node1 2 ", "end node1 4 ")
	d.wants("x+y node1 2 ", "end node1 4 ")
}

// wantsParts checks all that a node has got for what it subscribed to: numbers and targets.
func (n *node) wantsParts(subscribed []push.Target, want ...string) {
	n.t.Helper()
	var parts []string
	for _, text := range n.arrives(0) {
		words := strings.Split(text, " ")
		for _, target := range strings.Split(words[0], "+") {
			if slices.Contains(subscribed, push.Target(target)) {
				parts = append(parts, words[2]+" "+target)
			}
		}
	}
	slices.Sort(parts)
	if !slices.Equal(parts, want) {
		n.t.Errorf("%s got %q, want %q", n.id, parts, want)
	}
}

// testManyTopics subscribes to thousands at once.
func testManyTopics(t *testing.T, c *cluster) {
	a, b := c.join(), c.join()
	const n = 10_000
	topics := make([]push.Target, n)
	for i := range topics {
		topics[i] = push.UID(fmt.Sprint(i))
	}
	b.subscribe(topics...)
	var want []string
	a.loop.Await(func() {
		for i := 0; i < n; i += 10 {
			a.send(topics[i:i+1], "x", func(error) {})
			want = append(want, fmt.Sprintf("u:%d node1 %d x", i, i/10+1))
		}
	})
	got := b.arrives(n / 10)
	if c.Divided {
		slices.Sort(got)
		slices.Sort(want)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d publications, the last is %q; want %d, and %q", len(got), got[len(got)-1], len(want),
			want[len(want)-1])
	}
}
