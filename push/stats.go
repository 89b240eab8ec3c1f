package push

import (
	"maps"
	"time"
)

// Stats are the counters of a Hub since its start, and what it knows now.
type Stats struct {
	Conns     int // now
	Followers int // of these, those that follow
	UIDs      int // with a connection, now
	Groups    int // likewise
	Channels  int // with a subscriber, now

	HistoryBytes    int // that the history of this Hub takes in memory, now; see Memory.Kept for that of several
	HistoryMessages int // in it

	Published uint64 // messages that Publish took
	Delivered uint64 // messages that connections of this node accepted

	Recovered uint64         // times that one who follows got all that came after its Position
	Gaps      map[Gap]uint64 // times that one could not, and that something was missed in the midst, by reason
	Repairs   uint64         // times that this node compared a target with its history because something may be missing

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
	s.Gaps = maps.Clone(s.Gaps)
	s.Conns, s.Followers = len(h.everyone.members), h.followers
	s.UIDs, s.Groups, s.Channels = len(h.sets[ToUID]), len(h.sets[ToGroup]), len(h.sets[ToChannel])
	if l, own := h.link.(*localLink); own && l.history != nil {
		s.HistoryBytes, s.HistoryMessages = l.history.bytes, l.history.entries
	}
	return s
}

// Add counts the Hub of another loop of the process in. Names that both have count twice: see Memory.Names.
func (s *Stats) Add(other Stats) {
	s.Conns += other.Conns
	s.Followers += other.Followers
	s.UIDs += other.UIDs
	s.Groups += other.Groups
	s.Channels += other.Channels
	s.Published += other.Published
	s.Delivered += other.Delivered
	s.Recovered += other.Recovered
	for why, n := range other.Gaps {
		s.Gaps[why] += n
	}
	s.Repairs += other.Repairs
	s.Breaks += other.Breaks
	s.Away += other.Away
	s.Unlinked += other.Unlinked
	s.Unanswered += other.Unanswered
}

// tallyPublished tells Options.Tally of a publication that begins here.
func (h *Hub[C]) tallyPublished(to []Target) {
	if h.options.Tally == nil {
		return
	}
	for _, t := range to {
		h.options.Tally(t, 1, 0)
	}
}

// tally tells it of publications, and of a delivery to n connections.
func (h *Hub[C]) tally(to []Target, published, n int) {
	switch {
	case h.options.Tally == nil:
	case len(to) == 1:
		h.options.Tally(to[0], published, n)
	default:
		for _, t := range to {
			h.options.Tally(t, published, len(h.find(t)))
		}
	}
}
