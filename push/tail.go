package push

import "slices"

// tail is where a node stands in a target that somebody follows: those who follow have been handed all that was
// published up to here. What the Broker brings has to go on from here. A node that finds a hole reads the history, and
// says so if that no longer has it. There is a tail for each target that keeps history and has a follower, and for each
// that somebody is catching up with. Owned by the loop.
//
//	complete ── a hole, or the link came back ──▶ repairing: what comes is held ── it was read ──▶ complete
//	                                                  └── the link breaks: again when it is back
type tail[C Conn] struct {
	set       *set[C]
	target    Target
	index     int      // among all tails
	keeps     bool     // history is kept of it
	at        Position // zero: not known yet, or there is none
	followers int      // in the set, those that are catching up too
	catchUps  []*catchUp[C]
	repair    *catchUp[C] // of all that have caught up; nil: it is complete
}

// tailOf finds or makes the tail of a set.
func (h *Hub[C]) tailOf(s *set[C]) *tail[C] {
	t := h.tails[s]
	if t == nil {
		t = &tail[C]{set: s, target: s.target(), index: len(h.allTails)}
		t.keeps = h.hasHistory(t.target)
		h.tails[s] = t
		h.allTails = append(h.allTails, t)
	}
	return t
}

// hasHistory reports whether history is kept of a target.
func (h *Hub[C]) hasHistory(t Target) bool { return h.history != nil && h.retention(t).keeps() }

// remembers is hasHistory for a set: it makes no Target.
func (h *Hub[C]) remembers(s *set[C]) bool {
	return h.history != nil && h.retentionOf(s.kind, s.name).keeps()
}

// tidyTail forgets a tail that nobody needs.
func (h *Hub[C]) tidyTail(t *tail[C]) {
	if len(t.catchUps) > 0 || t.keeps && t.followers > 0 || h.tails[t.set] != t {
		return
	}
	if t.repair != nil {
		t.repair.over = true
	}
	delete(h.tails, t.set)
	last := len(h.allTails) - 1
	moved := h.allTails[last]
	h.allTails[t.index], moved.index = moved, t.index
	h.allTails[last] = nil
	h.allTails = h.allTails[:last]
}

// advance takes in what the Broker brings for a target, and reports whether those who have caught up get it now. They
// do not if they had it already, or if something is missing before it.
func (h *Hub[C]) advance(t *tail[C], s Stored) bool {
	at := s.Position
	if at == (Position{}) {
		t.hold(s)
		return true
	}
	h.promotePlain(t, at)
	switch {
	case at.Epoch == t.at.Epoch && at.Offset <= t.at.Offset:
		return false
	case t.repair == nil && (t.at == Position{} || t.at.precedes(at)):
		t.hold(s)
		h.step(t, at)
		return true
	case t.repair == nil:
		h.checkTail(t)
	}
	if t.repair == nil { // it was repaired at once, and this one was told with the rest
		return false
	}
	t.hold(s)
	return false
}

// hold has those who wait for the history hold a message.
func (t *tail[C]) hold(s Stored) {
	if t.repair == nil && len(t.catchUps) == 0 {
		return
	}
	s.Data, s.Forms = slices.Clone(s.Data), nil // it is on loan, and who is late shares nothing
	if t.repair != nil {
		t.repair.hold(s)
	}
	for _, c := range t.catchUps {
		if !c.trailing {
			c.hold(s)
		}
	}
}

// step notes that what has a Position is handed to those who follow.
func (h *Hub[C]) step(t *tail[C], at Position) {
	t.at = at
	for _, c := range slices.Clone(t.catchUps) {
		if c.trailing && c.top.Epoch == at.Epoch && c.top.Offset < at.Offset {
			h.caughtUp(c)
		}
	}
}

// promotePlain has those who do not follow get a message that they have not been told yet, whatever is missing before.
func (h *Hub[C]) promotePlain(t *tail[C], at Position) {
	for _, c := range slices.Clone(t.catchUps) {
		if c.trailing && !c.follow && (c.top.Epoch != at.Epoch || c.top.Offset < at.Offset) {
			h.caughtUp(c)
		}
	}
}

// checkTail compares a tail with the history, and repairs it.
func (h *Hub[C]) checkTail(t *tail[C]) {
	if t.repair == nil {
		t.repair = &catchUp[C]{tail: t, begun: true}
	}
	h.stats.Repairs++
	t.repair.since = Since{Position: t.at}
	h.recall(t.repair)
}

// repaired tells those who have caught up what was missing.
func (h *Hub[C]) repaired(t *tail[C], r Recovery) {
	c := t.repair
	if r.Gap != "" {
		h.missed(t, r.Gap, r.Top)
	}
	for _, s := range r.Messages {
		h.republish(t, s)
	}
	h.rereadFormer(t)
	if c.lost || !c.follows(t.at) {
		c.held, c.bytes, c.lost = nil, 0, false
		h.checkTail(t)
		return
	}
	t.repair = nil
	for _, s := range c.held {
		if s.Position.Offset > t.at.Offset {
			h.republish(t, s)
		}
	}
}

// rereadFormer has those read the history again who wait for the node in an epoch in which it will never be: their
// answer was given before the Broker was begun anew, and came after that to the repair.
func (h *Hub[C]) rereadFormer(t *tail[C]) {
	for _, c := range slices.Clone(t.catchUps) {
		if c.trailing && c.top.Epoch != t.at.Epoch {
			h.reread(c)
		}
	}
}

// republish hands a message of the history to those who have caught up.
func (h *Hub[C]) republish(t *tail[C], s Stored) {
	h.step(t, s.Position)
	h.nextWalk()
	accepted, _ := h.publishTo(t.target, s, nil, false)
	h.stats.Delivered += uint64(accepted)
}

// missed tells those who have caught up of a gap. Those who are further than the tail read the history again.
func (h *Hub[C]) missed(t *tail[C], why Gap, top Position) {
	h.findBehind(t.target)
	h.options.Followers.Missed(func(yield func(C) bool) {
		for _, m := range h.find(t.target) {
			if !m.follows || h.behind[m] {
				continue
			}
			h.stats.Gaps[why]++
			if !yield(m.conn) {
				return
			}
		}
	}, t.target, why, top)
	t.at = top
	for _, c := range slices.Clone(t.catchUps) {
		if c.trailing {
			h.reread(c)
		}
	}
}

// CheckTails compares where the node stands in targets that somebody follows with their history, and repairs what is
// missing: a Broker may have lost something without its link breaking. Each call takes some of them, so that all have
// had their turn after so many calls. On a node that is alone it does nothing.
func (h *Hub[C]) CheckTails(calls int) {
	if h.isAlone() || !h.linked {
		return
	}
	for n := (len(h.allTails) + calls - 1) / max(calls, 1); n > 0 && len(h.allTails) > 0; n-- {
		h.checked = (h.checked + 1) % len(h.allTails)
		if t := h.allTails[h.checked]; t.keeps && t.repair == nil && t.at != (Position{}) {
			h.checkTail(t)
		}
	}
}

// relinkTails has all that waits for the link go on, and compares all tails with the history.
func (h *Hub[C]) relinkTails() {
	for _, t := range slices.Clone(h.allTails) {
		for _, c := range slices.Clone(t.catchUps) {
			if !c.trailing && !c.subscribing {
				h.recall(c)
			}
		}
		if t.keeps && t.at != (Position{}) {
			h.checkTail(t)
		}
	}
}
