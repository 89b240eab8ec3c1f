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

	// answer reads the answer, and gives what tells of it. It is called by the shard's goroutine.
	answer func(*pair, rueidis.RedisResult) (tell func(), err error)

	failed func(error) // called by the loop, as tell is: one of them, once
}

// ask sends a query.
func (l *link) ask(s *shard, q *query) {
	switch {
	case l.closed.Load():
		q.failed(push.ErrClosed)
	case !l.up || s.outbox.put(op{kind: ask, query: q}) != taken:
		q.failed(push.ErrUnlinked)
	default:
		l.queries[q] = struct{}{}
	}
}

// answered ends a query, unless it has ended.
func (l *link) answered(q *query, tell func(), err error) {
	if _, pending := l.queries[q]; !pending {
		return
	}
	delete(l.queries, q)
	if err != nil {
		q.failed(fmt.Errorf("%w: %w", err, push.ErrUnanswered))
		return
	}
	tell()
}

// endQueries ends all of them.
func (l *link) endQueries(err error) {
	for q := range l.queries {
		delete(l.queries, q)
		q.failed(err)
	}
}

// after gives what is to be called as often as there are parts: with the last of them it calls done, with an error that
// one of them had.
func after(parts int, done func(error)) (ended func(error)) {
	if parts == 0 {
		done(nil)
	}
	var failed error
	return func(err error) {
		if err != nil {
			failed = err
		}
		if parts--; parts == 0 {
			done(failed)
		}
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
