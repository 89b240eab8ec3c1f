package push

import (
	"iter"
	"slices"
)

// tellsPresence reports whether those who follow a channel are told who comes and goes.
func (h *Hub[C]) tellsPresence(in Target) bool {
	if _, is := headcountOf(in); is || isRoll(in) {
		return true
	}
	mode, _ := h.presenceOf(in)
	return mode == PresenceEvents && h.options.PresenceChanged != nil
}

// attended is told by the Broker who has come to a channel, or gone, and tells those who follow it. When that makes
// them too many they are told so, once.
func (h *Hub[C]) attended(in Target, e PresenceEvent) {
	if isRoll(in) {
		h.rollEvent(in, e)
		return
	}
	if channel, is := headcountOf(in); is {
		h.headcountChanged(channel, e)
		return
	}
	if h.followers == 0 {
		return
	}
	_, most := h.presenceOf(in)
	switch {
	case e.N <= most:
		h.options.PresenceChanged(h.following(in), in, e)
	case e.Here && e.N == most+1:
		h.options.PresenceRenewed(h.following(in), in, Presence{N: e.N, More: true})
	}
}

// following are the connections that follow a target and have begun with it, also those that are still catching up.
func (h *Hub[C]) following(t Target) iter.Seq[C] {
	coming := h.coming(t)
	return func(yield func(C) bool) {
		for _, m := range h.find(t) {
			if m.follows && !coming[m] && !yield(m.conn) {
				return
			}
		}
	}
}

// coming are those that have not begun with a target yet; nil if all have.
func (h *Hub[C]) coming(t Target) map[*Member[C]]bool {
	tail := h.tails[h.setFor(t)]
	if tail == nil {
		return nil
	}
	var coming map[*Member[C]]bool
	for _, c := range tail.catchUps {
		if c.begun || c.again {
			continue
		}
		if coming == nil {
			coming = make(map[*Member[C]]bool)
		}
		for _, m := range c.members {
			coming[m] = true
		}
	}
	return coming
}

// renewPresence tells those who follow channels who is there: while the link was down they may have missed who came and
// went. It asks about one channel at a time, until the link breaks.
func (h *Hub[C]) renewPresence() {
	if h.presence == nil || h.followers == 0 {
		return
	}
	var all []Target
	for name, s := range h.sets[ToChannel] {
		if h.tellsPresence(Channel(name)) && slices.ContainsFunc(s.members, (*Member[C]).Follows) {
			all = append(all, Channel(name))
		}
	}
	slices.Sort(all) // a simulation can be replayed
	link := h.links
	var next func()
	next = func() {
		if len(all) == 0 || link != h.links {
			return
		}
		in := all[0]
		all = all[1:]
		_ = h.Presence(in, func(p Presence, err error) { // the channel is right
			if err == nil {
				h.options.PresenceRenewed(h.following(in), in, p)
			}
			next()
		})
	}
	next()
}
