package push

import (
	"slices"
	"time"
)

// sharedReplay is the replay buffer of the nodes of a Memory, as replayBuffer is that of a node that is alone. Guarded
// by the broker's lock.
type sharedReplay struct {
	kept  map[Target][]*sharedKept
	last  uint64 // of the order in which they were published
	count int
	bytes int
	over  bool // connections go to a successor
}

// sharedKept is a message that those get too who come to one of the nodes in time.
type sharedKept struct {
	to     []Target
	data   []byte
	node   string // that has published it, and the publication's number there
	number uint64
	until  time.Time
	tell   func(reached int, err error) // on the loop of that node, perhaps several times
	owes   func() bool                  // reports there whether its publisher was not answered yet

	// Guarded by the broker's lock.
	order    uint64
	kept     bool
	inFlight uint64 // links that have not been visited yet: their connections get it by that
}

// put keeps a message, which is about to visit some nodes, unless there is no room.
func (r *sharedReplay) put(k *sharedKept) {
	if r.over || r.count >= maxWaiting || r.bytes+len(k.data) > maxWaitingBytes {
		return
	}
	if r.kept == nil {
		r.kept = make(map[Target][]*sharedKept)
	}
	for _, t := range k.to {
		r.kept[t] = append(r.kept[t], k)
	}
	r.last++
	k.order, k.kept = r.last, true
	r.count++
	r.bytes += len(k.data)
}

// remove takes out a message, which may be out already.
func (r *sharedReplay) remove(k *sharedKept) {
	if !k.kept {
		return
	}
	k.kept = false
	for _, t := range k.to {
		r.kept[t] = slices.DeleteFunc(r.kept[t], func(other *sharedKept) bool { return other == k })
		if len(r.kept[t]) == 0 {
			delete(r.kept, t)
		}
	}
	r.count--
	r.bytes -= len(k.data)
}

// forget takes out a message.
func (l *memoryLink) forget(k *sharedKept) {
	l.broker.exclusively(func() { l.broker.replay.remove(k) })
}

// visitingLocked notes which nodes are about to get a message that is to be kept.
func (b *Memory) visitingLocked(k *sharedKept, to []Target) {
	k.inFlight = b.interest.of(to)
	b.replay.put(k)
}

// missed are the messages, in order, that are kept for one of some targets, and that the node does not get by itself
// any more.
func (l *memoryLink) missed(targets []Target) (all []*sharedKept) {
	b := l.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for _, t := range targets {
		for _, k := range b.replay.kept[t] {
			if k.inFlight&l.bit == 0 && now.Before(k.until) {
				all = append(all, k)
			}
		}
	}
	slices.SortFunc(all, func(a, b *sharedKept) int { return int(a.order) - int(b.order) })
	return slices.Compact(all)
}

// endReplay forgets all messages, and tells those who have published them. Of what is on its way to some nodes the
// outcome tells, as their connections still get it.
func (l *memoryLink) endReplay() {
	b := l.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.replay.kept
	b.replay = sharedReplay{over: true}
	for _, waiting := range all {
		for _, k := range waiting {
			if k.inFlight == 0 {
				k.tell(0, ErrClosed)
			}
		}
	}
}

// isReplayOver reports whether connections go to a successor.
func (l *memoryLink) isReplayOver() (over bool) {
	l.broker.exclusively(func() { over = l.broker.replay.over })
	return over
}

// keepShared is keep for a node of a Memory.
func (h *Hub[C]) keepShared(l *memoryLink, m Message[C], done func(Outcome)) {
	k := &kept[C]{Message: m, number: h.last + 1, done: done}
	s := &sharedKept{
		to: m.To, data: m.Data, node: h.node, number: k.number,
		until: time.Now().Add(min(m.Wait, time.Until(h.replay.until))),
	}
	s.tell = func(reached int, err error) {
		h.options.Do(func() { k.tell(Outcome{Reached: reached, Err: err}) })
	}
	s.owes = func() bool { return k.done != nil }
	h.sendKept(m, s, func(o Outcome) {
		k.positions = o.Positions
		switch {
		case o.Err == nil && o.Reached == 0 && l.isReplayOver():
			o.Err = ErrClosed
		case o.Err == nil:
			h.options.After(time.Until(s.until), func() {
				l.forget(s)
				k.tell(Outcome{})
			})
		default:
			l.forget(s)
		}
		if o.Reached > 0 || o.Err != nil {
			k.tell(o)
		}
	})
}

// replayShared is Replay for a node of a Memory.
func (h *Hub[C]) replayShared(l *memoryLink, m *Member[C]) {
	h.flush() // what is published from now on comes by itself
	targets := []Target{Everyone}
	if m.own != nil {
		targets = append(targets, m.own.target())
	}
	for _, p := range m.positions {
		targets = append(targets, p.set.target())
	}
	for _, s := range l.missed(targets) {
		n := h.replayTo(m, &kept[C]{Message: Message[C]{To: s.to, Data: s.data}, number: s.number, node: s.node})
		h.stats.Delivered += uint64(n)
		if n > 0 {
			s.tell(n, nil)
		}
	}
}
