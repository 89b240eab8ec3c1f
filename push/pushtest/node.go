package pushtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

type cluster struct {
	Cluster
	t         *testing.T
	nodes     int
	rollDelay time.Duration // of nodes that are made from now on
}

// placed is a publication as it stands in the history of a target.
type placed struct {
	of       push.Target
	position push.Position
	data     string
}

// node is a node without a Hub: it keeps what it is delivered.
type node struct {
	t    *testing.T
	id   string
	loop *Loop
	link push.Link

	// Owned by the loop.
	got    []string // topic, node, number and data; or topic, "asks" and the question; or as written by event
	placed []placed // what of it has positions, in order
	ups    int
	downs  int
	number uint64
	rooms  map[push.Target]map[string]string // who is in a channel by a list and the events since: uid and info
	moved  []string                          // who has come and gone by what it has said

	receipt push.Receipt // of the last publication that is done
}

func (c *cluster) join() *node {
	c.t.Helper()
	c.nodes++
	n := &node{t: c.t, id: fmt.Sprintf("node%d", c.nodes), loop: NewLoop(c.t)}
	n.loop.Await(func() {
		link, err := c.Broker().Join(push.Node{
			ID: n.id, Do: n.loop.Do, Retain: retain, HistoryBytes: 1 << 20,
			Deliver: func(to []push.Target, p push.Publication) int {
				n.got = append(n.got, fmt.Sprintf("%s %s %d %s", join(to), p.Node, p.Number, p.Data))
				for i, at := range p.Positions {
					if at != (push.Position{}) {
						n.placed = append(n.placed, placed{to[i], at, string(p.Data)})
					}
				}
				return 1
			},
			Answer: func(to []push.Target, question []byte, reply func([]byte)) {
				n.got = append(n.got, fmt.Sprintf("%s asks %s", join(to), question))
				answer := fmt.Sprintf("%s: %s", n.id, question)
				n.loop.Do(func() { reply([]byte(answer)) }) // later
			},
			PresenceEvents: func(in push.Target) bool { return in != "quiet" },
			Presence: func(in push.Target, e push.PresenceEvent) {
				n.got = append(n.got, event(in, e))
				n.apply(in, e)
			},
			Attended: func(in push.Target, uid string, here bool) {
				n.moved = append(n.moved, fmt.Sprintf("%s %s %t", in, uid, here))
			},
			Linked: func(up bool) {
				if up {
					n.ups++
				} else {
					n.downs++
				}
			},
		})
		if err != nil {
			c.t.Error(err)
			return
		}
		n.link = link
	})
	if c.t.Failed() {
		c.t.FailNow()
	}
	c.t.Cleanup(func() { n.loop.Do(n.link.Close) })
	n.until("the link is up", func() bool { return n.ups == 1 })
	return n
}

// until waits until something holds on the loop.
func (n *node) until(what string, holds func() bool) {
	n.t.Helper()
	if !until(func() (held bool) { n.loop.Await(func() { held = holds() }); return held }) {
		n.t.Fatalf("%s: it never holds: %s", n.id, what)
	}
}

// subscribe returns when what is published from now on will come.
func (n *node) subscribe(topics ...push.Target) {
	n.t.Helper()
	done := make(chan error, 1)
	n.loop.Await(func() { n.link.Subscribe(topics, func(err error) { done <- err }) })
	if err := n.await(done, "subscribe"); err != nil {
		n.t.Fatalf("%s: subscribe: %v", n.id, err)
	}
}

func (n *node) await(done chan error, what string) error {
	n.t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		n.t.Fatalf("%s: %s is never done", n.id, what)
		return nil
	}
}

// publish returns when it is done.
func (n *node) publish(to push.Target, data string) error {
	n.t.Helper()
	done := make(chan error, 2)
	n.loop.Await(func() { n.send([]push.Target{to}, data, func(err error) { done <- err }) })
	return n.await(done, "publish")
}

// send publishes, on the loop, and has what was on loan be something else afterwards.
func (n *node) send(to []push.Target, data string, done func(error)) {
	n.number++
	loan, bytes := slices.Clone(to), []byte(data)
	n.link.Publish(loan, push.Publication{Node: n.id, Number: n.number, Data: bytes}, func(r push.Receipt, err error) {
		if r.Others < 0 {
			n.t.Errorf("%s: it reached %d connections of others", n.id, r.Others)
		}
		n.receipt = r
		done(err)
	})
	clear(bytes)
	for i := range loan {
		loan[i] = "returned"
	}
}

// ask returns the answers, in order.
func (n *node) ask(question string, to ...push.Target) (answers []string, err error) {
	n.t.Helper()
	done := make(chan error, 2)
	n.loop.Await(func() {
		loan, text := slices.Clone(to), []byte(question)
		n.link.Ask(loan, text, func(got [][]byte, err error) {
			for _, a := range got {
				answers = append(answers, string(a))
			}
			done <- err
		})
		clear(text)
		clear(loan)
	})
	err = n.await(done, "ask")
	slices.Sort(answers)
	return answers, err
}

// arrives waits until a node has got so much.
func (n *node) arrives(count int) []string {
	n.t.Helper()
	n.until(fmt.Sprintf("%d publications arrive", count), func() bool { return len(n.got) >= count })
	var got []string
	n.loop.Await(func() { got = slices.Clone(n.got) })
	return got
}

// wants checks all that a node has got. A last publication has to be on its way behind everything that should not come.
func (n *node) wants(want ...string) {
	n.t.Helper()
	if got := n.arrives(len(want)); !slices.Equal(got, want) {
		n.t.Errorf("%s got %q, want %q", n.id, got, want)
	}
}
