package redis_test

import (
	"flag"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
	"github.com/lineman-go/lineman/push/redis"
)

// TestMain has many tests run at a time: most of them wait, as for a node that is silent to be given up. It lets the
// client of a Cluster have goroutines that end by themselves: one looks at the Cluster a second after an error, another
// closes after five seconds the connections that it no longer needs.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "5"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).LazyDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

// silent is a log that nobody reads.
var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// newBroker makes a Broker whose links have left at the end of the test. On a busy machine the others may take long to
// answer.
func newBroker(t testing.TB, o redis.Options) *redis.Broker {
	t.Helper()
	if o.Answer == 0 {
		o.Answer = 15 * time.Second
	}
	if o.Log == nil {
		o.Log = silent
	}
	b, err := redis.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Wait)
	return b
}

// TestMiniredis runs the conformance suite over a Redis that is part of the test.
func TestMiniredis(t *testing.T) {
	t.Parallel()
	for name, partitions := range map[string]int{"undivided": 1, "partitions": 8} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pushtest.TestBroker(t, func(t *testing.T) pushtest.Cluster {
				p := newProxy(t, miniredis.RunT(t).Addr())
				broker := func() push.Broker {
					return newBroker(t, redis.Options{Addresses: []string{p.address()}, Partitions: partitions})
				}
				return pushtest.Cluster{
					Broker: broker, Successor: broker, Cut: p.Cut, Mend: p.Mend, History: true, Presence: true,
				}
			})
		})
	}
}

// TestServer runs it over a Redis server, by a network that breaks.
func TestServer(t *testing.T) {
	t.Parallel()
	for name, partitions := range map[string]int{"undivided": 1, "partitions": 8} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			pushtest.TestBroker(t, func(t *testing.T) pushtest.Cluster {
				do(t, s.address(), "FLUSHALL")
				p := newProxy(t, s.address())
				broker := func() push.Broker {
					return newBroker(t, redis.Options{Addresses: []string{p.address()}, Partitions: partitions})
				}
				return pushtest.Cluster{
					Broker: broker, Successor: broker, Cut: p.Cut, Mend: p.Mend, History: true, Presence: true,
					Tidy: func(nodes int) { isTidy(t, s, nodes) },
				}
			})
		})
	}
}
