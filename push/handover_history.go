package push

import (
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
)

// The fields of a history. The rings come first, by which the messages name them.
const (
	fieldEpoch   = 1
	fieldFloor   = 2
	fieldLast    = 3 // number of the last message
	fieldAge     = 4 // of the history, in nanoseconds
	fieldSaved   = 5 // when that was, in nanoseconds of Unix time
	fieldRing    = 6 // once for each
	fieldMessage = 7 // once for each, that with the lowest number first
)

// The fields of a ring.
const (
	fieldRingTarget  = 1
	fieldRingTop     = 2
	fieldRingCounted = 3
)

// The fields of a message.
const (
	fieldMessageRing   = 1 // how many rings come before its own
	fieldMessageNumber = 2 // how much greater than that of the message before
	fieldMessageAt     = 3 // in nanoseconds since the history has begun
	fieldMessageAge    = 4 // likewise, before it: a message that a Journal had
	fieldMessageData   = 5
	fieldMessageSame   = 6 // it has the data of the message before
)

// save gives the whole history.
func (s *rings) save(p *parts) {
	p.enter(fieldHistory)
	defer p.leave()
	p.state = fields.Bytes(p.state, fieldEpoch, s.epoch)
	p.state = fields.Uint(p.state, fieldFloor, s.floor)
	p.state = fields.Uint(p.state, fieldLast, s.last)
	p.state = fields.Uint(p.state, fieldAge, uint64(max(0, s.age())))
	p.state = fields.Uint(p.state, fieldSaved, uint64(s.now().UnixNano()))
	place := uint32(0)
	for r := range s.inOrder {
		r.place = place
		place++
		p.state = fields.Nested(p.state, fieldRing, r.appendState)
		if !p.goesOn() {
			return
		}
	}
	var before *entry
	for m := range s.byNumber {
		p.state = fields.Nested(p.state, fieldMessage, func(dst []byte) []byte { return m.appendState(dst, before) })
		before = m
		if !p.goesOn() {
			return
		}
	}
}

// inOrder are all rings: those without messages behind the others, in the order in which they are forgotten.
func (s *rings) inOrder(yield func(*ring) bool) {
	for _, r := range s.byTarget {
		if r.after == nil && !yield(r) {
			return
		}
	}
	for r := s.empty.sentinel.after; r != s.empty.sentinel; r = r.after {
		if s.byTarget[r.target] == r && !yield(r) {
			return
		}
	}
}

// byNumber are all messages, the oldest first: in each queue they have that order.
func (s *rings) byNumber(yield func(*entry) bool) {
	heads := make([]*entry, len(s.queues))
	for i, q := range s.queues {
		heads[i] = q.oldest()
	}
	for {
		oldest := -1
		for i, m := range heads {
			if m != nil && (oldest < 0 || m.number < heads[oldest].number) {
				oldest = i
			}
		}
		if oldest < 0 || !yield(heads[oldest]) {
			return
		}
		if heads[oldest] = heads[oldest].next; heads[oldest] == &s.queues[oldest].sentinel {
			heads[oldest] = nil
		}
	}
}

func (r *ring) appendState(dst []byte) []byte {
	dst = fields.Bytes(dst, fieldRingTarget, r.target)
	dst = fields.Uint(dst, fieldRingTop, r.top)
	return fields.Bool(dst, fieldRingCounted, r.counted)
}

func (m *entry) appendState(dst []byte, before *entry) []byte {
	number := m.number
	if before != nil {
		number -= before.number
	}
	dst = fields.Uint(dst, fieldMessageRing, uint64(m.ring.place))
	dst = fields.Uint(dst, fieldMessageNumber, number)
	dst = fields.Uint(dst, fieldMessageAt, uint64(max(0, m.at)))
	dst = fields.Uint(dst, fieldMessageAge, uint64(max(0, -m.at)))
	if before != nil && len(m.data) > 0 && len(m.data) == len(before.data) && &m.data[0] == &before.data[0] {
		return fields.Bool(dst, fieldMessageSame, true)
	}
	return fields.Bytes(dst, fieldMessageData, m.data)
}

// historyState is a history that is being read, part by part.
type historyState struct {
	rings   *rings
	retain  func(Target) Retention
	age     int64
	saved   int64
	present time.Duration  // as rings.age tells it, when the part came
	all     []arrivingRing // by which messages name them
	number  uint64
	data    []byte  // of the message before
	entries []entry // memory for the next ones
	room    []byte  // memory for their data, behind what it has
}

// arrivingRing is a ring of a predecessor, and what is kept of its target.
type arrivingRing struct {
	*ring
	keep Retention
}

// What crosses has its memory in blocks, as to take it message by message would be most of the work. A block is there
// as long as one of its messages is kept: so what has crossed takes twice its bytes at the most, until it has gone.
const (
	roomBytes   = 64 << 10
	roomEntries = 64
)

// restoreState has the history be that of a predecessor, as far as it is to be kept: the next part of it. Nothing was
// published here before.
func (s *rings) restoreState(state []byte, retain func(Target) Retention) error {
	if s.arriving == nil {
		s.arriving = &historyState{rings: s, retain: retain}
	}
	s.arriving.present = s.age()
	if err := fields.Each(state, fieldMessage, s.arriving.take); err != nil {
		return err
	}
	if _, err := ParsePosition(Position{s.epoch, 1}.String()); err != nil {
		return err
	}
	s.shrink()
	return nil
}

// release has the rings of a predecessor go as any other.
func (s *rings) release() {
	if s == nil || s.arriving == nil {
		return
	}
	for _, r := range s.arriving.all {
		s.unpin(r.target)
	}
	s.arriving = nil
}

func (h *historyState) take(number uint64, value []byte) (err error) {
	s := h.rings
	switch number {
	case fieldEpoch:
		s.epoch = string(value)
	case fieldFloor:
		err = fields.Put(&s.floor, value)
	case fieldLast:
		err = fields.Put(&s.last, value)
	case fieldAge:
		err = fields.Put(&h.age, value)
	case fieldSaved:
		if err = fields.Put(&h.saved, value); err == nil {
			s.began = s.now().Add(-time.Duration(h.age) - pause(s.now().UnixNano()-h.saved))
			h.present = s.age()
		}
	case fieldRing:
		err = h.takeRing(value)
	case fieldMessage:
		err = h.takeMessage(value)
	}
	return err
}

// longestPause is how long a handover is believed to take. Where it seems to take longer, or less than nothing, a clock
// was set.
const longestPause = 10 * time.Second

// pause is how much older everything is than when it was saved.
func pause(nanoseconds int64) time.Duration {
	return min(max(0, time.Duration(nanoseconds)), longestPause)
}

func (h *historyState) takeRing(value []byte) error {
	s, r, counted := h.rings, &ring{}, uint8(0)
	if err := fields.Each(value, fieldRingCounted, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldRingTarget:
			r.target = Target(value)
		case fieldRingTop:
			err = fields.Put(&r.top, value)
		case fieldRingCounted:
			err = fields.Put(&counted, value)
		}
		return err
	}); err != nil {
		return err
	}
	if there := s.byTarget[r.target]; there != nil {
		there.top = max(there.top, r.top)
		r = there
	} else {
		s.byTarget[r.target] = r
	}
	if counted != 0 && !r.counted {
		r.counted = true
		s.bytes += r.cost()
	}
	s.pin(r.target)
	h.all = append(h.all, arrivingRing{r, h.retain(r.target)})
	return nil
}

func (h *historyState) takeMessage(value []byte) error {
	var ring, number uint64
	var at, age int64
	var same uint8
	var data []byte
	if err := fields.Each(value, fieldMessageSame, func(field uint64, value []byte) (err error) {
		switch field {
		case fieldMessageRing:
			err = fields.Put(&ring, value)
		case fieldMessageNumber:
			err = fields.Put(&number, value)
		case fieldMessageAt:
			err = fields.Put(&at, value)
		case fieldMessageAge:
			err = fields.Put(&age, value)
		case fieldMessageSame:
			err = fields.Put(&same, value)
		case fieldMessageData:
			data = value
		}
		return err
	}); err != nil {
		return err
	}
	if ring >= uint64(len(h.all)) || uint64(len(h.all[ring].messages)) >= h.all[ring].top {
		return fields.ErrMalformed
	}
	if same == 0 {
		h.data = h.copyOf(data)
	}
	h.number += number
	h.put(&h.all[ring], time.Duration(at-age))
	return nil
}

// put keeps the message that was read, unless it is no longer to be kept. It is that of the ring's top, until another
// one comes.
func (h *historyState) put(r *arrivingRing, at time.Duration) {
	if !r.keep.keeps() || r.keep.TTL > 0 && h.present-at >= r.keep.TTL {
		return
	}
	if len(h.entries) == 0 {
		h.entries = make([]entry, roomEntries)
	}
	m := &h.entries[0]
	h.entries = h.entries[1:]
	m.data, m.at, m.ring = h.data, at, r.ring
	s, last := h.rings, h.rings.last
	s.last = h.number - 1
	s.enter(m, r.keep, r.top)
	s.last = last
}

// copyOf is a copy of the data of a message.
func (h *historyState) copyOf(data []byte) []byte {
	if len(data) > roomBytes/8 {
		return slices.Clone(data)
	}
	if len(data) > cap(h.room)-len(h.room) {
		h.room = make([]byte, 0, roomBytes)
	}
	at := len(h.room)
	h.room = append(h.room, data...)
	return h.room[at:len(h.room):len(h.room)]
}
