package redis

import (
	"bytes"
	"slices"
	"time"

	"github.com/lineman-go/lineman/push"
)

// arrived takes a message. It returns false if too many wait for the loop. Called by goroutines that read.
func (l *link) arrived(a arrival) bool {
	l.counters.messagesIn.Add(1)
	if m, ok := peekMark(a.payload); ok {
		a.pair.shard.reached.raise(m)
	}
	if l.closed.Load() && !l.handedOver.Load() {
		l.decline(a)
		return true
	}
	first, ok := l.inbox.put(a)
	if !ok {
		l.counters.dropped.Add(1)
	}
	if first {
		l.post(l.drain)
	}
	return ok
}

// drain handles what has arrived. On the loop.
func (l *link) drain() {
	items := l.inbox.take()
	l.replies.held = true
	for _, a := range items {
		if l.closed.Load() {
			l.decline(a)
			continue
		}
		l.receive(a)
	}
	l.inbox.recycle(items)
	l.replies.held = false
	l.replies.flush()
}

// receive handles a message.
func (l *link) receive(a arrival) {
	m, err := decode([]byte(a.payload))
	if err != nil {
		l.counters.malformed.Add(1)
		return
	}
	switch h := a.pair.shard.succession; {
	case m.kind == barrier || m.kind == forwarded:
		l.advance(a, m)
	case h == nil || !l.takes(h, a, m):
		l.dispatch(a, m)
	}
}

// dispatch handles a message that is for this node, and for its link.
func (l *link) dispatch(a arrival, m message) {
	switch m.kind {
	case probe, barrier, forwarded, ready:
	case presence:
		if m.here {
			l.membership.heard(m.from, time.Now())
		} else {
			l.membership.left(m.from, time.Now())
		}
	case change:
		l.changed(a, m)
	case answers:
		for _, a := range m.answers {
			l.inFlight.answered(a, false)
		}
	default:
		l.handle(a, m)
	}
}

// handle gives a publication or a question to the node, unless the node has had it already or does not want it.
func (l *link) handle(a arrival, m message) {
	s := a.pair.shard
	came := origin{from: m.from, seq: m.seq}
	again := s.last == came
	s.last = came
	to := m.to
	if len(to) == 0 {
		t, ok := l.names.topicOf(a.channel)
		if !ok {
			l.counters.malformed.Add(1)
			return
		}
		to = []push.Target{t}
	}
	switch {
	case again || !l.wants(to):
		l.reply(s, m, answer{form: nothing})
	case m.kind == publication:
		p := push.Publication{Node: m.node, Number: m.number, Except: m.except, Parts: m.parts, Data: m.data}
		p.Positions = m.positions(len(to))
		l.reply(s, m, answer{form: reaching, reached: uint64(l.node.Deliver(to, p))})
	default:
		l.node.Answer(to, m.data, func(said []byte) {
			l.reply(s, m, answer{form: telling, data: bytes.Clone(said)})
			if !l.replies.held {
				l.replies.flush()
			}
		})
	}
}

func (l *link) wants(to []push.Target) bool {
	return slices.ContainsFunc(to, func(t push.Target) bool { return l.shardOf(t.Topic()).outbox.wants(t.Topic()) })
}

// reply answers a message.
func (l *link) reply(s *shard, m message, a answer) {
	a.seq = m.seq
	if m.from == l.node.ID {
		l.inFlight.answered(a, true)
		return
	}
	l.replies.add(recipient{shard: s, node: m.from}, a)
}

// decline answers a message that comes when the link is closed. One of its node is that of its successor, if any.
func (l *link) decline(a arrival) {
	m, err := decode([]byte(a.payload))
	if err != nil || m.from == l.node.ID && !l.handedOver.Load() || m.kind != publication && m.kind != question {
		return
	}
	l.tell(recipient{shard: a.pair.shard, node: m.from}, []answer{{seq: m.seq, form: nothing}})
}

// tell sends answers to a node.
func (l *link) tell(to recipient, a []answer) {
	m := message{kind: answers, answers: a}
	to.shard.outbox.put(op{
		kind: publish, channels: []string{l.names.node(to.shard.index, to.node)}, payload: m.append(nil),
	})
}

// recipient is the node that gets answers, and the shard that carries them.
type recipient struct {
	shard *shard
	node  string
}

// replies gathers the answers to what arrived together, so that each node gets one message. Owned by the loop.
type replies struct {
	link     *link
	gathered map[recipient][]answer
	held     bool // more is on its way
}

func (r *replies) add(to recipient, a answer) {
	if r.gathered == nil {
		r.gathered = make(map[recipient][]answer)
	}
	r.gathered[to] = append(r.gathered[to], a)
}

func (r *replies) flush() {
	for to, a := range r.gathered {
		r.link.tell(to, a)
	}
	clear(r.gathered)
}
