package figures

// Add counts in the Figures of another process. What both have, such as a uid, counts twice. Times are those of the one
// that is slower.
func (f *Figures) Add(other *Figures) {
	f.At, f.Seconds = max(f.At, other.At), max(f.Seconds, other.Seconds)
	f.Conns.add(&other.Conns)
	f.Rates.add(&other.Rates)
	f.Lag.Samples += other.Lag.Samples
	f.Lag.P50, f.Lag.P99 = max(f.Lag.P50, other.Lag.P50), max(f.Lag.P99, other.Lag.P99)
	f.Queued.Bytes += other.Queued.Bytes
	f.Queued.Most = max(f.Queued.Most, other.Queued.Most)
	f.History.Bytes += other.History.Bytes
	f.History.Messages += other.History.Messages
	f.History.Journal += other.History.Journal
	f.History.Failures += other.History.Failures
	f.Events.Listeners += other.Events.Listeners
	f.Events.Waiting += other.Events.Waiting
	f.Events.Bytes += other.Events.Bytes
	f.Events.Held += other.Events.Held
	f.Events.Emitted += other.Events.Emitted
	f.Events.Dropped += other.Events.Dropped
	f.Hooks.Open += other.Hooks.Open
	f.Hooks.Asked += other.Hooks.Asked
	f.Hooks.Requests += other.Hooks.Requests
	f.Hooks.Failed += other.Hooks.Failed
	f.Hooks.Dead += other.Hooks.Dead
	f.Broker.Linked = f.Broker.Linked && other.Broker.Linked
	f.Broker.Nodes = max(f.Broker.Nodes, other.Broker.Nodes)
	f.Broker.RoundTrip = max(f.Broker.RoundTrip, other.Broker.RoundTrip)
	f.Broker.Waiting += other.Broker.Waiting
}

func (g *Group) add(other *Group) {
	g.Listeners += other.Listeners
	g.Waiting += other.Waiting
	g.Bytes += other.Bytes
	g.Held += other.Held
	g.Dropped += other.Dropped
}

func (h *Hook) add(other *Hook) {
	h.Open = h.Open || other.Open
	h.Asked += other.Asked
	h.Requests += other.Requests
	h.Failed += other.Failed
	h.Dead += other.Dead
}

func (c *Conns) add(other *Conns) {
	c.Pages += other.Pages
	c.Level0 += other.Level0
	c.Level1 += other.Level1
	c.Streams += other.Streams
	c.Pusher += other.Pusher
	c.Waiting += other.Waiting
	c.BackEnds += other.BackEnds
	c.UIDs += other.UIDs
	c.Groups += other.Groups
	c.Channels += other.Channels
}

func (r *Rates) add(other *Rates) {
	r.Published += other.Published
	r.Delivered += other.Delivered
	r.Refused += other.Refused
	if r.RefusedBy == nil && len(other.RefusedBy) > 0 {
		r.RefusedBy = make(map[string]float64)
	}
	for reason, n := range other.RefusedBy {
		r.RefusedBy[reason] += n
	}
	r.BytesIn += other.BytesIn
	r.BytesOut += other.BytesOut
	r.Accepted += other.Accepted
	r.Cut += other.Cut
	r.Recovered += other.Recovered
	r.Gaps += other.Gaps
	r.Unsent += other.Unsent
	r.Panics += other.Panics
	r.Slow += other.Slow
}
