package server

import (
	"iter"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
	"github.com/lineman-go/lineman/push"
)

// queued is a sample of the send queues: how much waits for pages, as it was at some time. Owned by the loop.
type queued struct {
	at          time.Time
	took        time.Duration
	bytes, most int
	top, slow   figures.SlowPages // those that most waits for; of these, those for which something waited before, too
}

// measureEvery is how often what waits is counted at the most: it looks at every connection. No more than a hundredth
// of the time goes there.
const measureEvery = 900 * time.Millisecond

func (q *queued) measure(members iter.Seq[*push.Member[*lineman.Conn]], now time.Time) {
	if now.Sub(q.at) < max(measureEvery, 100*q.took) {
		return
	}
	before := q.top
	*q = queued{at: now}
	for m := range members {
		n := m.Conn().Pending()
		q.bytes += n
		q.most = max(q.most, n)
		if q.top.Takes(n) {
			q.top.Add(figures.SlowPage{
				Conn: string(m.Target()), UID: m.UID(), Remote: m.Conn().RemoteAddr().String(), Bytes: n,
			})
		}
	}
	for _, p := range q.top { // what others wait for may be what this tick is about to write
		if before.Has(p.Conn) {
			q.slow.Add(p)
		}
	}
	q.took = time.Since(now)
}
