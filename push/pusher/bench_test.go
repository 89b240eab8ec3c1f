package pusher_test

import (
	"iter"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// BenchmarkPublish is an event for 1,000 pages, as the Hub and the Service see it. BenchmarkPublishPlain is the same
// for pages of level 0.
func BenchmarkPublish(b *testing.B) {
	benchmarkPublish(b, func(n *node) { n.open(n.world.app).subscribes("x", "") })
}

func BenchmarkPublishPlain(b *testing.B) {
	benchmarkPublish(b, func(n *node) { n.openPlain(n.world.app.Channel("x")) })
}

func benchmarkPublish(b *testing.B, open func(n *node)) {
	w := newWorld(b, 1, nil)
	n := w.nodes[0]
	n.send = func(to iter.Seq[*conn], _ string) (k int) {
		for range to {
			k++
		}
		return k
	}
	for range 1000 {
		open(n)
	}
	m := push.Message[*conn]{
		To: []push.Target{w.app.Channel("x")}, Data: []byte(`{"event":"e","data":"{\"id\":7,\"text\":\"hello\"}"}`),
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := n.hub.Publish(m, nil); err != nil {
			b.Fatal(err)
		}
	}
}
