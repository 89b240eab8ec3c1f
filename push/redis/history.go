package redis

import (
	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/push"
)

var _ push.HistoryLink = (*link)(nil)

// History is that of push.HistoryLink. What is told at once has 16 MiB and 65,536 messages at most.
func (l *link) History(of push.Target, r push.Range, done func(push.History, error)) {
	if !l.keepsHistory() {
		done(push.History{}, push.ErrNoHistory)
		return
	}
	w := newWanted(of, r, l.node.Retain(of))
	l.ask(l.shardOf(of.Topic()), &query{
		command: func(p *pair) rueidis.Completed { return p.read(w) },
		answer: func(p *pair, r rueidis.RedisResult) (func(), error) {
			words, err := wordsOf(r)
			if err != nil {
				return nil, err
			}
			found, err := parseFound(words)
			if err != nil {
				return nil, err
			}
			p.shard.reached.raise(found.mark)
			h := w.tell(found)
			return func() { done(h, nil) }, nil
		},
		failed: func(err error) { done(push.History{}, err) },
	})
}

// Forget is that of push.HistoryLink.
func (l *link) Forget(of []push.Target, done func(error)) {
	if !l.keepsHistory() {
		done(push.ErrNoHistory)
		return
	}
	parts := l.divide(of)
	ended := after(len(parts), done)
	for s, targets := range parts {
		keys := make([]string, len(targets))
		for i, t := range targets {
			keys[i] = l.names.kept(t)
		}
		l.ask(s, &query{
			command: func(p *pair) rueidis.Completed { return p.out.B().Del().Key(keys...).Build() },
			answer: func(_ *pair, r rueidis.RedisResult) (func(), error) {
				_, err := r.AsInt64()
				return func() { ended(nil) }, err
			},
			failed: ended,
		})
	}
}
