// Package metrics tells Prometheus how a push server is.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lineman-go/lineman/push"
)

// Snapshot is how a server is at one moment. Counters are since its start.
type Snapshot struct {
	push.Stats

	Waiting     int            // connections that have not said who they are
	Streams     int            // of those that follow, those that get server-sent events
	Pusher      map[string]int // likewise, those of the Pusher protocol, by the id of their app
	BackEnds    int            // connections to the port for lines and to the HTTP API
	QueuedBytes int            // that wait for connections which do not read as fast as they are sent to
	QueuedMost  int            // of these, for one connection
	Linked      bool           // the broker is reached
	Broker      Broker
	Journal     Journal

	EventGroups []Group
	Hooks       []Hook
	Calls       Calls

	Accepted uint64 // connections
	BytesIn  uint64
	BytesOut uint64
	Panics   uint64 // recovered in callbacks
	Slow     uint64 // callbacks that held the loop too long

	SlowClients uint64            // connections that were cut because they did not read
	Refused     map[string]uint64 // by reason; one that has not occurred yet is there with 0
	WouldRefuse map[string]uint64 // in a dry run, by reason
	Credentials map[string]uint64 // refused, by reason
}

// Broker is how the broker is; zero without one.
type Broker struct {
	Nodes     int           // that are alive
	RoundTrip time.Duration // of the last commands
	Waiting   int           // bytes that have come and wait for the loop
	BytesIn   uint64        // since the start, as what follows
	BytesOut  uint64
	Stale     uint64 // connections of dead nodes that this one has ended
	Overflows uint64 // breaks because this node did not keep up
}

// Journal is how the files are that history is in; zero without them.
type Journal struct {
	Bytes    int
	Segments int

	Writes, Syncs, Failures uint64 // since the start
	WriteTime, SyncTime     time.Duration
}

// Metrics are those of a server. Their methods may be called from any goroutine.
type Metrics struct {
	registry *prometheus.Registry
	lag      *stopwatch
	took     prometheus.Histogram
}

// New makes Metrics that are asked for by take, which may be called on several goroutines at once. Its error is that of
// the scrape.
func New(take func() (Snapshot, error)) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		lag:      newStopwatch(),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "lineman_broker_publish_seconds",
			Help:    "From when a publication is given to the broker until all nodes have confirmed it.",
			Buckets: prometheus.ExponentialBuckets(100e-6, 2.5, 12),
		}),
	}
	m.registry.MustRegister(
		m.took, &collector{take, m.lag}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Lag adds a sample of how long a publication took.
func (m *Metrics) Lag(d time.Duration) { m.lag.add(d) }

// Lags are all samples so far.
func (m *Metrics) Lags() Durations { return m.lag.durations() }

// Took adds how long it took until all nodes had confirmed a publication.
func (m *Metrics) Took(d time.Duration) { m.took.Observe(d.Seconds()) }

// Handler answers scrapes. A server that does not answer within the time that take gives it is an error of the scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
}
