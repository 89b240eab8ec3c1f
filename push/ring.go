package push

import "time"

// ring is what is kept of a target.
type ring struct {
	target   Target
	top      uint64   // offset of the last publication
	bytes    int      // of the messages, without what is around them
	messages []*entry // the oldest first, the last one is that of top
	pins     int      // subscriptions: it is not forgotten while there are some
	counted  bool     // for the memory that the history takes
	place    uint32   // among the rings that cross, when they do
	planned  uint64   // offsets after top that messages have which are being written to the journal

	// In the list of rings without messages; nil where it is in none.
	before, after *ring
}

// cost is what is counted for a ring without messages.
func (r *ring) cost() int { return aroundRing + len(r.target) }

// plan is the offset of the next message, which is put later, in this order.
func (r *ring) plan() uint64 {
	r.planned++
	return r.top + r.planned
}

// put adds the newest message.
func (r *ring) put(m *entry, offset uint64) {
	r.planned -= min(r.planned, 1)
	r.top = offset
	r.messages = append(r.messages, m)
	r.bytes += len(m.data)
}

// take takes out the oldest message.
func (r *ring) take() *entry {
	m := r.messages[0]
	r.messages[0] = nil
	if r.messages = r.messages[1:]; len(r.messages) == 0 {
		r.messages = nil
	}
	r.bytes -= len(m.data)
	return m
}

// entry is a message of a ring. There may be very many: every byte counts.
type entry struct {
	number uint64        // tells which message is older
	data   []byte        // shared by the targets of a publication
	at     time.Duration // as rings.age tells it
	ring   *ring

	prev, next *entry // in the queue of its ttl
}

// queue are the messages of all rings that expire after the same time: a circle with a sentinel.
type queue struct {
	ttl      time.Duration
	sentinel entry
}

func newQueue(ttl time.Duration) *queue {
	q := &queue{ttl: ttl}
	q.sentinel.prev, q.sentinel.next = &q.sentinel, &q.sentinel
	return q
}

// put adds the newest message.
func (q *queue) put(m *entry) {
	m.prev, m.next = q.sentinel.prev, &q.sentinel
	m.prev.next, q.sentinel.prev = m, m
}

// oldest is the message that was put first; nil if there is none.
func (q *queue) oldest() *entry {
	if m := q.sentinel.next; m != &q.sentinel {
		return m
	}
	return nil
}

// isExpired reports whether a message is too old for a ttl, of which 0 is none.
func (m *entry) isExpired(ttl, now time.Duration) bool { return ttl > 0 && now-m.at >= ttl }

// leave takes a message out of its queue.
func (m *entry) leave() { m.prev.next, m.next.prev = m.next, m.prev }

// cost is what is counted for a message. What several targets share is counted for each.
func (m *entry) cost() int { return aroundEntry + len(m.data) }

// ringList is a list of rings, a circle with a sentinel.
type ringList struct{ sentinel *ring }

func newRingList() ringList {
	s := &ring{}
	s.before, s.after = s, s
	return ringList{s}
}

// add adds a ring at the end.
func (l ringList) add(r *ring) {
	r.before, r.after = l.sentinel.before, l.sentinel
	l.sentinel.before.after, l.sentinel.before = r, r
}

// remove takes a ring out, if it is there.
func (l ringList) remove(r *ring) {
	if r.after == nil {
		return
	}
	r.before.after, r.after.before = r.after, r.before
	r.before, r.after = nil, nil
}

// first is that which was added first; nil if there is none.
func (l ringList) first() *ring {
	if r := l.sentinel.after; r != l.sentinel {
		return r
	}
	return nil
}
