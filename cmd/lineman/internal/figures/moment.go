package figures

import (
	"time"

	"github.com/lineman-go/lineman/push/metrics"
)

// moment is how a server was at some time.
type moment struct {
	at       time.Time
	snapshot *metrics.Snapshot
	lag      metrics.Durations
}

// present is what there is at the moment, without what has happened in an interval.
func (m *moment) present() Figures {
	s := m.snapshot
	pusher := 0
	for _, n := range s.Pusher {
		pusher += n
	}
	f := Figures{
		At: m.at.UnixMilli(),
		Conns: Conns{
			Pages: s.Conns, Level0: s.Conns - s.Followers, Level1: s.Followers - s.Streams - pusher,
			Streams: s.Streams, Pusher: pusher,
			Waiting: s.Waiting, BackEnds: s.BackEnds, UIDs: s.UIDs, Groups: s.Groups, Channels: s.Channels,
		},
		Queued:  Queued{s.QueuedBytes, s.QueuedMost},
		History: History{Bytes: s.HistoryBytes, Messages: s.HistoryMessages, Journal: s.Journal.Bytes},
		Broker: Broker{
			Linked: s.Linked, Nodes: s.Broker.Nodes, RoundTrip: s.Broker.RoundTrip.Seconds(), Waiting: s.Broker.Waiting,
		},
	}
	for i := range s.EventGroups {
		g := &s.EventGroups[i]
		f.Events.Listeners += g.Listeners
		f.Events.Waiting += g.Events
		f.Events.Bytes += g.Bytes
		f.Events.Held += g.Held
	}
	for i := range s.Hooks {
		h := &s.Hooks[i]
		f.Hooks.Asked += h.Asked
		if h.Open {
			f.Hooks.Open++
		}
	}
	return f
}

// count completes Figures by what has happened since an earlier moment.
func (m *moment) count(f *Figures, since *moment) {
	f.Seconds = m.at.Sub(since.at).Seconds()
	now, then := m.snapshot, since.snapshot
	rate := func(now, then uint64) float64 {
		if now <= then || f.Seconds <= 0 {
			return 0
		}
		return float64(now-then) / f.Seconds
	}
	f.Rates = Rates{
		Published: rate(now.Published, then.Published), Delivered: rate(now.Delivered, then.Delivered),
		BytesIn: rate(now.BytesIn, then.BytesIn), BytesOut: rate(now.BytesOut, then.BytesOut),
		Accepted: rate(now.Accepted, then.Accepted), Cut: rate(now.SlowClients, then.SlowClients),
		Recovered: rate(now.Recovered, then.Recovered), Gaps: rate(sum(now.Gaps), sum(then.Gaps)),
		Unsent: rate(now.Unlinked+now.Unanswered, then.Unlinked+then.Unanswered),
		Panics: rate(now.Panics, then.Panics), Slow: rate(now.Slow, then.Slow),
		Refused: rate(sum(now.Refused), sum(then.Refused)),
	}
	for reason, n := range now.Refused {
		if r := rate(n, then.Refused[reason]); r > 0 {
			if f.Rates.RefusedBy == nil {
				f.Rates.RefusedBy = make(map[string]float64)
			}
			f.Rates.RefusedBy[reason] = r
		}
	}
	took := m.lag.Since(since.lag)
	f.Lag = Lag{Samples: took.Count(), P50: took.Quantile(0.5).Seconds(), P99: took.Quantile(0.99).Seconds()}
	f.History.Failures = rate(now.Journal.Failures, then.Journal.Failures)
	told, toldThen := told(now), told(then)
	f.Events.Emitted, f.Events.Dropped = rate(told.emitted, toldThen.emitted), rate(told.dropped, toldThen.dropped)
	f.Hooks.Requests = rate(told.requests, toldThen.requests)
	f.Hooks.Failed, f.Hooks.Dead = rate(told.failed, toldThen.failed), rate(told.dead, toldThen.dead)
}

// tellings are what all groups and hooks have been told since the start.
type tellings struct{ emitted, dropped, requests, failed, dead uint64 }

func told(s *metrics.Snapshot) (t tellings) {
	for i := range s.EventGroups {
		g := &s.EventGroups[i]
		t.emitted += g.Emitted
		t.dropped += g.Full + g.Late
	}
	for i := range s.Hooks {
		h := &s.Hooks[i]
		t.requests += sum(h.Requests)
		t.failed += failed(h)
		t.dead += h.Dead + h.Lost
	}
	return t
}

// failed are the requests to a hook that were not answered by 2xx.
func failed(h *metrics.Hook) uint64 { return sum(h.Requests) - h.Requests["good"] }

// sum is that of counters by reason.
func sum[K comparable](by map[K]uint64) (n uint64) {
	for _, one := range by {
		n += one
	}
	return n
}
