package redis_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
	"github.com/lineman-go/lineman/push/redis"
)

// node is one without a Hub: each publication reaches one connection of it.
type node struct {
	t      testing.TB
	id     string
	broker *redis.Broker
	loop   *pushtest.Loop
	link   push.Link

	// Owned by the loop.
	got        []string
	placed     []push.Position // of what of it is kept
	ups, downs int
	number     uint64
	topics     []push.Target // of a node that is handed over
	seated     []string      // likewise, in the channel x
}

// join makes a node, and waits until it is linked.
func join(t testing.TB, id string, o redis.Options) *node {
	t.Helper()
	n := enter(t, id, o)
	n.until("the link is up", func() bool { return n.ups == 1 })
	return n
}

// enter makes a node.
func enter(t testing.TB, id string, o redis.Options) *node {
	t.Helper()
	return enterKeeping(t, id, o, nil)
}

// enterKeeping makes one that keeps history.
func enterKeeping(t testing.TB, id string, o redis.Options, retain func(push.Target) push.Retention) *node {
	t.Helper()
	return enterWith(t, o, push.Node{ID: id, Retain: retain})
}

// enterKnowing makes one that knows who is present.
func enterKnowing(t testing.TB, id string, o redis.Options) *node {
	t.Helper()
	return enterWith(t, o, push.Node{ID: id, PresenceEvents: func(push.Target) bool { return true }})
}

// enterWith makes one that has something already.
func enterWith(t testing.TB, o redis.Options, with push.Node) *node {
	t.Helper()
	id := with.ID
	n := &node{t: t, id: id, broker: newBroker(t, o), loop: pushtest.NewLoop(t)}
	with.Do = n.loop.Do
	with.Deliver = func(to []push.Target, p push.Publication) int {
		n.got = append(n.got, fmt.Sprintf("%s %.20s", to[0], p.Data))
		n.placed = append(n.placed, p.Positions...)
		return 1
	}
	with.Answer = func(_ []push.Target, question []byte, reply func([]byte)) {
		reply(append([]byte(id+": "), question...))
	}
	with.Linked = func(up bool) {
		if up {
			n.ups++
		} else {
			n.downs++
		}
	}
	if with.PresenceEvents != nil {
		with.Presence = func(in push.Target, e push.PresenceEvent) {
			sign := map[bool]string{true: "+", false: "-"}[e.Here]
			n.got = append(n.got, fmt.Sprintf("%s %s%s%s %d", in, sign, e.UID, e.Info, e.N))
		}
	}
	n.loop.Await(func() {
		link, err := n.broker.Join(with)
		if err != nil {
			t.Error(err)
			return
		}
		n.link = link
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() { n.loop.Do(n.link.Close) })
	return n
}

// until waits until something holds on the loop.
func (n *node) until(what string, holds func() bool) {
	n.t.Helper()
	linemantest.Until(n.t, n.id+": it never holds: "+what, func() (held bool) {
		n.loop.Await(func() { held = holds() })
		return held
	})
}

func (n *node) subscribe(topics ...push.Target) {
	n.t.Helper()
	done := make(chan error, 1)
	n.loop.Await(func() { n.link.Subscribe(topics, func(err error) { done <- err }) })
	if err := <-done; err != nil {
		n.t.Fatalf("%s: subscribe: %v", n.id, err)
	}
}

// outcome is what became of a publication.
type outcome struct {
	others    int
	positions []push.Position
	err       error
}

// settle waits until nodes have got what each of them told all as it came: the first round has it be published, and who
// has subscribed after that has it.
func settle(nodes ...*node) {
	for range 2 {
		for _, n := range nodes {
			n.t.Helper()
			n.subscribe("settled")
		}
	}
}

// standsStill has the loop of the node do nothing until goOn is called, or the test ends.
func (n *node) standsStill() (goOn func()) {
	stands, goes := make(chan struct{}), make(chan struct{})
	goOn = sync.OnceFunc(func() { close(goes) })
	n.t.Cleanup(goOn)
	n.loop.Do(func() { close(stands); <-goes })
	<-stands
	return goOn
}

// publish publishes, and gives the outcome when it is there.
func (n *node) publish(data string, to ...push.Target) <-chan outcome {
	n.t.Helper()
	done := make(chan outcome, 1)
	n.loop.Await(func() {
		n.number++
		p := push.Publication{Node: n.id, Number: n.number, Data: []byte(data)}
		n.link.Publish(to, p, func(r push.Receipt, err error) { done <- outcome{r.Others, r.Positions, err} })
	})
	return done
}

// reaches publishes, and checks how many connections of others it reached.
func (n *node) reaches(want int, to ...push.Target) {
	n.t.Helper()
	if o := <-n.publish("x", to...); o.err != nil || o.others != want {
		n.t.Errorf("%s: a publication for %.3q reached %d others, %v; want %d", n.id, to, o.others, o.err, want)
	}
}

// wants waits until a node has got this and nothing else.
func (n *node) wants(want ...string) {
	n.t.Helper()
	n.until(fmt.Sprintf("%d arrive", len(want)), func() bool { return len(n.got) >= len(want) })
	n.loop.Await(func() {
		if !slices.Equal(n.got, want) {
			n.t.Errorf("%s got %q, want %q", n.id, n.got, want)
		}
	})
}

// close closes the link, and waits until it has left.
func (n *node) close() {
	n.t.Helper()
	n.loop.Await(n.link.Close)
	n.broker.Wait()
}

// journal is a log that can be read.
type journal struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }
