package main

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

// near wants two numbers to be equal but for rounding.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestByHand is of a world so small that there is nothing left to chance: two nodes with two connections each, all of
// them in the only channel and in the only group.
func TestByHand(t *testing.T) {
	w := &world{
		nodes: 2, connections: 2, devices: 1, channels: 1, follows: 1, zipf: 1, groups: 1, joins: 1, partitions: 1,
	}
	p := w.place()
	if p.uid != (reach{1, 1}) || p.channel != (reach{2, 4}) || p.group != (reach{2, 4}) || p.all != (reach{2, 4}) {
		t.Errorf("%+v", p)
	}
	if p.subscriptions != 4+2+2 || p.hottest != 1 {
		t.Errorf("%d subscriptions, %v in the busiest", p.subscriptions, p.hottest)
	}

	// Of ten publications, five are for a uid and cross once; five are for the channel and cross twice: 15 messages.
	// Half of them come back to the node that published, the others are answered, two in a message: 3.75 of them.
	mix := &traffic{
		rate: 10, uid: 0.5, channel: 0.5, size: 8, batch: 2, churn: 4, command: 100, delivery: 10, change: 1,
	}
	near(t, "crossings", mix.crossings(p), 1.5)
	near(t, "pages", mix.pages(p), 2.5)
	l := mix.load(w, p)
	near(t, "publications", l.published, 10)
	near(t, "answers", l.answers, 3.75)
	near(t, "messages", l.sent, 15+3.75)
	near(t, "bytes in", l.in, 10*(8+40+24+28)+3.75*(2+12+40+24))
	near(t, "bytes out", l.out, 15*(8+40+24+28)+3.75*(2+12+40+24))
	near(t, "changes", l.changes, 2*4*8.0/4)
	near(t, "cores", l.busy, (13.75*100+18.75*10+16*1)/1e6)

	every := mix.load(w, toAll(w, p))
	near(t, "messages, every node", every.sent, 20+5)
}

// TestChance has places be the same for the same seed, and in the bounds that they cannot leave.
func TestChance(t *testing.T) {
	w := &world{
		nodes: 70, connections: 20, devices: 4, channels: 100, follows: 3, zipf: 1.1, groups: 50, joins: 2,
		partitions: 4, seed: 7,
	}
	p, again := w.place(), w.place()
	if *p != *again {
		t.Errorf("%+v, and again %+v", p, again)
	}
	w.seed = 8
	if other := w.place(); *p == *other {
		t.Errorf("another seed gives %+v too", other)
	}
	for what, r := range map[string]reach{"uid": p.uid, "channel": p.channel, "group": p.group} {
		if r.takers < 1 || r.takers > min(70, r.pages) {
			t.Errorf("a publication for a %s crosses to %v nodes for %v pages", what, r.takers, r.pages)
		}
	}
	near(t, "pages of a group", p.group.pages, 70*20*2/50.0)
	if p.hottest < 0.25 || p.hottest > 1 {
		t.Errorf("%v in the busiest of 4 partitions", p.hottest)
	}
}

func TestZipf(t *testing.T) {
	for _, c := range []struct {
		n    int
		s    float64
		want []float64
	}{{1, 1, []float64{1}}, {2, 1, []float64{2 / 3.0, 1}}, {4, 0, []float64{0.25, 0.5, 0.75, 1}}} {
		if got := zipf(c.n, c.s); !slices.EqualFunc(got, c.want,
			func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
			t.Errorf("%d by %v: %v", c.n, c.s, got)
		}
	}
}

// TestReport has the table be there, and a mix be told wrong that is none.
func TestReport(t *testing.T) {
	w := &world{nodes: 2, connections: 2, devices: 1, channels: 1, follows: 1, groups: 1, joins: 1, partitions: 2}
	mix := &traffic{rate: 10, batch: 1}
	if err := mix.share("uid=50,channel=50"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := report(&out, w, mix); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2 nodes, 4 connections", "a channel", "by interest  to every node", "connections of nodes to them    8",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for _, bad := range []string{"", "uid=50", "uid=x", "users=100", "uid=200,all=-100"} {
		if err := new(traffic).share(bad); err == nil {
			t.Errorf("%q is a mix", bad)
		}
	}
	if err := new(world).check(); err == nil {
		t.Error("a world without anything can be")
	}
}
