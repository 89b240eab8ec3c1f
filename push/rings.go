package push

import (
	"slices"
	"time"
)

// rings is the history of all targets, in memory: a ring for each. It bounds what they take together; what is oldest
// goes first. What has expired is told to nobody, and goes with the next publications, so there is no timer. Not for
// several goroutines at a time.
//
//	rings ── target ──▶ ring: [message, message, message]     by offset
//	  │                          │        │        │
//	  └───── ttl ─────▶ queue: ◀─┴────────┴────────┴─▶         by age, of all targets with this ttl
//
// The messages of a ring go from its oldest on, so their offsets have no hole. A ring without messages remembers the
// offset; it is forgotten when memory is short. A target that is begun anew after that goes on from the highest offset
// that was forgotten: so no offset comes twice.
type rings struct {
	epoch    string
	began    time.Time
	now      func() time.Time
	most     int    // bytes
	bytes    int    // that all take
	entries  int    // messages of all rings
	floor    uint64 // the highest offset that was forgotten
	byTarget map[Target]*ring
	queues   []*queue // one for each ttl
	last     uint64   // number of the last message
	empty    ringList // rings without messages: that which is so for the longest time first

	// With a Journal, a ring is forgotten when that was told so, as the offsets go on from there after a restart.
	journaled    bool
	leaving      []*ring // that are to be forgotten
	leavingBytes int

	arriving *historyState // of a predecessor: its rings are pinned until those who follow are here; nil else
}

// maxExpired is how many messages that have expired go with a publication: more than it brings, and few enough not to
// keep the loop from others.
const maxExpired = 1000

// What is counted for a message and for a ring beside their bytes: about what they take.
const (
	aroundEntry = 100
	aroundRing  = 200
)

// newRings makes a history that takes so many bytes, at most.
func newRings(most int) *rings {
	return &rings{
		epoch: NewEpoch(), began: time.Now(), now: time.Now, most: most,
		byTarget: make(map[Target]*ring), empty: newRingList(),
	}
}

// publish keeps a publication, and returns the Position that it has for each of its targets; nil if none of them keeps
// history. It copies the data.
func (s *rings) publish(to []Target, data []byte, retain func(Target) Retention) []Position {
	var positions []Position
	var kept []byte
	var now time.Duration // read for what is kept alone
	for i, t := range to {
		r := retain(t)
		if !r.keeps() {
			continue
		}
		if positions == nil {
			positions, kept, now = make([]Position, len(to)), slices.Clone(data), s.age()
		}
		ring := s.ringOf(t)
		positions[i] = Position{s.epoch, s.put(ring, r, kept, now, ring.top+1)}
	}
	if positions != nil {
		s.expire(now)
		s.shrink()
	}
	return positions
}

// put keeps the next message of a target, and returns its offset.
func (s *rings) put(r *ring, keep Retention, data []byte, at time.Duration, offset uint64) uint64 {
	return s.enter(&entry{data: data, at: at, ring: r}, keep, offset)
}

// enter is put of a message that is an entry but for its number.
func (s *rings) enter(m *entry, keep Retention, offset uint64) uint64 {
	r := m.ring
	s.empty.remove(r)
	s.last++
	m.number = s.last
	r.put(m, offset)
	s.queue(keep.TTL).put(m)
	s.bytes += m.cost()
	s.entries++
	for len(r.messages) > keep.Messages() || keep.Bytes > 0 && r.bytes > keep.Bytes {
		s.drop(r)
	}
	return r.top
}

// ringOf finds or makes the ring of a target that something is published for.
func (s *rings) ringOf(t Target) *ring {
	r := s.byTarget[t]
	if r == nil {
		r = &ring{target: t, top: s.floor}
		s.byTarget[t] = r
	}
	if !r.counted {
		r.counted = true
		s.bytes += r.cost()
	}
	return r
}

// pin has a target keep its count, as somebody follows it, until unpin was called as often. One for which nothing was
// published does not count for the memory: who subscribes to many of them takes nothing from the history of others.
func (s *rings) pin(t Target) {
	r := s.byTarget[t]
	if r == nil {
		r = &ring{target: t, top: s.floor}
		s.byTarget[t] = r
	}
	r.pins++
	s.empty.remove(r)
}

// unpin ends that.
func (s *rings) unpin(t Target) {
	r := s.byTarget[t]
	r.pins--
	s.rest(r)
}

// rest has a ring that nobody needs be forgotten: when memory is short, or at once if it remembers nothing.
func (s *rings) rest(r *ring) {
	switch {
	case len(r.messages) > 0 || r.pins > 0:
	case !r.counted:
		delete(s.byTarget, r.target)
	default:
		s.empty.add(r)
	}
}

// queue is that of the messages with a ttl.
func (s *rings) queue(ttl time.Duration) *queue {
	for _, q := range s.queues {
		if q.ttl == ttl {
			return q
		}
	}
	q := newQueue(ttl)
	s.queues = append(s.queues, q)
	return q
}

// drop takes the oldest message out of a ring.
func (s *rings) drop(r *ring) {
	m := r.take()
	m.leave()
	s.bytes -= m.cost()
	s.entries--
	s.rest(r)
}

// dropThrough takes a message out of its ring, and what is older there.
func (s *rings) dropThrough(m *entry) {
	for gone := false; !gone; {
		gone = m.ring.messages[0] == m
		s.drop(m.ring)
	}
}

// expire takes out what is too old, as far as it is not too much at once.
func (s *rings) expire(now time.Duration) {
	n := 0
	for _, q := range s.queues {
		for m := q.oldest(); m != nil && m.isExpired(q.ttl, now) && n < maxExpired; m = q.oldest() {
			s.dropThrough(m)
			n++
		}
	}
}

// shrink takes out what is too much: first the offsets of targets without messages, then what is oldest.
func (s *rings) shrink() {
	for s.bytes-s.leavingBytes > s.most {
		if r := s.empty.first(); r != nil {
			s.empty.remove(r)
			if s.journaled {
				s.leaving = append(s.leaving, r)
				s.leavingBytes += r.cost()
			} else {
				s.forgetRing(r)
			}
			continue
		}
		var oldest *entry
		for _, q := range s.queues {
			if m := q.oldest(); m != nil && (oldest == nil || m.number < oldest.number) {
				oldest = m
			}
		}
		if oldest == nil {
			return // nothing is kept
		}
		s.dropThrough(oldest)
	}
}

// forgetRing forgets a ring without messages.
func (s *rings) forgetRing(r *ring) {
	delete(s.byTarget, r.target)
	s.floor = max(s.floor, r.top)
	s.bytes -= r.cost()
}

// read reads a part of what is kept of a target.
func (s *rings) read(of Target, keep Retention, want Range) History {
	r := s.byTarget[of]
	if r == nil {
		r = &ring{top: s.floor}
	}
	for now := s.age(); len(r.messages) > 0 && r.messages[0].isExpired(keep.TTL, now); {
		s.drop(r)
	}
	oldest := Position{s.epoch, r.top - uint64(len(r.messages))}
	h := History{Top: Position{s.epoch, r.top}}
	last := want.Since == Position{} // the last ones are asked for
	first := oldest.Offset
	switch {
	case last:
	case keep.Class == Latest && len(r.messages) > 0 && want.Since != h.Top:
		last = true // whatever was missed before it
	default:
		if h.Gap = gapSince(want.Since, oldest, h.Top); h.Gap != "" {
			return h
		}
		first = want.Since.Offset
	}
	from, to := want.part(r.messages[first-oldest.Offset:], last)
	h.Messages = slices.Grow(h.Messages, to-from)
	for i, m := range r.messages[first-oldest.Offset:][from:to] {
		at := Position{s.epoch, first + uint64(from+i) + 1}
		h.Messages = append(h.Messages, Stored{Position: at, At: s.began.Add(m.at), Data: m.data})
	}
	return h
}

// part is how much of some messages is told: the last of them, or the first.
func (want Range) part(all []*entry, last bool) (from, to int) {
	n, bytes := 0, 0
	for ; n < min(len(all), want.Limit); n++ {
		next := all[n]
		if last {
			next = all[len(all)-1-n]
		}
		if bytes += len(next.data); want.Bytes > 0 && bytes > want.Bytes && n > 0 {
			break
		}
	}
	if last {
		return len(all) - n, len(all)
	}
	return 0, n
}

// forget takes out what is kept of some targets.
func (s *rings) forget(of []Target) {
	for _, t := range of {
		if r := s.byTarget[t]; r != nil {
			s.clear(r)
		}
	}
}

// clear takes all messages out of a ring.
func (s *rings) clear(r *ring) {
	for len(r.messages) > 0 {
		s.drop(r)
	}
}

// age is how long the history is there: it does not jump when the clock is set.
func (s *rings) age() time.Duration { return s.now().Sub(s.began) }
