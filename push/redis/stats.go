package redis

import (
	"sync/atomic"
	"time"
)

// Stats are the counters of a Broker since its start, and what it knows now.
type Stats struct {
	Nodes     int           // that live, this one too, as the registry knew a moment ago
	RoundTrip time.Duration // of the last commands
	Waiting   int           // bytes that have come and wait for the loop
	Unsent    int           // bytes that wait to be sent

	Reconnects  uint64 // times that connections broke and came back
	BytesIn     uint64 // from the servers
	BytesOut    uint64 // to them
	MessagesIn  uint64 // of any kind, those of other nodes and its own
	MessagesOut uint64 // of any kind, each once for all nodes that get it

	Unanswered uint64 // publications and questions that a node did not answer in time
	Refused    uint64 // publications and questions that came while too many waited
	Overflows  uint64 // times that the link was broken off, as too much came while the loop stood still
	Dropped    uint64 // messages that were lost by that
	Malformed  uint64 // messages that could not be read
	Stale      uint64 // connections of nodes that are gone, which were ended
}

// counters are what Stats are read from.
type counters struct {
	nodes, roundTrip                                       atomic.Int64
	reconnects, bytesIn, bytesOut, messagesIn, messagesOut atomic.Uint64
	unanswered, refused                                    atomic.Uint64
	overflows, dropped, malformed, stale                   atomic.Uint64
}

func (c *counters) stats() Stats {
	return Stats{
		Nodes:       int(c.nodes.Load()),
		RoundTrip:   time.Duration(c.roundTrip.Load()),
		Reconnects:  c.reconnects.Load(),
		BytesIn:     c.bytesIn.Load(),
		BytesOut:    c.bytesOut.Load(),
		MessagesIn:  c.messagesIn.Load(),
		MessagesOut: c.messagesOut.Load(),
		Unanswered:  c.unanswered.Load(),
		Refused:     c.refused.Load(),
		Overflows:   c.overflows.Load(),
		Dropped:     c.dropped.Load(),
		Malformed:   c.malformed.Load(),
		Stale:       c.stale.Load(),
	}
}

// timed notes how long commands took.
func (c *counters) timed(since time.Time) { c.roundTrip.Store(int64(time.Since(since))) }
