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

// appendState appends the whole history.
func (s *rings) appendState(dst []byte) []byte {
	dst = fields.Bytes(dst, fieldEpoch, s.epoch)
	dst = fields.Uint(dst, fieldFloor, s.floor)
	dst = fields.Uint(dst, fieldLast, s.last)
	dst = fields.Uint(dst, fieldAge, uint64(max(0, s.age())))
	dst = fields.Uint(dst, fieldSaved, uint64(s.now().UnixNano()))
	index := make(map[*ring]uint64, len(s.byTarget))
	for r := range s.inOrder {
		index[r] = uint64(len(index))
		dst = fields.Nested(dst, fieldRing, func(dst []byte) []byte {
			dst = fields.Bytes(dst, fieldRingTarget, r.target)
			dst = fields.Uint(dst, fieldRingTop, r.top)
			return fields.Bool(dst, fieldRingCounted, r.counted)
		})
	}
	var before *entry
	for m := range s.byNumber {
		dst = fields.Nested(dst, fieldMessage, func(dst []byte) []byte {
			return m.appendState(dst, index[m.ring], before)
		})
		before = m
	}
	return dst
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

func (m *entry) appendState(dst []byte, ring uint64, before *entry) []byte {
	number := m.number
	if before != nil {
		number -= before.number
	}
	dst = fields.Uint(dst, fieldMessageRing, ring)
	dst = fields.Uint(dst, fieldMessageNumber, number)
	dst = fields.Uint(dst, fieldMessageAt, uint64(max(0, m.at)))
	dst = fields.Uint(dst, fieldMessageAge, uint64(max(0, -m.at)))
	if before != nil && len(m.data) > 0 && len(m.data) == len(before.data) && &m.data[0] == &before.data[0] {
		return fields.Bool(dst, fieldMessageSame, true)
	}
	return fields.Bytes(dst, fieldMessageData, m.data)
}

// historyState is a history that is being read.
type historyState struct {
	rings  *rings
	retain func(Target) Retention
	age    int64
	saved  int64
	all    []*ring // by which messages name them
	number uint64
	data   []byte // of the message before
}

// restoreState has the history be that of a predecessor, as far as it is to be kept. Nothing was published here before.
func (s *rings) restoreState(state []byte, retain func(Target) Retention) error {
	h := &historyState{rings: s, retain: retain}
	if err := fields.Each(state, h.take); err != nil {
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
	if s == nil {
		return
	}
	for _, r := range s.arrived {
		s.unpin(r.target)
	}
	s.arrived = nil
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
	if err := fields.Each(value, func(number uint64, value []byte) (err error) {
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
	h.all, s.arrived = append(h.all, r), append(s.arrived, r)
	return nil
}

func (h *historyState) takeMessage(value []byte) error {
	var ring, number uint64
	var at, age int64
	var same uint8
	var data []byte
	if err := fields.Each(value, func(field uint64, value []byte) (err error) {
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
		h.data = slices.Clone(data)
	}
	h.number += number
	h.put(h.all[ring], time.Duration(at-age))
	return nil
}

// put keeps the message that was read, unless it is no longer to be kept. It is that of the ring's top, until another
// one comes.
func (h *historyState) put(r *ring, at time.Duration) {
	s, keep, last := h.rings, h.retain(r.target), h.rings.last
	if !keep.keeps() || keep.TTL > 0 && s.age()-at >= keep.TTL {
		return
	}
	s.last = h.number - 1
	s.put(r, keep, h.data, at, r.top)
	s.last = last
}
