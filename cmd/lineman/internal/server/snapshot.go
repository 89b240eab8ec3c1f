package server

import (
	"maps"
	"time"

	"github.com/lineman-go/lineman/push/metrics"
)

// take is how the process is now, for an operator. It is called on a goroutine.
func (s *Server) take() (metrics.Snapshot, error) {
	all, err := ask(s.loop, func() metrics.Snapshot {
		one := s.snapshot(time.Now())
		s.addShared(&one)
		return one
	})
	if err != nil || s.memory == nil {
		return all, err
	}
	for _, other := range s.others {
		one, err := ask(other.loop, func() metrics.Snapshot { return other.snapshot(time.Now()) })
		if err != nil {
			return all, err
		}
		add(&all, &one)
	}
	s.addMemory(&all)
	return all, nil
}

// addMemory adds what the loops of the process share.
func (s *Server) addMemory(to *metrics.Snapshot) {
	to.UIDs, to.Groups, to.Channels = s.memory.Names()
	to.HistoryBytes, to.HistoryMessages = s.memory.Kept()
}

// snapshot is how the Server of this loop is.
func (s *Server) snapshot(now time.Time) metrics.Snapshot {
	s.queued.measure(s.hub.Peek("*"), now)
	return s.counters()
}

// counters is snapshot without a walk through all pages.
func (s *Server) counters() metrics.Snapshot {
	l := s.loop.Stats()
	return metrics.Snapshot{
		Stats: s.hub.Stats(), Calls: s.callMetrics(), Linked: s.hub.Linked(), Streams: s.streaming.open,
		QueuedBytes: s.queued.bytes, QueuedMost: s.queued.most,
		Accepted: l.Accepted, BytesIn: l.BytesIn, BytesOut: l.BytesOut, Panics: l.Panics, Slow: l.Slow,
	}
}

// addShared adds what a process has once.
func (s *Server) addShared(to *metrics.Snapshot) {
	if s.options.BrokerStats != nil {
		to.Broker = s.options.BrokerStats()
	}
	to.Journal, to.EventGroups, to.Hooks = s.journalStats(), s.eventGroups(), s.hookMetrics()
	to.Pusher = s.appPages()
	g := s.guard
	to.BackEnds = g.backends.taken[""] + g.api.taken[""]
	g.mu.Lock()
	defer g.mu.Unlock()
	to.Waiting, to.SlowClients = g.waiting.taken[""], g.refused["slow"]+g.refused["memory"]
	to.Refused, to.WouldRefuse = maps.Clone(g.refused), maps.Clone(g.wouldRefuse)
	to.Credentials = maps.Clone(g.credentials)
}

// add counts the Server of another loop in.
func add(all, one *metrics.Snapshot) {
	all.Stats.Add(one.Stats)
	all.Linked = all.Linked && one.Linked
	all.Streams += one.Streams
	all.QueuedBytes += one.QueuedBytes
	all.QueuedMost = max(all.QueuedMost, one.QueuedMost)
	all.Accepted += one.Accepted
	all.BytesIn += one.BytesIn
	all.BytesOut += one.BytesOut
	all.Panics += one.Panics
	all.Slow += one.Slow
	all.Calls.Waiting += one.Calls.Waiting
	for result, n := range one.Calls.Ended {
		all.Calls.Ended[result] += n
	}
}
