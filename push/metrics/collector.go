package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lineman-go/lineman/push"
)

// metric is one that is read from a Snapshot.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(s *Snapshot, tell tell) // tells each value
}

// tell takes a value, with the values of the metric's labels.
type tell func(v float64, labels ...string)

func newMetric(
	name, help string, kind prometheus.ValueType, labels []string, read func(s *Snapshot, tell tell),
) metric {
	return metric{prometheus.NewDesc("lineman_"+name, help, labels, nil), kind, read}
}

func gauge(name, help string, of func(s *Snapshot) int) metric {
	return newMetric(name, help, prometheus.GaugeValue, nil,
		func(s *Snapshot, tell tell) { tell(float64(of(s))) })
}

func seconds(name, help string, kind prometheus.ValueType, of func(s *Snapshot) time.Duration) metric {
	return newMetric(name, help, kind, nil, func(s *Snapshot, tell tell) { tell(of(s).Seconds()) })
}

func counter(name, help string, of func(s *Snapshot) uint64) metric {
	return newMetric(name+"_total", help, prometheus.CounterValue, nil,
		func(s *Snapshot, tell tell) { tell(float64(of(s))) })
}

func byReason(name, help string, of func(s *Snapshot) map[string]uint64) metric {
	return newMetric(name+"_total", help, prometheus.CounterValue, []string{"reason"},
		func(s *Snapshot, tell tell) {
			for reason, n := range of(s) {
				tell(float64(n), reason)
			}
		})
}

// metrics are all but the histograms.
func metrics() []metric {
	return slices.Concat(ofPages(), ofBroker(), ofJournal(), counted(), ofGroups(), ofHooks(), ofCalls())
}

// ofPages are how many there are now.
func ofPages() []metric {
	return []metric{
		gauge("connections", "Pages that are connected and known.", func(s *Snapshot) int { return s.Conns }),
		gauge("following_connections", "Of these, those of level 1, and of the Pusher protocol.",
			func(s *Snapshot) int { return s.Followers }),
		gauge("stream_connections", "Of these, those that get server-sent events.",
			func(s *Snapshot) int { return s.Streams }),
		newMetric("pusher_connections", "Of these, those of the Pusher protocol.", prometheus.GaugeValue,
			[]string{"app"}, func(s *Snapshot, tell tell) {
				for app, n := range s.Pusher {
					tell(float64(n), app)
				}
			}),
		gauge("backend_connections", "Connections to the port for lines and to the HTTP API.",
			func(s *Snapshot) int { return s.BackEnds }),
		gauge("waiting_connections", "Pages that have not said who they are.",
			func(s *Snapshot) int { return s.Waiting }),
		gauge("uids", "Uids with a connection.", func(s *Snapshot) int { return s.UIDs }),
		gauge("groups", "Groups with a connection.", func(s *Snapshot) int { return s.Groups }),
		gauge("channels", "Channels with a subscriber.", func(s *Snapshot) int { return s.Channels }),
		gauge("queued_bytes", "Bytes that wait for pages which do not read as fast as they are sent to.",
			func(s *Snapshot) int { return s.QueuedBytes }),
		gauge("queued_most_bytes", "Of these, those that wait for one page.",
			func(s *Snapshot) int { return s.QueuedMost }),
	}
}

// ofBroker are those of what joins the nodes.
func ofBroker() []metric {
	return []metric{
		gauge("broker_linked", "1 if the other nodes are reached.", func(s *Snapshot) int {
			if s.Linked {
				return 1
			}
			return 0
		}),
		gauge("broker_nodes", "Nodes that are alive, this one too; 0 without a broker.",
			func(s *Snapshot) int { return s.Broker.Nodes }),
		counter("broker_breaks",
			"Times that the link to other nodes broke: what others published meanwhile was missed.",
			func(s *Snapshot) uint64 { return s.Breaks }),
		seconds("broker_away_seconds_total", "Time that the link to other nodes was down.", prometheus.CounterValue,
			func(s *Snapshot) time.Duration { return s.Away }),
		seconds("broker_round_trip_seconds", "How long the last commands to the broker's server took.",
			prometheus.GaugeValue, func(s *Snapshot) time.Duration { return s.Broker.RoundTrip }),
		gauge("broker_waiting_bytes", "Bytes that have come from other nodes and wait for the loop.",
			func(s *Snapshot) int { return s.Broker.Waiting }),
		counter("broker_unlinked", "Publications that were refused because other nodes could not be reached.",
			func(s *Snapshot) uint64 { return s.Unlinked }),
		counter("broker_unanswered", "Publications that a node has not confirmed in time.",
			func(s *Snapshot) uint64 { return s.Unanswered }),
		counter("broker_sent_bytes", "Bytes that were published to other nodes.",
			func(s *Snapshot) uint64 { return s.Broker.BytesOut }),
		counter("broker_received_bytes", "Bytes that came from other nodes, and from this one by way of the broker.",
			func(s *Snapshot) uint64 { return s.Broker.BytesIn }),
		counter("broker_ghosts", "Connections of dead nodes that this node has ended.",
			func(s *Snapshot) uint64 { return s.Broker.Stale }),
		counter("broker_overflows", "Times that the link was broken because this node did not keep up.",
			func(s *Snapshot) uint64 { return s.Broker.Overflows }),
	}
}

// ofJournal are those of what is kept, in memory and in files.
func ofJournal() []metric {
	return []metric{
		gauge("history_bytes", "Bytes of the history in memory; that in Redis is not in it.",
			func(s *Snapshot) int { return s.HistoryBytes }),
		gauge("history_messages", "Messages of it: one for two targets counts twice.",
			func(s *Snapshot) int { return s.HistoryMessages }),
		gauge("journal_bytes", "Bytes of the journal; 0 without one.",
			func(s *Snapshot) int { return s.Journal.Bytes }),
		gauge("journal_segments", "Files of the journal.", func(s *Snapshot) int { return s.Journal.Segments }),
		counter("journal_writes", "Times that the journal was written to, each for all publications of a moment.",
			func(s *Snapshot) uint64 { return s.Journal.Writes }),
		seconds("journal_write_seconds_total", "Time that this took.", prometheus.CounterValue,
			func(s *Snapshot) time.Duration { return s.Journal.WriteTime }),
		counter("journal_syncs", "Times that the journal was brought to the disk.",
			func(s *Snapshot) uint64 { return s.Journal.Syncs }),
		seconds("journal_sync_seconds_total", "Time that this took.", prometheus.CounterValue,
			func(s *Snapshot) time.Duration { return s.Journal.SyncTime }),
		counter("journal_failures", "Times that the journal could not be written, or brought to the disk.",
			func(s *Snapshot) uint64 { return s.Journal.Failures }),
	}
}

// counted are what has happened since the start.
func counted() []metric {
	return []metric{
		counter("publishes", "Publications.", func(s *Snapshot) uint64 { return s.Published }),
		counter("deliveries", "Messages that connections accepted.", func(s *Snapshot) uint64 { return s.Delivered }),
		counter("recoveries", "Times that a page of level 1 came back to a target and got all that it had missed.",
			func(s *Snapshot) uint64 { return s.Recovered }),
		byReason("gaps", "Times that a page of level 1 was told that it has missed something, by reason.", gaps),
		counter("repairs", "Times that a target was compared with its history, as something might have been missed.",
			func(s *Snapshot) uint64 { return s.Repairs }),
		counter("accepted_connections", "Connections that came, of pages, back ends and operators.",
			func(s *Snapshot) uint64 { return s.Accepted }),
		counter("received_bytes", "Bytes read from all connections.", func(s *Snapshot) uint64 { return s.BytesIn }),
		counter("sent_bytes", "Bytes written to all connections.", func(s *Snapshot) uint64 { return s.BytesOut }),
		counter("panics", "Panics that were recovered.", func(s *Snapshot) uint64 { return s.Panics }),
		counter("slow_callbacks", "Callbacks that held the loop for more than a tenth of a second.",
			func(s *Snapshot) uint64 { return s.Slow }),
		counter("slow_clients", "Pages that were cut because they did not read.",
			func(s *Snapshot) uint64 { return s.SlowClients }),
		byReason("refusals", "What was refused, by reason.", func(s *Snapshot) map[string]uint64 { return s.Refused }),
		byReason("dry_run_refusals", "What would have been refused, by reason, but for limits.dry_run.",
			func(s *Snapshot) map[string]uint64 { return s.WouldRefuse }),
		byReason("credential_refusals", "Credentials that were refused, by reason.",
			func(s *Snapshot) map[string]uint64 { return s.Credentials }),
	}
}

// gaps are the reasons with their counts; one that has not occurred yet is there with 0.
func gaps(s *Snapshot) map[string]uint64 {
	by := make(map[string]uint64)
	for _, why := range []push.Gap{push.GapEpoch, push.GapExpired, push.GapAhead, push.GapLimit, push.GapOff} {
		by[string(why)] = s.Gaps[why]
	}
	return by
}

// collector reads a Snapshot for each scrape.
type collector struct {
	take func() (Snapshot, error)
	lag  *stopwatch
}

// lagSeconds is how long publications took.
var lagSeconds = prometheus.NewDesc("lineman_publish_lag_seconds",
	"From when a back end's request is read until what it publishes is written; sampled, one a tick.", nil, nil)

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, m := range metrics() {
		to <- m.desc
	}
	to <- hookSeconds
	to <- lagSeconds
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	s, err := c.take()
	for _, m := range metrics() {
		if err != nil {
			to <- prometheus.NewInvalidMetric(m.desc, err)
			return
		}
		m.read(&s, func(v float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
		})
	}
	for i := range s.Hooks {
		to <- s.Hooks[i].histogram()
	}
	to <- c.lag.durations().histogram(lagSeconds)
}
