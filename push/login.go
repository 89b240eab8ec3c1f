package push

const replaced = "another login took its place"

// single has a new connection of a uid be its only one. Other nodes are told, and so is this one: all see logins in one order, in which
// the last one wins. One that is still on its way there closes none and is closed by none.
//
//	arriving ──── its own login comes back ────▶ the only one ──── the login of another comes ────▶ closed
func (h *Hub[C]) single(m *Member[C]) {
	if h.alone() {
		return // KickUID has done it
	}
	m.arriving = true
	q := Question{Verb: login, To: []Target{UID(m.uid)}, Name: string(m.Target())}
	_ = h.Ask(q, func(_ Answer, err error) { // the question is right
		if err != nil && m.arriving && m.hub != nil {
			h.arrivals = append(h.arrivals, m)
		}
	})
}

// loggedIn closes the connections of a uid on this node but for the newest.
func (h *Hub[C]) loggedIn(q *Question) (n int) {
	for _, m := range h.chosen(q.To) {
		switch {
		case string(m.Target()) == q.Name:
			m.arriving = false
		case !m.arriving:
			h.Kick(m, CodeReplaced, replaced)
			n++
		}
	}
	return n
}

// arrive tells the logins that could not be told while the link was down.
func (h *Hub[C]) arrive() {
	arrivals := h.arrivals
	h.arrivals = nil
	for _, m := range arrivals {
		if m.hub != nil {
			h.single(m)
		}
	}
}
