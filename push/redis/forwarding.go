package redis

import (
	"time"

	"github.com/lineman-go/lineman/push"
)

// forwarding is what the link of a predecessor does when a successor has its node: it has the successor get what still
// comes. Guarded by the lock of the inbox.
type forwarding struct {
	link   *link
	token  string
	shards map[*shard]*held
	left   int         // shards that have not seen the barrier
	stuck  *time.Timer // ends it, if the successor makes no progress
}

// held is what a shard leaves.
type held struct {
	pair  *pair // over which everything has come since the handover began
	ready bool  // the successor gets it at once
	rest  []arrival
	bytes int
	over  bool // the barrier has come
}

// Abandon is that of push.HandoverLink.
func (l *link) Abandon() {
	if l.token == "" {
		l.Close()
		return
	}
	if l.closed.Load() {
		return
	}
	l.handedOver.Store(true)
	l.closed.Store(true)
	l.inFlight.close()
	l.endQueries(push.ErrClosed)
	if !l.up {
		l.leave()
		return
	}
	q := &forwarding{link: l, token: l.token, shards: make(map[*shard]*held), left: len(l.shards)}
	for _, s := range l.shards {
		q.shards[s] = &held{pair: s.pair}
	}
	q.stuck = time.AfterFunc(l.options.patience, l.leave)
	l.inbox.forward(q)
}

// take takes what has come.
func (q *forwarding) take(a arrival) {
	s := a.pair.shard
	e := q.shards[s]
	switch {
	case e.over || e.pair != a.pair:
		q.link.decline(a)
	case q.is(ready, a):
		e.ready = true
		q.stuck.Reset(q.link.options.patience)
		q.send(s, e, false)
	case q.is(barrier, a):
		e.over = true
		q.send(s, e, true)
		if q.left--; q.left == 0 {
			q.link.leave()
		}
	case !isOfNode(a.payload):
	default:
		e.rest = append(e.rest, a)
		if e.bytes += len(a.payload); e.bytes > maxWaiting {
			a.pair.fail(errDropped)
		}
		if e.ready {
			q.send(s, e, false)
		}
	}
}

// is reports whether a message is one of this kind from the successor.
func (q *forwarding) is(k kind, a arrival) bool {
	if len(a.payload) < 2 || kind(a.payload[1]) != k {
		return false
	}
	m, err := decode([]byte(a.payload))
	return err == nil && m.token == q.token
}

// isOfNode reports whether a message is for the node, and not for the link that has got it.
func isOfNode(payload string) bool {
	if len(payload) < 2 {
		return false
	}
	switch kind(payload[1] & kinds) {
	case publication, question, standing, change, presence:
		return true
	}
	return false
}

// restSize is about how many bytes of what has come go in one message.
const restSize = 256 << 10

// send sends the successor what has come. If there is no room for it, the link leaves: the successor finds out that
// something is missing.
func (q *forwarding) send(s *shard, e *held, last bool) {
	rest := e.rest
	e.rest, e.bytes = nil, 0
	for ended := !last && len(rest) == 0; !ended; {
		n, size := 0, 0
		for ; n < len(rest) && size < restSize; n++ {
			size += len(rest[n].payload)
		}
		ended = n == len(rest)
		m := message{kind: forwarded, token: q.token, rest: rest[:n], last: last && ended}
		rest = rest[n:]
		o := op{kind: publish, channels: []string{s.own()}, payload: m.append(nil)}
		if s.outbox.put(o) != taken {
			q.link.leave()
			return
		}
	}
}

// appendForwarded encodes what has come.
func (m *message) appendForwarded(to []byte) []byte {
	to = append(appendString(to, m.token), digit(m.last)...)
	for _, a := range m.rest {
		to = appendString(appendString(to, a.channel), a.payload)
	}
	return to
}

// forwarded reads that, or what has the token alone.
func (r *reader) forwarded(m *message) {
	if m.token = r.string(); m.kind != forwarded {
		r.bad = r.bad || len(r.rest) > 0
		return
	}
	last := r.byte()
	m.last = last == '1'
	r.bad = r.bad || !m.last && last != '0'
	for !r.bad && len(r.rest) > 0 {
		m.rest = append(m.rest, arrival{channel: r.string(), payload: r.string()})
	}
}
