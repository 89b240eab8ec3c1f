package lineman_test

import (
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
)

// costClients are the connections of a loop whose own cost is measured, of which costEach are ready at a time.
const (
	costClients = 100
	costEach    = 4
)

// newCost makes a loop whose clients each send the request of a hot path whenever it looks.
func newCost(tb testing.TB, i int) (*lineman.Loop, *memoryPoller) {
	tb.Helper()
	path := hotPaths[i]
	p := &memoryPoller{clients: costClients, each: costEach}
	w := &lineman.Worker{Addr: path.scheme + "://127.0.0.1:0", Protocol: path.protocol, Events: path.handle}
	l, err := lineman.OpenOver(w, p)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Shut)
	step := func() {
		if err := l.Step(); err != nil {
			tb.Fatal(err)
		}
	}
	for p.arrived < p.clients {
		step()
	}
	if path.hello != "" {
		p.request = []byte(path.hello)
		for range costClients / costEach {
			step()
		}
	}
	p.request = []byte(strings.Repeat(path.request, path.repeat))
	step()
	return l, p
}

// BenchmarkLoop is what a loop spends of its own on a message: an exchange without the kernel.
func BenchmarkLoop(b *testing.B) {
	for i, path := range hotPaths {
		b.Run(path.name, func(b *testing.B) {
			l, p := newCost(b, i)
			b.ReportAllocs()
			before := p.writes
			b.ResetTimer()
			for range b.N {
				_ = l.Turn()
			}
			b.StopTimer()
			if got := p.writes - before; got != b.N*costEach {
				b.Errorf("%d writes, want %d", got, b.N*costEach)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*costEach*path.repeat), "ns/msg")
		})
	}
}
