package redis

import (
	"context"
	"slices"
)

// sweep takes back what nodes have said of who is present that no longer live. One node does it for all: that which
// comes first by its name.
func (r *registry) sweep(all *heartbeats) {
	l := r.link
	live := append(slices.Clone(all.waiting), l.node.ID)
	for node := range all.up {
		live = append(live, node)
	}
	if slices.Min(live) != l.node.ID {
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, giveUpAfter)
	defer cancel()
	for _, s := range l.shards {
		err := s.takeBack(ctx, l.client, func(member string) bool { return !slices.Contains(live, nodeOf(member)) })
		if err != nil && l.ctx.Err() == nil && !l.outage.lasts() {
			l.outage.log.Warn("redis: who was present at nodes that have gone is still taken to be", "error", err)
		}
	}
}
