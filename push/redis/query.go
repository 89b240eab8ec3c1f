package redis

import (
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/push"
)

// query is what is asked of a server, in order with what is published.
type query struct {
	command func(*pair) rueidis.Completed
	answer  func(*pair, rueidis.RedisResult) (push.History, error) // reads it; called by the shard's goroutine
	done    func(push.History, error)                              // called by the loop, once
}

// ask sends a query.
func (l *link) ask(s *shard, q *query) {
	switch {
	case l.closed.Load():
		q.done(push.History{}, push.ErrClosed)
	case !l.up || s.outbox.put(op{kind: ask, query: q}) != taken:
		q.done(push.History{}, push.ErrUnlinked)
	default:
		l.queries[q] = struct{}{}
	}
}

// answered ends a query, unless it has ended.
func (l *link) answered(q *query, h push.History, err error) {
	if _, pending := l.queries[q]; !pending {
		return
	}
	delete(l.queries, q)
	if err != nil {
		err = fmt.Errorf("%w: %w", err, push.ErrUnanswered)
	}
	q.done(h, err)
}

// endQueries ends all of them.
func (l *link) endQueries(err error) {
	for q := range l.queries {
		delete(l.queries, q)
		q.done(push.History{}, err)
	}
}

// warnUnkept tells the log, once a minute, that a server does not keep what is published.
func (l *link) warnUnkept(why error) {
	if now := time.Now(); now.Sub(l.warned) >= reminder {
		l.warned = now
		l.outage.log.Error("redis: what is to be kept cannot be published", "error", why)
	}
}

// unkept is the error of what was not published, as the server does not keep it.
type unkept struct{ why error }

func (e unkept) Error() string { return "redis: the server does not keep it: " + e.why.Error() }

// Is has it match push.ErrJournal.
func (e unkept) Is(target error) bool { return target == push.ErrJournal }

// concernsAll reports whether the error of a script is about the connection or the server, and not about its keys or
// its memory alone.
func concernsAll(err error) bool {
	if _, said := rueidis.IsRedisErr(err); !said {
		return true
	}
	word, _, _ := strings.Cut(err.Error(), " ")
	switch word {
	case "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "READONLY", "MASTERDOWN", "LOADING", "NOSCRIPT", "NOAUTH":
		return true
	}
	return false
}
