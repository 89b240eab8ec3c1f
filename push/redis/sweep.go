package redis

import (
	"context"
	"slices"
	"time"
)

// sparedFor is how long what a node has said of who is present stays when the registry does not know it: its pages may
// come back elsewhere, and a node that has just connected to a server that was empty may not be noted yet.
const sparedFor = 2 * heartbeatEvery

// sweep takes back what nodes have said of who is present that no longer live. One node does it for all: that which
// comes first by its name.
func (r *registry) sweep(all *heartbeats) {
	l := r.link
	live := append(slices.Clone(all.waiting), l.node.ID)
	for node := range all.up {
		live = append(live, node)
	}
	if slices.Min(live) != l.node.ID {
		clear(r.doomed)
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, giveUpAfter)
	defer cancel()
	now, before := time.Now(), r.doomed
	r.doomed = make(map[string]time.Time)
	for _, s := range l.shards {
		err := s.takeBack(ctx, l.client, func(member string) bool {
			if slices.Contains(live, nodeOf(member)) {
				return false
			}
			since, known := before[member]
			if !known {
				since = now
			}
			r.doomed[member] = since
			return now.Sub(since) >= sparedFor
		})
		if err != nil && l.ctx.Err() == nil && !l.outage.lasts() {
			l.outage.log.Warn("redis: who was present at nodes that have gone is still taken to be", "error", err)
		}
	}
}
