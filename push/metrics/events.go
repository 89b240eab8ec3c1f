package metrics

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"
)

// Group is how a group of listeners is that are told events. That without a name is what nobody wants yet; it has the
// counters of groups that are no more, too.
type Group struct {
	Name           string
	Listeners      int
	Events, Bytes  int // that were not acknowledged
	Held           int // pages that are not read
	Emitted, Again uint64
	Full, Late     uint64 // dropped: for want of room, and for want of a listener
}

// Hook is how a hook is.
type Hook struct {
	Name     string
	Requests map[string]uint64  // by result
	Took     map[float64]uint64 // those that took no longer, by seconds
	Seconds  float64            // that all requests took together

	Tells   bool // it is told events; what follows is about these
	Retries uint64
	Dead    uint64 // events in the file of dead letters
	Lost    uint64 // events that are not there either

	Questions map[string]uint64 // that it was to decide, by what became of them; nil: it decides nothing
	Asked     int               // of these, those that have no answer yet
	Open      bool              // its circuit breaker is open
}

// Calls are what pages ask back ends.
type Calls struct {
	Waiting int               // for the answer
	Ended   map[string]uint64 // by result
}

func gaugeOfGroups(name, help string, of func(g *Group) int) metric {
	return newMetric(name, help, prometheus.GaugeValue, []string{"group"}, func(s *Snapshot, tell tell) {
		for i := range s.EventGroups {
			tell(float64(of(&s.EventGroups[i])), s.EventGroups[i].Name)
		}
	})
}

func counterOfGroups(name, help string, of func(g *Group) uint64) metric {
	return newMetric(name+"_total", help, prometheus.CounterValue, []string{"group"}, func(s *Snapshot, tell tell) {
		for i := range s.EventGroups {
			tell(float64(of(&s.EventGroups[i])), s.EventGroups[i].Name)
		}
	})
}

// ofGroups are about events that back ends are told.
func ofGroups() []metric {
	return []metric{
		gaugeOfGroups("listeners", "Listeners of a group; of a hook, requests that it may have under way.",
			func(g *Group) int { return g.Listeners }),
		gaugeOfGroups("events_waiting", "Events of a group that were not acknowledged.",
			func(g *Group) int { return g.Events }),
		gaugeOfGroups("events_waiting_bytes", "Bytes of these.", func(g *Group) int { return g.Bytes }),
		gaugeOfGroups("events_held_connections", "Pages that are not read, as their listener has too much to do.",
			func(g *Group) int { return g.Held }),
		counterOfGroups("events", "Events that a group was to be told.", func(g *Group) uint64 { return g.Emitted }),
		counterOfGroups("events_again", "Events that were told again, as their listener had gone.",
			func(g *Group) uint64 { return g.Again }),
		newMetric("events_dropped_total",
			"Events of a group that were dropped: full, as there was no room; late, as no listener came in time.",
			prometheus.CounterValue, []string{"group", "reason"}, func(s *Snapshot, tell tell) {
				for _, g := range s.EventGroups {
					tell(float64(g.Full), g.Name, "full")
					tell(float64(g.Late), g.Name, "late")
				}
			}),
	}
}

// counterOfHooks is about hooks that are told events.
func counterOfHooks(name, help string, of func(h *Hook) uint64) metric {
	return newMetric(name+"_total", help, prometheus.CounterValue, []string{"hook"}, func(s *Snapshot, tell tell) {
		for i := range s.Hooks {
			if h := &s.Hooks[i]; h.Tells {
				tell(float64(of(h)), h.Name)
			}
		}
	})
}

// ofHooks are about URLs that are told events, or asked to decide.
func ofHooks() []metric {
	return []metric{
		newMetric("hook_requests_total", "Requests to a hook, by result.", prometheus.CounterValue,
			[]string{"hook", "result"}, func(s *Snapshot, tell tell) {
				for _, h := range s.Hooks {
					tellAll(h.Requests, tell, h.Name)
				}
			}),
		newMetric("hook_open", "1 while the circuit breaker of a hook is open: it has failed several times in a row.",
			prometheus.GaugeValue, []string{"hook"}, func(s *Snapshot, tell tell) {
				for _, h := range s.Hooks {
					open := 0.0
					if h.Open {
						open = 1
					}
					tell(open, h.Name)
				}
			}),
		counterOfHooks("hook_retries", "Requests with events that were made again.",
			func(h *Hook) uint64 { return h.Retries }),
		counterOfHooks("hook_dead_letters", "Events that a hook did not take, and that are in a file.",
			func(h *Hook) uint64 { return h.Dead }),
		counterOfHooks("hook_lost_events", "Events that are not there either, as the file could not be written.",
			func(h *Hook) uint64 { return h.Lost }),
		newMetric("hook_questions_total", "Questions that a hook was to decide, by what became of them.",
			prometheus.CounterValue, []string{"hook", "result"}, func(s *Snapshot, tell tell) {
				for _, h := range s.Hooks {
					tellAll(h.Questions, tell, h.Name)
				}
			}),
		newMetric("hook_questions_waiting", "Questions that have no answer yet.", prometheus.GaugeValue,
			[]string{"hook"}, func(s *Snapshot, tell tell) {
				for _, h := range s.Hooks {
					if h.Questions != nil {
						tell(float64(h.Asked), h.Name)
					}
				}
			}),
	}
}

// ofCalls are about what pages ask back ends.
func ofCalls() []metric {
	return []metric{
		gauge("calls_waiting", "Calls of pages (rpc) that wait for the answer of a back end.",
			func(s *Snapshot) int { return s.Calls.Waiting }),
		newMetric("calls_total", "Calls of pages that have ended, by result.", prometheus.CounterValue,
			[]string{"result"}, func(s *Snapshot, tell tell) { tellAll(s.Calls.Ended, tell) }),
	}
}

// tellAll tells counters by a label that follows others.
func tellAll(all map[string]uint64, tell tell, labels ...string) {
	for name, n := range all {
		tell(float64(n), append(labels[:len(labels):len(labels)], name)...)
	}
}

// hookSeconds is how long requests to hooks took.
var hookSeconds = prometheus.NewDesc("lineman_hook_seconds", "How long requests to a hook took.", []string{"hook"}, nil)

// histogram is how long the requests to a hook took. Took has for each upper bound those that took no longer.
func (h *Hook) histogram() prometheus.Metric {
	n := uint64(0)
	for _, requests := range h.Requests {
		n += requests
	}
	return prometheus.MustNewConstHistogram(hookSeconds, n, h.Seconds, maps.Clone(h.Took), h.Name)
}
