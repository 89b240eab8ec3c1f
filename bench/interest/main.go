// Command interest tells, on paper, what many nodes cost the Redis between them: how many nodes a publication has to
// cross to if it goes only to those that have somebody for it, and if it goes to all.
//
//	go -C bench run ./interest -nodes 100 -connections 100000
//
// Nothing is sent. Connections are put on nodes and into channels and groups by chance, the same for the same seed;
// what follows is arithmetic. What a command, a message and a subscription take of Redis are flags, whose defaults are
// those of a busy Redis 7.0: measure them where Redis is to run.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

func main() {
	w, t, mix := &world{}, &traffic{}, ""
	flag.IntVar(&w.nodes, "nodes", 3, "`nodes`")
	flag.IntVar(&w.connections, "connections", 10_000, "`connections` of each node")
	flag.IntVar(&w.devices, "devices", 1, "`connections` of one uid, on nodes by chance")
	flag.IntVar(&w.channels, "channels", 10_000, "`channels`")
	flag.IntVar(&w.follows, "follows", 2, "`channels` of one connection")
	flag.Float64Var(&w.zipf, "zipf", 1,
		"the n-th channel is followed, and published for, 1/n^`s` as often as the first")
	flag.IntVar(&w.groups, "groups", 1000, "`groups`, all alike")
	flag.IntVar(&w.joins, "joins", 1, "`groups` of one connection")
	flag.IntVar(&w.partitions, "partitions", 1, "`partitions`, each on a server of its own")
	flag.Uint64Var(&w.seed, "seed", 1, "of chance")
	flag.Float64Var(&t.rate, "rate", 10_000, "`publications` a second, at all nodes together")
	flag.StringVar(&mix, "mix", "uid=70,group=20,channel=9.99,all=0.01",
		"per cent of publications for a uid, a group, a channel and everyone")
	flag.Float64Var(&t.size, "size", 256, "`bytes` of a publication")
	flag.Float64Var(&t.batch, "batch", 1, "`answers` that go back in one message; more under load")
	flag.Float64Var(&t.churn, "churn", 0, "`connections` that come, and as many that go, a second")
	flag.Float64Var(&t.command, "command-us", 0.9, "`microseconds` of a core of Redis for a command")
	flag.Float64Var(&t.delivery, "delivery-us", 0.26, "`microseconds` for a message to a node")
	flag.Float64Var(&t.change, "change-us", 1.6, "`microseconds` for a name that is subscribed to, or no longer")
	flag.Float64Var(&t.memory, "subscription-bytes", 208, "`bytes` of Redis for a subscription")
	flag.Parse()
	err := errors.Join(w.check(), t.share(mix))
	if err == nil {
		err = report(os.Stdout, w, t)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "interest:", err)
		os.Exit(2)
	}
}

// check wants a world that can be.
func (w *world) check() error {
	if min(w.nodes, w.connections, w.devices, w.channels, w.groups, w.partitions) < 1 ||
		min(w.follows, w.joins) < 0 || w.zipf < 0 {
		return errors.New("nodes, connections, devices, channels, groups and partitions are at least 1, the " +
			"others at least 0")
	}
	return nil
}

// share reads the mix.
func (t *traffic) share(mix string) error {
	kinds := map[string]*float64{"uid": &t.uid, "channel": &t.channel, "group": &t.group, "all": &t.all}
	sum := 0.0
	for _, part := range split(mix) {
		to, known := kinds[part.kind]
		if !known {
			return fmt.Errorf("-mix %s: want uid=70,group=20,channel=9.9,all=0.1", mix)
		}
		*to = part.percent / 100
		sum += part.percent
	}
	if sum < 99.999 || sum > 100.001 {
		return fmt.Errorf("-mix %s: is %g %% together, want 100", mix, sum)
	}
	return nil
}

// report writes what each kind of publication reaches, and what Redis has to do.
func report(out io.Writer, w *world, t *traffic) error {
	p := w.place()
	every := toAll(w, p)
	b := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "%d nodes, %d connections, %s publications a second of %s bytes\n\n", w.nodes,
		w.nodes*w.connections, figure(t.rate), figure(t.size))
	fmt.Fprint(b, "a publication for\tper cent\tnodes that take it\tof all\tpages that get it\t\n")
	for _, k := range []struct {
		name  string
		share float64
		reach reach
	}{{"a uid", t.uid, p.uid}, {"a group", t.group, p.group}, {"a channel", t.channel, p.channel},
		{"everyone", t.all, p.all}} {
		fmt.Fprintf(b, "%s\t%.4g\t%.2f\t%d\t%.1f\t\n", k.name, 100*k.share, k.reach.takers, w.nodes, k.reach.pages)
	}
	fmt.Fprintf(b, "any\t100\t%.2f\t%d\t%.1f\t\n\n", t.crossings(p), w.nodes, t.pages(p))
	interest, all := t.load(w, p), t.load(w, every)
	fmt.Fprint(b, "Redis, each second\tby interest\tto every node\t\n")
	for _, row := range []struct {
		name string
		of   func(load) float64
	}{
		{"publications", func(l load) float64 { return l.published }},
		{"answers", func(l load) float64 { return l.answers }},
		{"messages to nodes", func(l load) float64 { return l.sent }},
		{"names subscribed to, or no longer", func(l load) float64 { return l.changes }},
		{"MB in", func(l load) float64 { return l.in / 1e6 }},
		{"MB out", func(l load) float64 { return l.out / 1e6 }},
		{"cores", func(l load) float64 { return l.busy }},
		{"messages to one node", func(l load) float64 { return l.sent / float64(w.nodes) }},
		{"messages to pages of one node", func(load) float64 { return t.rate * t.pages(p) / float64(w.nodes) }},
	} {
		fmt.Fprintf(b, "%s\t%s\t%s\t\n", row.name, figure(row.of(interest)), figure(row.of(all)))
	}
	fmt.Fprintf(b, "\nsubscriptions of one node\t%s\t1\t\n", figure(float64(p.subscriptions)/float64(w.nodes)))
	fmt.Fprintf(b, "subscriptions of all\t%d\t%d\t\n", p.subscriptions, w.nodes)
	fmt.Fprintf(b, "MB of memory for them\t%s\t%s\t\n", figure(float64(p.subscriptions)*t.memory/1e6),
		figure(float64(w.nodes)*t.memory/1e6))
	if w.partitions > 1 {
		fmt.Fprintf(b, "\npartitions\t%d\t\t\n", w.partitions)
		fmt.Fprintf(b, "connections of nodes to them\t%d\t\t\n", 2*w.nodes*w.partitions)
		fmt.Fprintf(b, "per cent of channels' messages in the busiest\t%.4g\t\t\n", 100*p.hottest)
	}
	return b.Flush()
}

// figure is a number with as many digits as mean something.
func figure(n float64) string {
	if n >= 1000 {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.3g", n)
}
