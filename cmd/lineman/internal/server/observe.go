package server

import (
	"maps"
	"slices"

	"github.com/lineman-go/lineman/push/hook"
	"github.com/lineman-go/lineman/push/level1"
	"github.com/lineman-go/lineman/push/metrics"
)

// What operators see of events, of hooks, and of calls.

// eventGroups are the groups of listeners. First is what nobody wants yet, with the counters of groups that are no
// more. Observers are nobody.
func (s *Server) eventGroups() []metrics.Group {
	forgotten := s.hearing.dispatcher.Forgotten()
	all := []metrics.Group{{
		Emitted: forgotten.Emitted, Again: forgotten.Again,
		Full: forgotten.Dropped - forgotten.Late, Late: forgotten.Late,
	}}
	for _, g := range s.hearing.dispatcher.Stats() {
		if g.Observes {
			continue
		}
		if g.Name != "" {
			all = append(all, metrics.Group{Name: g.Name})
		}
		to := &all[len(all)-1]
		to.Listeners, to.Events, to.Bytes, to.Held = g.Listeners, g.Events, g.Bytes, g.Held
		to.Emitted += g.Emitted
		to.Again += g.Again
		to.Full += g.Dropped - g.Late
		to.Late += g.Late
	}
	return all
}

// hookMetrics are those of all hooks: of one that is told events and decides, both together.
func (s *Server) hookMetrics() []metrics.Hook {
	byName := make(map[string]*metrics.Hook)
	add := func(name string, made hook.ClientStats) *metrics.Hook {
		if byName[name] == nil {
			byName[name] = &metrics.Hook{
				Name: name, Requests: make(map[string]uint64), Took: make(map[float64]uint64),
			}
		}
		addRequests(byName[name], made)
		return byName[name]
	}
	for _, t := range s.tellers {
		h, told := add(t.name, t.client.Stats()), t.sender.Stats()
		h.Tells, h.Retries, h.Dead, h.Lost = true, told.Retries, told.DeadLetters, told.Lost
		h.Open = told.Open
	}
	for _, d := range s.decides.all() {
		h, asked := add(d.name, d.client.Stats()), d.Stats()
		h.Questions = map[string]uint64{
			"posted": asked.Asked, "cached": asked.Kept, "joined": asked.Joined, "refused": asked.Refused,
			"wrong": asked.Wrong, "away": asked.Away - asked.Wrong,
		}
		h.Asked = asked.UnderWay + asked.Waiting
		h.Open = h.Open || asked.Open
	}
	var all []metrics.Hook
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, *byName[name])
	}
	return all
}

// addRequests adds the requests that were made to a hook.
func addRequests(h *metrics.Hook, made hook.ClientStats) {
	for result, n := range map[string]uint64{
		"good": made.Good, "refused": made.Refused, "busy": made.Busy, "broken": made.Broken, "lost": made.Lost,
	} {
		h.Requests[result] += n
	}
	n := uint64(0)
	for i, bound := range hook.Seconds {
		n += made.Took[i]
		h.Took[bound] += n
	}
	h.Seconds += made.Seconds
}

// callMetrics are those of what pages ask back ends.
func (s *Server) callMetrics() (all metrics.Calls) {
	for _, up := range s.speaking.upstreams {
		all.Waiting += len(up.calls)
	}
	all.Ended = maps.Clone(s.speaking.ended)
	return all
}

// resultOf is how a call has ended that was answered so.
func resultOf(answer frame) string {
	f, failed := answer.(level1.Failure)
	switch {
	case !failed:
		return "answered"
	case f.Code == level1.CodeTimeout:
		return "late"
	case f.Code == level1.CodeUnavailable:
		return "unheard"
	}
	return "failed"
}
