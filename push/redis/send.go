package redis

import (
	"fmt"
	"slices"

	"github.com/lineman-go/lineman/push"
)

// errFull matches push.ErrUnlinked: nothing was sent.
var errFull = fmt.Errorf("redis: %d MiB wait to be published: %w", maxWaiting>>20, push.ErrUnlinked)

// maxTopics is the number of topics up to which a message is published to one by one. With more, all nodes get it.
const maxTopics = 16

// roomForHead is how many bytes stand before the data of a message, as a rule at most.
const roomForHead = 64

// Publish is that of push.Link.
func (l *link) Publish(to []push.Target, p push.Publication, done func(r push.Receipt, err error)) {
	m := message{kind: publication, node: p.Node, number: p.Number, except: p.Except, parts: p.Parts, data: p.Data}
	l.send(m, to, &expectation{published: done})
}

// Ask is that of push.Link.
func (l *link) Ask(to []push.Target, asked []byte, done func(answers [][]byte, err error)) {
	l.send(message{kind: question, data: asked}, to, &expectation{asked: done})
}

// send sends a message to who has subscribed to the topics of some targets, and expects what they answer.
func (l *link) send(m message, to []push.Target, e *expectation) {
	switch {
	case l.closed.Load():
		e.end(push.ErrClosed)
		return
	case !l.up:
		e.end(push.ErrUnlinked)
		return
	}
	m.from = l.node.ID
	m.seq = l.inFlight.add(e)
	m.places = l.places(m.kind, to)
	if s := l.shardOf(to[0].Topic()); len(to) == 1 || len(l.shards) == 1 {
		l.sendPart(s, m, to)
		return
	}
	parts := l.divide(to)
	switch {
	case len(parts) == 1:
		l.sendPart(l.shardOf(to[0].Topic()), m, to)
	case m.kind == question: // it cannot be told in parts: all are asked
		m.to = to
		l.sendTo(l.shards[0], []string{l.names.all(0)}, 0, m)
	default:
		m.parts = true
		e.parts, e.unknown = len(parts), len(parts)
		places := m.places
		for s, part := range parts {
			m.places = placesIn(places, part)
			l.sendPart(s, m, part)
		}
	}
}

// sendPart sends what concerns one shard.
func (l *link) sendPart(s *shard, m message, to []push.Target) {
	first := to[0].Topic()
	if len(to) > 1 || first != to[0] {
		m.to = to
	}
	channels, enough := []string{l.names.topic(first)}, 0
	for _, t := range to[1:] {
		c := l.names.topic(t.Topic())
		if slices.Contains(channels, c) {
			continue
		}
		if channels = append(channels, c); len(channels) > maxTopics {
			channels = []string{l.names.all(s.index)}
			break
		}
	}
	if !slices.ContainsFunc(to, func(t push.Target) bool { return t.Topic() == t }) { // connections, each of one node
		enough = len(channels)
	}
	l.sendTo(s, channels, enough, m)
}

func (l *link) sendTo(s *shard, channels []string, enough int, m message) {
	payload := m.append(make([]byte, 0, len(m.data)+roomForHead))
	o := op{
		kind: publish, channels: channels, payload: payload, seq: m.seq, enough: enough, places: m.places,
		data: len(m.data),
	}
	switch s.outbox.put(o) {
	case shut:
		l.inFlight.refused(m.seq, push.ErrUnlinked)
	case full:
		l.counters.refused.Add(1)
		l.inFlight.refused(m.seq, errFull)
	}
}
