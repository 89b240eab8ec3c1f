//go:build unix

package redis_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/redis"
)

// BenchmarkPublish publishes from one node to another, as many at a time as the window has, and tells what that costs
// both together and what it costs the server.
func BenchmarkPublish(b *testing.B) {
	for name, window := range map[string]int{"1": 1, "64": 64, "4096": 4096} {
		b.Run("window="+name, func(b *testing.B) { benchmark(b, nil, window, "u:7") })
	}
	b.Run("targets=4", func(b *testing.B) { benchmark(b, nil, 4096, "u:7", "u:8", "u:9", "u:10") })
	b.Run("nobody", func(b *testing.B) { benchmark(b, nil, 4096, "u:1") })
	keeping := func(keep push.Retention) func(push.Target) push.Retention {
		return func(push.Target) push.Retention { return keep }
	}
	all := keeping(push.Retention{Size: 100, TTL: time.Hour})
	b.Run("history", func(b *testing.B) { benchmark(b, all, 4096, "u:7") })
	b.Run("history, bytes", func(b *testing.B) {
		benchmark(b, keeping(push.Retention{Size: 100, TTL: time.Hour, Bytes: 1 << 20}), 4096, "u:7")
	})
	b.Run("history, targets=4", func(b *testing.B) { benchmark(b, all, 4096, "u:7", "u:8", "u:9", "u:10") })
	b.Run("history of others", func(b *testing.B) { benchmark(b, keeping(push.Retention{}), 4096, "u:7") })
}

func benchmark(b *testing.B, retain func(push.Target) push.Retention, window int, to ...push.Target) {
	s := startServer(b)
	o := redis.Options{Addresses: []string{s.address()}}
	from, taker := enterKeeping(b, "from", o, retain), enterKeeping(b, "taker", o, retain)
	for _, n := range []*node{from, taker} {
		n.until("the link is up", func() bool { return n.ups == 1 })
	}
	taker.loop.Await(func() { taker.got = make([]string, 0, 1) })
	taker.subscribe("u:7")
	data := []byte(strings.Repeat("x", 248))
	done := make(chan struct{})
	server, own := serverCPU(b, s), ownCPU()
	b.ResetTimer()
	from.loop.Await(func() {
		left, under, inside := b.N, 0, false
		var next func()
		next = func() {
			if inside { // done at once
				return
			}
			inside = true
			for under < window && left > 0 {
				left, under = left-1, under+1
				from.number++
				p := push.Publication{Node: from.id, Number: from.number, Data: data}
				from.link.Publish(to, p, func(_ push.Receipt, err error) {
					if err != nil {
						b.Error(err)
					}
					if under--; left == 0 && under == 0 {
						close(done)
					}
					next()
				})
			}
			inside = false
		}
		next()
	})
	<-done
	b.StopTimer()
	b.ReportMetric((serverCPU(b, s)-server)*1e9/float64(b.N), "server-ns/op")
	b.ReportMetric((ownCPU()-own)*1e9/float64(b.N), "cpu-ns/op")
}

var cpuUsed = regexp.MustCompile(`used_cpu_(?:sys|user):([0-9.]+)`)

// BenchmarkPresence has somebody come and go.
func BenchmarkPresence(b *testing.B) {
	s := startServer(b)
	n := knowing(b, "a", s.address())
	server := serverCPU(b, s)
	for i := 0; i < b.N; i += 1000 {
		n.loop.Await(func() {
			for j := range 1000 {
				link := n.link.(push.PresenceLink)
				link.Enter("x", fmt.Sprint(j), nil)
				link.Leave("x", fmt.Sprint(j))
			}
		})
		n.sees("")
	}
	b.ReportMetric((serverCPU(b, s)-server)*1e9/float64(b.N), "server-ns/op")
}

// serverCPU is how many seconds a server has worked.
func serverCPU(b *testing.B, s *server) (seconds float64) {
	m := do(b, s.address(), "INFO", "cpu")
	info, _ := m.ToString()
	for _, found := range cpuUsed.FindAllStringSubmatch(info, -1) {
		n, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			b.Fatal(err)
		}
		seconds += n
	}
	return seconds
}

// ownCPU is how many seconds this process has worked.
func ownCPU() float64 {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

// BenchmarkHandover hands over a node that is subscribed to many topics, and tells the longest that one publication for
// them waits meanwhile: of those of another node, and of those of the successor.
func BenchmarkHandover(b *testing.B) {
	for _, n := range []int{15_000, 100_000} {
		b.Run(fmt.Sprintf("topics=%d", n), func(b *testing.B) { benchmarkHandover(b, n) })
	}
}

func benchmarkHandover(b *testing.B, topics int) {
	s := startServer(b)
	o := redis.Options{Addresses: []string{s.address()}, Answer: 10 * time.Second}
	a, n := join(b, "a", o), join(b, "b", o)
	for i := range topics {
		n.topics = append(n.topics, push.Target(fmt.Sprint("u:", i)))
	}
	n.subscribe(n.topics...)
	var others, own, took time.Duration
	for b.Loop() {
		before, began := n, time.Now()
		stop := make(chan struct{})
		longest := func(at *node, to ...push.Target) <-chan time.Duration {
			most := make(chan time.Duration, 1)
			go func() {
				var d time.Duration
				defer func() { most <- d }()
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					began := time.Now()
					if o := <-at.publish("x", to[i%len(to)]); o.err != nil {
						b.Error(o.err)
						return
					}
					d = max(d, time.Since(began))
				}
			}()
			return most
		}
		ofOthers := longest(a, n.topics...)
		n = n.handedOver(o, push.Node{})
		n.topics = before.topics
		ofOwn := longest(n, n.topics...)
		before.broker.Wait()
		<-n.publish("x", "u:0")
		took += time.Since(began)
		close(stop)
		others, own = max(others, <-ofOthers), max(own, <-ofOwn)
		before.loop.Await(func() { before.got = nil })
		n.loop.Await(func() { n.got = nil })
	}
	b.ReportMetric(float64(others.Milliseconds()), "others-ms")
	b.ReportMetric(float64(own.Milliseconds()), "own-ms")
	b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms/handover")
}
