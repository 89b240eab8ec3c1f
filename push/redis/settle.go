package redis

import (
	"errors"
	"slices"
	"time"
)

// settleMargin is how much longer than for the answers of other nodes it may take until nothing waits.
const settleMargin = time.Second

var errUnsettled = errors.New("redis: the server is too slow, or is away: what was published is not known to be " +
	"everywhere: try again")

// Settle is that of push.HandoverLink.
func (l *link) Settle() error { return l.broker.settle() }

// settle does what waits of all links, whose loops stand still: what the nodes have sent is answered then, and the
// server has what they have said. What comes from others goes on coming.
func (b *Broker) settle() error {
	b.mu.Lock()
	links := slices.Clone(b.links)
	b.mu.Unlock()
	late := time.NewTimer(b.options.Answer + settleMargin)
	defer late.Stop()
	for {
		settled := true
		for _, l := range links {
			settled = l.settles() && settled
		}
		if settled {
			return nil
		}
		select {
		case <-b.stirred:
		case <-late.C:
			return errUnsettled
		}
	}
}

// stir wakes settle.
func (b *Broker) stir() {
	select {
	case b.stirred <- struct{}{}:
	default:
	}
}

// settles does what waits for the loop, in place of it, and reports whether nothing else waits.
func (l *link) settles() bool {
	owed := l.owes() // first: what shards have done waits for the loop by then
	l.calls.run()
	return !owed && !l.owes() && len(l.inFlight.bySeq) == 0 && len(l.queries) == 0
}

// owes reports whether a shard has something to do beside publishing, or still takes over from another.
func (l *link) owes() bool {
	return slices.ContainsFunc(l.shards, func(s *shard) bool { return s.succession != nil || s.outbox.owes() })
}
