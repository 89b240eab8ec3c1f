package push

import "time"

// Stats are the counters of a Hub since its start, and what it knows now.
type Stats struct {
	Conns    int // now
	UIDs     int // with a connection, now
	Groups   int // likewise
	Channels int // with a subscriber, now

	Published uint64 // messages that Publish took
	Delivered uint64 // messages that connections of this node accepted

	Breaks     uint64        // of the link to other nodes
	Away       time.Duration // that it was down in all, up to now
	Unlinked   uint64        // messages that were refused because it was down
	Unanswered uint64        // messages that a node has not confirmed
}

// Stats tells how the Hub is.
func (h *Hub[C]) Stats() Stats {
	s := h.stats
	if !h.linked && !h.unlinked.IsZero() {
		s.Away += time.Since(h.unlinked)
	}
	s.Conns = len(h.everyone.members)
	s.UIDs, s.Groups, s.Channels = len(h.sets[ToUID]), len(h.sets[ToGroup]), len(h.sets[ToChannel])
	return s
}
