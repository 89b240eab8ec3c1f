package push

import "iter"

// audience are the recipients of a plain message: the connections that some targets name and that do not follow, each
// once, without one, and without those that got another part before.
type audience[C Conn] struct {
	hub    *Hub[C]
	each   iter.Seq[C] // made once, so that a delivery allocates nothing
	to     []Target
	except *Member[C]
	got    map[*Member[C]]bool // nil: there are no other parts
}

// beginAudience takes the Hub's free audience, or makes one: who is handed a message may publish another.
func (h *Hub[C]) beginAudience(to []Target, except *Member[C], got map[*Member[C]]bool) *audience[C] {
	a := h.spare
	if h.spare = nil; a == nil {
		a = &audience[C]{hub: h}
		a.each = a.walk
	}
	a.to, a.except, a.got = to, except, got
	return a
}

// end leaves the audience to the next message.
func (a *audience[C]) end() {
	a.to, a.except, a.got = nil, nil, nil
	a.hub.spare = a
}

func (a *audience[C]) walk(yield func(C) bool) {
	h := a.hub
	for _, t := range a.to {
		h.findBehind(t)
		for _, m := range h.findPlain(t) {
			if m.follows || h.behind[m] {
				continue
			}
			if len(a.to) > 1 {
				if m.walked == h.walk {
					continue
				}
				m.walked = h.walk
			}
			if m == a.except {
				continue
			}
			if a.got != nil {
				if a.got[m] {
					continue
				}
				a.got[m] = true
			}
			if !yield(m.conn) {
				return
			}
		}
	}
}
