package lineman_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
)

// costClients are the connections of a loop whose own cost is measured, of which costEach are ready at a time.
const (
	costClients = 100
	costEach    = 4
)

// steadyClock goes on by ten microseconds whenever it is read: a loop by it does the same, whatever else the machine
// does.
func steadyClock() func() time.Time {
	now := time.Now()
	return func() time.Time {
		now = now.Add(10 * time.Microsecond)
		return now
	}
}

// newCost makes a loop whose clients each send the request of a hot path whenever it looks.
func newCost(tb testing.TB, i int) (*lineman.Loop, *memoryPoller) {
	tb.Helper()
	path := hotPaths[i]
	p := &memoryPoller{clients: costClients, each: costEach}
	w := &lineman.Worker{Addr: path.scheme + "://127.0.0.1:0", Protocol: path.protocol, Events: path.handle}
	l, err := lineman.OpenOver(w, p, steadyClock())
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
			turns(b, l, p, costEach)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*costEach*path.repeat), "ns/msg")
		})
	}
}

// turns measures ticks of a loop, of which each is to have so many writes.
func turns(b *testing.B, l *lineman.Loop, p *memoryPoller, writes int) {
	b.Helper()
	b.ReportAllocs()
	before := p.writes
	b.ResetTimer()
	for range b.N {
		_ = l.Turn()
	}
	b.StopTimer()
	if got := p.writes - before; got != b.N*writes {
		b.Errorf("%d writes, want %d", got, b.N*writes)
	}
}

// BenchmarkBroadcast is what a loop spends of its own on a delivery, where each message goes to all connections: one in
// a tick, or several, which are gathered.
func BenchmarkBroadcast(b *testing.B) {
	for _, tt := range []struct {
		name    string
		inATick int
	}{{"one", 1}, {"gathered", costEach}} {
		b.Run(tt.name, func(b *testing.B) {
			l, p := newBroadcasts(b, tt.inATick)
			turns(b, l, p, costClients)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*tt.inATick*costClients), "ns/delivery")
		})
	}
}

// newBroadcasts makes a loop whose clients say something so many times in a tick, which goes to all of them.
func newBroadcasts(tb testing.TB, inATick int) (*lineman.Loop, *memoryPoller) {
	tb.Helper()
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, msg []byte) { c.Loop().Broadcast(c.Loop().Conns(w), msg) }
	p := &memoryPoller{clients: costClients, each: costEach, together: true}
	l, err := lineman.OpenOver(w, p, steadyClock())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Shut)
	for p.arrived < p.clients {
		_ = l.Turn()
	}
	p.request = []byte(handshake)
	for range costClients / costEach {
		_ = l.Turn()
	}
	p.each, p.request = inATick, []byte("\x81\xc0\x00\x00\x00\x00"+strings.Repeat("x", 64))
	for range 2 {
		_ = l.Turn()
	}
	return l, p
}

// TestAnswerWrites has an answer written when its event was handled, and what is broadcast once for each connection,
// at the end of the tick, with the answers of those that are among its receivers.
func TestAnswerWrites(t *testing.T) {
	for _, tt := range []struct {
		name  string
		event func(c *lineman.Conn, w *lineman.Worker, msg []byte)
		want  int // writes in a tick
		bytes int
	}{
		{"answer", func(c *lineman.Conn, _ *lineman.Worker, msg []byte) { _ = c.Send(msg) }, costEach, 8 * costEach},
		{"two answers", func(c *lineman.Conn, _ *lineman.Worker, msg []byte) {
			_ = c.Send(msg)
			_ = c.Send(msg)
		}, costEach, 16 * costEach},
		{"broadcast", func(c *lineman.Conn, w *lineman.Worker, msg []byte) {
			c.Loop().Broadcast(c.Loop().Conns(w), msg)
		}, costClients, 8 * costEach * costClients},
		{"both", func(c *lineman.Conn, w *lineman.Worker, msg []byte) {
			_ = c.Send(msg)
			c.Loop().Broadcast(c.Loop().Conns(w), msg)
		}, costClients, 8*costEach*costClients + 8*costEach},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &memoryPoller{clients: costClients, each: costEach, request: []byte("message\n"), quiet: true}
			w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
			w.OnMessage = func(c *lineman.Conn, msg []byte) {
				before := p.writes
				if tt.event(c, w, msg); p.writes != before {
					t.Error("it was written in the callback")
				}
			}
			l, err := lineman.OpenOver(w, p, steadyClock())
			if err != nil {
				t.Fatal(err)
			}
			defer l.Shut()
			for p.quiet = true; p.arrived < p.clients; {
				_ = l.Turn()
			}
			p.quiet = false
			for range 3 {
				p.writes, p.written = 0, 0
				if _ = l.Turn(); p.writes != tt.want || p.written != tt.bytes {
					t.Errorf("%d writes of %d bytes, want %d of %d", p.writes, p.written, tt.want, tt.bytes)
				}
			}
		})
	}
}
