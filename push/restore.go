package push

import (
	"cmp"
	"maps"
	"slices"
)

// restoration puts what a Journal had into rings, a part at a time. What is kept of it is what the retention of today
// says.
type restoration struct {
	epoch    string
	floor    uint64
	tops     map[Target]uint64
	messages []restored // that are to be put, the oldest first
}

// restored is a message of one target.
type restored struct {
	Place
	number uint64
	record *Record
}

// newRestoration sorts what a Journal had: each message once, by age, without those that were forgotten.
func newRestoration(from Recovered) *restoration {
	r := &restoration{epoch: from.Epoch, tops: make(map[Target]uint64)}
	forgotten, dropped := make(map[Target]uint64), make(map[Target]uint64)
	for i := range from.Records {
		record := &from.Records[i]
		for k, p := range record.Of {
			if record.Kind == RecordTops && p.Target == "" {
				r.floor = max(r.floor, p.Offset)
				continue
			}
			r.tops[p.Target] = max(r.tops[p.Target], p.Offset)
			switch record.Kind {
			case RecordMessage:
				r.messages = append(r.messages, restored{p, record.Number + uint64(k), record})
			case RecordForgotten:
				forgotten[p.Target] = max(forgotten[p.Target], p.Offset)
			case RecordDropped:
				dropped[p.Target] = max(dropped[p.Target], p.Offset)
			}
		}
	}
	maps.DeleteFunc(r.tops, func(t Target, top uint64) bool { return top <= dropped[t] })
	slices.SortStableFunc(r.messages, func(a, b restored) int { return cmp.Compare(a.number, b.number) })
	r.messages = slices.CompactFunc(r.messages, func(a, b restored) bool { return a.Place == b.Place })
	r.messages = slices.DeleteFunc(r.messages, func(m restored) bool {
		return m.Offset <= max(forgotten[m.Target], dropped[m.Target])
	})
	return r
}

// restoredAtOnce is how many messages are put while a loop waits for it.
const restoredAtOnce = 2000

// putSome puts some of it, and reports whether there is more.
func (r *restoration) putSome(s *rings, retain func(Target) Retention) bool {
	s.epoch = r.epoch
	n := min(len(r.messages), restoredAtOnce)
	for _, m := range r.messages[:n] {
		s.restore(m, retain(m.Target))
	}
	if r.messages = r.messages[n:]; len(r.messages) > 0 {
		return true
	}
	for t, top := range r.tops {
		if retain(t).keeps() {
			s.restoreTop(t, top)
		} else {
			r.floor = max(r.floor, top) // if it ever keeps something again
		}
	}
	s.floor = max(s.floor, r.floor)
	s.shrink()
	return false
}

// restore puts a message where it was, unless it is no longer to be kept.
func (s *rings) restore(m restored, keep Retention) {
	at := min(m.record.At.Sub(s.began), s.age())
	s.last = max(s.last, m.number)
	if !keep.keeps() || keep.TTL > 0 && s.age()-at >= keep.TTL {
		return
	}
	r := s.ringOf(m.Target)
	if m.Offset != r.top+1 { // something between them is lost
		s.clear(r)
	}
	s.last = m.number - 1
	s.put(r, keep, slices.Clone(m.record.Data), at, m.Offset)
	s.shrink()
}

// restoreTop has a target go on from where it was.
func (s *rings) restoreTop(t Target, top uint64) {
	isNew := s.byTarget[t] == nil
	r := s.ringOf(t)
	if isNew || top > r.top {
		s.clear(r)
		r.top = top
	}
	s.empty.remove(r)
	s.rest(r)
}
