package push

import (
	"iter"
	"slices"
	"time"
)

// replayBuffer is the replay buffer of a node that is alone: what is kept for the connections that reconnect to it just
// after its start, those of a process before it. Owned by the loop.
type replayBuffer[C Conn] struct {
	until time.Time // afterwards they had time enough
	over  bool      // they go to a successor
	kept  map[Target][]*kept[C]
	last  uint64 // of the order in which they were published
	count int
	bytes int
}

// kept is a message that was published, and that those get too who come in time.
type kept[C Conn] struct {
	Message[C]
	node   string        // that has published it
	number uint64        // of the publication there
	done   func(Outcome) // nil once it was told
	order  uint64
	until  time.Time

	positions []Position // in the histories of its targets
}

// tell calls back once somebody has got the message, or if nobody will.
func (k *kept[C]) tell(o Outcome) {
	if done := k.done; done != nil {
		k.done, o.Positions = nil, k.positions
		done(o)
	}
}

// keeps reports whether a message is also for connections that come back.
func (h *Hub[C]) keeps(m Message[C]) bool {
	b := &h.replay
	return m.Wait > 0 && h.isOneProcess() && h.options.After != nil && time.Now().Before(b.until) &&
		b.count < maxWaiting && b.bytes+len(m.Data) <= maxWaitingBytes
}

// keep publishes a message, and keeps it for connections that come back, for as long as it may wait. done is called at
// the latest when that time is over.
func (h *Hub[C]) keep(m Message[C], done func(Outcome)) {
	m.To, m.Data = slices.Clone(m.To), slices.Clone(m.Data)
	if l, shared := h.link.(*memoryLink); shared {
		h.keepShared(l, m, done)
		return
	}
	k := &kept[C]{Message: m, node: h.node, number: h.last + 1, done: done}
	h.send(m, func(o Outcome) { // at once, unless a journal has it first
		b := &h.replay
		k.positions = o.Positions
		switch {
		case o.Err == nil && o.Reached == 0 && b.over:
			o.Err = ErrClosed
		case o.Err == nil && !b.over:
			k.until = time.Now().Add(min(m.Wait, time.Until(b.until)))
			b.put(k)
			h.options.After(time.Until(k.until), func() {
				b.remove(k)
				k.tell(Outcome{})
			})
		}
		if o.Reached > 0 || o.Err != nil {
			k.tell(o)
		}
	})
}

func (b *replayBuffer[C]) put(k *kept[C]) {
	if b.kept == nil {
		b.kept = make(map[Target][]*kept[C])
	}
	for _, t := range k.To {
		b.kept[t] = append(b.kept[t], k)
	}
	b.last++
	k.order = b.last
	b.count++
	b.bytes += len(k.Data)
}

// remove takes out a message, which may be out already.
func (b *replayBuffer[C]) remove(k *kept[C]) {
	if !slices.Contains(b.kept[k.To[0]], k) {
		return
	}
	for _, t := range k.To {
		b.kept[t] = slices.DeleteFunc(b.kept[t], func(other *kept[C]) bool { return other == k })
		if len(b.kept[t]) == 0 {
			delete(b.kept, t)
		}
	}
	b.count--
	b.bytes -= len(k.Data)
}

// Replay sends a connection what was published for it with Wait since the node has started, if Options have a
// Reconnect. Call it when the connection has just become a member, and is in its groups and channels. It gets this in
// the order in which it was published, and before anything that is published later.
func (h *Hub[C]) Replay(m *Member[C]) {
	if l, shared := h.link.(*memoryLink); shared && m.hub != nil && time.Now().Before(h.replay.until) {
		h.replayShared(l, m)
		return
	}
	if m.hub == nil || h.replay.count == 0 {
		return
	}
	waiting := slices.Clone(h.replay.kept[Everyone])
	if m.own != nil {
		waiting = append(waiting, h.replay.kept[UID(m.UID())]...)
	}
	for _, p := range m.positions {
		waiting = append(waiting, h.replay.kept[p.set.target()]...)
	}
	slices.SortFunc(waiting, func(a, b *kept[C]) int { return int(a.order) - int(b.order) })
	for _, k := range slices.Compact(waiting) {
		n := h.replayTo(m, k)
		h.stats.Delivered += uint64(n)
		if n > 0 {
			k.tell(Outcome{Reached: n})
		}
	}
}

// replayTo hands a message to a connection that came back.
func (h *Hub[C]) replayTo(m *Member[C], k *kept[C]) int {
	audience := func(yield func(C) bool) { yield(m.conn) }
	if m.follows {
		return h.replayToFollower(m, k, audience)
	}
	if f := h.options.Followers; f != nil && slices.ContainsFunc(k.To, func(t Target) bool {
		return m.IsIn(t) && h.hasHistory(t) && f.Since(m.conn, t).Last > 0
	}) {
		return 1 // it got it with the last messages
	}
	if len(h.watches) == 0 {
		return h.options.Fanout(audience, k.Data, nil)
	}
	h.beginNoting()
	n := h.options.Fanout(h.noting(audience), k.Data, nil)
	h.told(k.To, Publication{Node: k.node, Number: k.number, Data: k.Data}, n)
	return n
}

// replayToFollower hands it to one that follows, but for the targets whose history has it.
func (h *Hub[C]) replayToFollower(m *Member[C], k *kept[C], audience iter.Seq[C]) (n int) {
	for _, t := range k.To {
		if m.IsIn(t) && !h.hasHistory(t) {
			n = max(n, h.options.Followers.Published(audience, t, Stored{Data: k.Data}))
		}
	}
	return n
}

// Leaving notes that connections go to a successor of this process. From now on, what is published with Wait ends with
// ErrClosed, and so does what nobody has got so far. The back end can then publish it again, to the successor. That
// gets Options.Journal as soon as what was published before is written: what is to be kept there ends with ErrClosed,
// too.
func (h *Hub[C]) Leaving() {
	b := &h.replay
	all := b.kept
	b.over, b.until, b.kept, b.count, b.bytes = true, time.Time{}, nil, 0, 0
	for _, waiting := range all {
		for _, k := range waiting {
			k.tell(Outcome{Err: ErrClosed})
		}
	}
	if l, shared := h.link.(*memoryLink); shared {
		l.endReplay()
	}
	if l, ok := h.link.(interface{ passOn() }); ok {
		l.passOn()
	}
}

// isPassedOn reports whether it is a successor that keeps what is published for some targets.
func (h *Hub[C]) isPassedOn(to []Target) bool {
	return h.replay.over && h.options.Journal != nil && slices.ContainsFunc(to, h.hasHistory)
}
