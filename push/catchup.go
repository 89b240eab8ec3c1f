package push

import (
	"errors"
	"slices"
	"time"
)

// catchUp is a connection that is about to get what is published for a target: the rule "subscribe, replay, live". What
// is delivered before the history is read is held for it. What the history had already is left out. Those that begin at
// the same Position while the history is being read are one, so that many that come back at once read it once.
//
//	subscribing ──▶ reading ── history ──▶ trailing ── the node is as far as the history was ──▶ live
//	     └─── the link breaks: again ───┘
//
// Without history it is live when the Broker has confirmed that the node has subscribed. The repair of a tail is one as
// well, of all connections that follow it. Owned by the loop.
type catchUp[C Conn] struct {
	tail     *tail[C]
	members  []*Member[C] // none: it is a repair, of all that have caught up
	follow   bool         // they follow
	again    bool         // they have begun before, and begin anew
	since    Since
	begun    bool     // its Recovery was told: what is read now goes on from there
	trailing bool     // it stands at top
	top      Position // what it was told up to
	asked    int      // number of the question at hand: answers to others come too late
	over     bool

	subscribing bool // it is not confirmed yet, nor refused

	// What was delivered meanwhile.
	held  []Stored
	bytes int
	lost  bool // it was too much: the history is read again
}

// What a connection that catches up holds, at most.
const (
	maxHeld      = 1000
	maxHeldBytes = 1 << 20
)

// retryHistory is how long it takes until the history is asked for again, where a link that is up has not answered.
const retryHistory = time.Second

// hold keeps a message until the history is read.
func (c *catchUp[C]) hold(s Stored) {
	if len(c.held) >= maxHeld || c.bytes+len(s.Data) > maxHeldBytes {
		c.held, c.bytes, c.lost = nil, 0, true
	}
	if !c.lost {
		c.held = append(c.held, s)
		c.bytes += len(s.Data)
	}
}

// follows reports whether what is held goes on from a Position without a hole.
func (c *catchUp[C]) follows(at Position) bool {
	for _, s := range c.held {
		switch {
		case s.Position.Epoch == at.Epoch && s.Position.Offset <= at.Offset:
		case at.precedes(s.Position):
			at = s.Position
		default:
			return false
		}
	}
	return true
}

// precedes reports whether q is the Position after p.
func (p Position) precedes(q Position) bool { return p.Epoch == q.Epoch && p.Offset+1 == q.Offset }

// begin has a connection that has come to a set catch up with it. again: it has begun with it before.
func (h *Hub[C]) begin(m *Member[C], s *set[C], again bool) {
	f := h.options.Followers
	if f == nil || !m.follows && h.history == nil {
		return
	}
	if m.follows || h.remembers(s) {
		h.beginSince(m, s, f.Since(m.conn, s.target()), again)
	}
}

// beginSince has it begin somewhere.
func (h *Hub[C]) beginSince(m *Member[C], s *set[C], since Since, again bool) {
	target := s.target()
	switch keeps := h.hasHistory(target); {
	case m.follows && keeps:
		h.tailOf(s).followers++
	case m.follows && h.isAlone():
		h.beginWith(m, target, since, Recovery{Gap: gapOff(since)})
		return
	case !m.follows && since.Last <= 0:
		return
	}
	h.catchUp(m, s, since, again)
}

// catchUp begins to catch up.
func (h *Hub[C]) catchUp(m *Member[C], s *set[C], since Since, again bool) {
	t := h.tailOf(s)
	for _, c := range t.catchUps {
		if c.since == since && c.follow == m.follows && c.again == again && !c.begun {
			c.members = append(c.members, m)
			return
		}
	}
	c := &catchUp[C]{tail: t, members: []*Member[C]{m}, follow: m.follows, again: again, since: since}
	t.catchUps = append(t.catchUps, c)
	if h.isAlone() {
		h.recall(c)
		return
	}
	h.flush()
	c.subscribing = true
	links := h.links
	h.link.Subscribe([]Target{t.target}, func(err error) {
		c.subscribing = false
		cameBack := h.linked && h.links != links // else a link that is down goes on when it is up
		if !c.over && (err == nil || cameBack) {
			h.recall(c)
		}
	})
}

// gapOff is the gap of who comes back to a target without history.
func gapOff(since Since) Gap {
	if since.isPosition() {
		return GapOff
	}
	return ""
}

// recall reads the history.
func (h *Hub[C]) recall(c *catchUp[C]) {
	if !c.tail.keeps {
		h.recalled(c, Recovery{Gap: gapOff(c.since)})
		return
	}
	c.asked++
	number := c.asked
	want := Range{Since: c.since.Position, Limit: h.options.MaxRecover, Bytes: h.options.MaxRecoverBytes}
	if !c.since.isPosition() {
		want.Limit = min(c.since.Last, want.Limit)
	}
	h.history.History(c.tail.target, want, func(found History, err error) {
		switch {
		case c.over || number != c.asked:
		case err == nil:
			h.recalled(c, recovery(c.since, found))
		case h.linked && !errors.Is(err, ErrClosed) && h.options.After != nil:
			h.options.After(retryHistory, func() {
				if !c.over && number == c.asked {
					h.recall(c)
				}
			})
		}
	})
}

// recovery is what a history has for who begins somewhere: all of it, or nothing and a reason.
func recovery(since Since, found History) Recovery {
	r := Recovery(found)
	last := since.Position
	if n := len(r.Messages); n > 0 {
		last = r.Messages[n-1].Position
	}
	if since.isPosition() && r.Gap == "" && last != r.Top {
		r.Messages, r.Gap = nil, GapLimit
	}
	return r
}

// recalled tells what the history had, and what was held meanwhile.
func (h *Hub[C]) recalled(c *catchUp[C], r Recovery) {
	t := c.tail
	if c == t.repair {
		h.repaired(t, r)
		return
	}
	h.tellRecovery(c, r)
	c.top = r.Top
	if t.keeps && (c.lost || !c.follows(c.top)) {
		h.reread(c)
		return
	}
	for _, s := range c.held {
		if !t.keeps || s.Position.Offset > c.top.Offset {
			h.tellAll(c, s)
			c.top = s.Position
		}
	}
	c.held, c.bytes = nil, 0
	h.trail(c)
}

// tellRecovery tells those who catch up what the history had.
func (h *Hub[C]) tellRecovery(c *catchUp[C], r Recovery) {
	first := !c.begun
	c.begun = true
	switch {
	case c.follow && first:
		for _, m := range slices.Clone(c.members) {
			h.beginWith(m, c.tail.target, c.since, r)
		}
		return
	case c.follow && r.Gap != "":
		h.missedBy(c, r.Gap, r.Top)
	}
	for _, s := range r.Messages {
		h.tellAll(c, s)
	}
}

// beginWith tells one that follows with what it begins.
func (h *Hub[C]) beginWith(m *Member[C], target Target, since Since, r Recovery) {
	switch {
	case r.Gap != "":
		h.stats.Gaps[r.Gap]++
	case since.isPosition():
		h.stats.Recovered++
	}
	h.stats.Delivered += uint64(len(r.Messages))
	h.options.Followers.Begun(m.conn, target, r)
}

// missedBy tells those who catch up, and follow, of a gap.
func (h *Hub[C]) missedBy(c *catchUp[C], why Gap, top Position) {
	h.stats.Gaps[why] += uint64(len(c.members))
	h.options.Followers.Missed(c.conns, c.tail.target, why, top)
}

// tellAll hands a message to those who catch up.
func (h *Hub[C]) tellAll(c *catchUp[C], s Stored) {
	n := 0
	if c.follow {
		n = h.options.Followers.Published(c.conns, c.tail.target, s)
	} else {
		n = h.options.Fanout(c.conns, s.Data, s.Forms)
	}
	h.stats.Delivered += uint64(n)
}

// conns are the connections that catch up.
func (c *catchUp[C]) conns(yield func(C) bool) {
	for _, m := range c.members {
		if !yield(m.conn) {
			return
		}
	}
}

// reread has the history be read from where those who catch up stand.
func (h *Hub[C]) reread(c *catchUp[C]) {
	c.since, c.trailing = Since{Position: c.top}, false
	c.held, c.bytes, c.lost = nil, 0, false
	h.recall(c)
}

// trail has those who stand at the top of the history be live as soon as the node stands there too: until then, what
// comes is what they have.
func (h *Hub[C]) trail(c *catchUp[C]) {
	t := c.tail
	if t.at == (Position{}) {
		t.at = c.top
	}
	c.trailing = true
	switch {
	case !t.keeps || t.at == c.top:
		h.caughtUp(c)
	case t.at.Epoch != c.top.Epoch:
		h.checkTail(t)
	case t.at.Offset > c.top.Offset: // an older answer was overtaken, or the history has lost what was delivered
		h.checkTail(t)
		h.reread(c)
	}
}

// caughtUp has those who catch up be live.
func (h *Hub[C]) caughtUp(c *catchUp[C]) {
	c.over = true
	t := c.tail
	t.catchUps = slices.DeleteFunc(t.catchUps, func(other *catchUp[C]) bool { return other == c })
	h.tidyTail(t)
}

// cancelCatchUp ends the catching up of a connection with a set; it may have ended. The connection no longer counts as
// one that follows there.
func (h *Hub[C]) cancelCatchUp(m *Member[C], s *set[C]) {
	t := h.tails[s]
	if t == nil {
		return
	}
	if m.follows && t.keeps {
		t.followers--
	}
	for _, c := range t.catchUps {
		i := slices.Index(c.members, m)
		if i < 0 {
			continue
		}
		if c.members = slices.Delete(c.members, i, i+1); len(c.members) == 0 {
			h.caughtUp(c)
			return
		}
		break
	}
	h.tidyTail(t)
}

// findBehind finds those who are catching up with a target, to whom nothing is delivered.
func (h *Hub[C]) findBehind(t Target) {
	clear(h.behind)
	if len(h.tails) == 0 {
		return
	}
	tail := h.tails[h.setFor(t)]
	if tail == nil {
		return
	}
	if h.behind == nil {
		h.behind = make(map[*Member[C]]bool)
	}
	for _, c := range tail.catchUps {
		for _, m := range c.members {
			h.behind[m] = true
		}
	}
}
