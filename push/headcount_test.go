package push_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// counted is told how many connections a channel has: at most once a second.
func (n *worldNode) counted(to iter.Seq[*conn], in push.Target, count int, first bool) {
	w, channel, told := n.world, string(in), 0
	w.checkSilence(in)
	for c := range to {
		n.of(c).counts[channel] = count
		told++
	}
	if last, before := n.told[channel]; before && last == w.now && told > 0 {
		w.fatalf("pages of %s are told twice in a second how many they are", channel)
	}
	if told > 0 {
		n.told[channel] = w.now
	}
	if first {
		w.counts[channel] = count
	}
}

// tellCount tells a connection that has come to a channel how many there are, if that is known.
func (n *worldNode) tellCount(c *worldConn, channel string) {
	if count, told := n.hub.Subscribers(push.Channel(channel)); told {
		c.counts[channel] = count
	}
}

// checkCounts waits until all changes can have been told, and compares with how many connections there are.
func (w *world) checkCounts() {
	for range 3 {
		w.passes(1)
	}
	for _, channel := range worldChannels {
		want := 0
		for _, n := range w.nodes {
			for _, c := range n.conns {
				if c.channels[channel] {
					want++
				}
			}
		}
		if channel == "news" {
			want = 0 // nobody is to be told
		}
		for i, n := range w.nodes {
			for _, c := range n.conns {
				if got := c.counts[channel]; c.channels[channel] && got != want {
					w.fatalf("node %d: a connection was told that %s has %d, and it has %d", i, channel, got, want)
				}
			}
		}
		if got := w.counts[channel]; got != want && want > 0 {
			w.fatalf("the program was told that %s has %d, and it has %d", channel, got, want)
		}
	}
}

// tellingCounts are options of a Hub that tells how many subscribe to the channels of a namespace.
func tellingCounts(told *[]string) push.Options[*conn] {
	o := options()
	o.Namespaces = map[string]push.Namespace{"room": {TellSubscribers: true}}
	o.Followers = &recorder{}
	o.SubscribersChanged = func(to iter.Seq[*conn], in push.Target, n int, first bool) {
		*told = append(*told, fmt.Sprint(in, " ", n, " ", len(slices.Collect(to)), " ", first))
	}
	return o
}

// TestSubscribersRead tells how many there are when what the nodes have said is read: it is read again if some do not
// answer, and when the link was down.
func TestSubscribersRead(t *testing.T) {
	var told []string
	var timers []func()
	a := &attentive{script: &script{}}
	o := tellingCounts(&told)
	o.Broker, o.Do = a, func(f func()) bool { f(); return true }
	o.After = func(_ time.Duration, f func()) { timers = append(timers, f) }
	h := newHub(t, o)
	a.node.Linked(true)
	m, err := h.AddFollower(&conn{id: 1}, "")
	if err == nil {
		err = m.Subscribe("room:1.2")
	}
	if err != nil {
		t.Fatal(err)
	}
	a.confirm()
	own := "" // the node, when it has said something
	said := func(n string, err error) {
		t.Helper()
		if len(a.lists) != 1 {
			t.Fatalf("it is asked %d times what nodes have said", len(a.lists))
		}
		done := a.lists[0]
		a.lists = nil
		there := map[string]json.RawMessage{"~other": json.RawMessage(n)}
		if own != "" {
			there[own] = json.RawMessage("1")
		}
		done(push.Presence{Users: there}, err)
	}
	is := func(want ...string) {
		t.Helper()
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		told = nil
	}
	said("", push.ErrUnanswered)
	said("2", nil)
	is()
	passes := func() {
		all := timers
		timers = nil
		for _, f := range all {
			f()
		}
	}
	passes()
	is() // what this node has said has not come back
	own = strings.TrimSuffix(strings.TrimPrefix(string(m.Target()), "c:"), ".1")
	a.node.Presence("c:#room:1\x012", push.PresenceEvent{UID: own, Here: true, Info: json.RawMessage("1")})
	is("room:1.2 3 1 true")
	a.node.Presence("c:#room:1\x012", push.PresenceEvent{UID: "~other", Here: true, Info: json.RawMessage("3")})
	a.node.Presence("c:#room:1", push.PresenceEvent{UID: "~other", Here: true, Info: json.RawMessage("4")})
	is()
	if n, known := h.Subscribers("room:1.2"); known {
		t.Errorf("%d are told, and it is another number", n)
	}
	passes()
	is("room:1.2 4 1 true")
	if n, known := h.Subscribers("room:1.2"); n != 4 || !known {
		t.Errorf("%d were told: %t", n, known)
	}
	passes()
	a.node.Linked(false)
	a.node.Linked(true)
	said("6", nil)
	is("room:1.2 7 1 true")
}

// TestSubscribersWrong refuses options that cannot be.
func TestSubscribersWrong(t *testing.T) {
	o := tellingCounts(new([]string))
	if _, err := push.New(o); err == nil {
		t.Error("a Hub counts without After")
	}
	o.After, o.Do = func(time.Duration, func()) {}, func(f func()) bool { f(); return true }
	o.Broker = &script{}
	if _, err := push.New(o); err == nil {
		t.Error("a Hub counts over a Broker that does not know who is present")
	}
}
