package e2e

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// traffic is what back ends publish: at every node in every way.
type traffic struct {
	nodes   []*node
	crowd   *crowd
	ledger  *ledger
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// perSecond is how much each back end publishes. There is one for each way at each node, and four for that which waits
// for each answer: 171 publications a second at a node.
var perSecond = []struct {
	way      way
	backends int
	rate     float64
}{
	{plainLines, 1, 50}, {commandLines, 1, 60}, {oneByHTTP, 4, 5}, {batchByHTTP, 1, 40}, {pushCommand, 1, 1},
}

const (
	toEveryone = 0.3 // publications a second of each back end with commandLines that are for everyone
	paceEvery  = 25 * time.Millisecond
)

// newTraffic begins.
func newTraffic(nodes []*node, c *crowd, l *ledger) *traffic {
	ctx, cancel := context.WithCancel(context.Background())
	f := &traffic{nodes: nodes, crowd: c, ledger: l, cancel: cancel}
	for home := range nodes {
		for _, at := range perSecond {
			for range at.backends {
				f.running.Add(1)
				go func() {
					defer f.running.Done()
					f.backend(ctx, home, at.way, at.rate)
				}()
			}
		}
	}
	return f
}

// end stops, when all answers are there.
func (f *traffic) end() {
	f.cancel()
	f.running.Wait()
}

// backend is a back end, which goes to another node when its own is not there.
func (f *traffic) backend(ctx context.Context, home int, d way, rate float64) {
	pace := time.NewTicker(paceEvery)
	defer pace.Stop()
	for try := home; ctx.Err() == nil; try++ {
		n := f.nodes[try%len(f.nodes)]
		s, err := d.open(n, f.ledger)
		if err != nil {
			<-pace.C
			continue
		}
		f.serve(ctx, pace, s, n, d, rate)
		s.finish()
		try = home - 1
	}
}

// serve publishes until the session ends.
func (f *traffic) serve(ctx context.Context, pace *time.Ticker, s session, n *node, d way, rate float64) {
	number, due := f.ledger.connected(), rand.Float64()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		due += rate * paceEvery.Seconds()
		if d.name == batchByHTTP.name && due < 10 {
			continue // more at once
		}
		var all []*publication
		for ; due >= 1; due-- {
			p := &publication{node: n.index, way: d.name, to: f.targets(d, rate)}
			f.ledger.publish(number, p)
			all = append(all, p)
		}
		if s.publish(all) != nil {
			return
		}
	}
}

// targets are those of a publication.
func (f *traffic) targets(d way, rate float64) []string {
	someone := f.crowd.pages[rand.IntN(len(f.crowd.pages))]
	uid, group, channel := "u:"+someone.uid, "g:"+someone.group, someone.channel
	switch x := rand.Float64(); {
	case d.name == commandLines.name && x < toEveryone/rate:
		return []string{"*"}
	case d.name == plainLines.name:
		return []string{uid}
	case x < 0.7:
		return []string{uid}
	case x < 0.83:
		return []string{group}
	case x < 0.97:
		return []string{channel}
	case d.name == pushCommand.name:
		return []string{uid}
	}
	return []string{uid, group, channel}
}
