package server

import (
	"iter"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
)

// queued is a sample of the send queues: how much waits for pages, as it was at some time. Owned by the loop.
type queued struct {
	at          time.Time
	bytes, most int
}

// measureEvery is how often what waits is counted at the most: it looks at every connection.
const measureEvery = time.Second

func (q *queued) measure(members iter.Seq[*push.Member[*lineman.Conn]], now time.Time) {
	if now.Sub(q.at) < measureEvery {
		return
	}
	*q = queued{at: now}
	for m := range members {
		n := m.Conn().Pending()
		q.bytes += n
		q.most = max(q.most, n)
	}
}
