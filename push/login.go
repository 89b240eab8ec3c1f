package push

const replaced = "another login took its place"

// single makes a new connection of a uid its only one. Other nodes are told, and this one too: all see logins in one
// order, and the last one wins. A login that has not come back yet closes no other, and no other closes it.
//
//	announcing ── its own login comes back ────▶ the only one ──── the login of another comes ────▶ closed
func (h *Hub[C]) single(m *Member[C]) {
	if h.isAlone() {
		return // KickUID has done it
	}
	m.announcing = true
	q := Question{Verb: login, To: []Target{UID(m.UID())}, Name: string(m.Target())}
	_ = h.Ask(q, func(_ Answer, err error) { // the question is right
		if err != nil && m.announcing && m.hub != nil {
			h.unannounced[m] = true
		}
	})
}

// loggedIn closes the connections of a uid on this node but for the newest.
func (h *Hub[C]) loggedIn(q *Question) (n int) {
	for _, m := range h.chosen(q.To) {
		switch {
		case string(m.Target()) == q.Name:
			m.announcing = false
		case !m.announcing:
			h.Kick(m, CodeReplaced, replaced)
			n++
		}
	}
	return n
}

// announceLogins tells the logins that could not be told while the link was down.
func (h *Hub[C]) announceLogins() {
	unannounced := h.unannounced
	h.unannounced = make(map[*Member[C]]bool)
	for m := range unannounced {
		h.single(m)
	}
}

// atOnce is how many uids a node asks about at once.
const atOnce = 500

// closeOutdated closes the connections of this node whose uids have got a newer one on another node while this node
// could not be told. It asks about some uids at a time, until the link breaks.
func (h *Hub[C]) closeOutdated() {
	var uids []Target
	for uid := range h.sets[ToUID] {
		uids = append(uids, UID(uid))
	}
	link := h.links
	var next func()
	next = func() {
		asked := uids[:min(len(uids), atOnce)]
		if uids = uids[len(asked):]; len(asked) == 0 || link != h.links {
			return
		}
		_ = h.Ask(Question{Verb: Count, To: asked}, func(a Answer, _ error) { // the question is right
			for i, n := range a.Counts {
				if n > h.Count(asked[i]) {
					h.closeOlder(asked[i])
				}
			}
			next()
		})
	}
	next()
}

// closeOlder closes the connections of a uid on this node, except one whose own login is still on its way.
func (h *Hub[C]) closeOlder(uid Target) {
	for _, m := range h.chosen([]Target{uid}) {
		if !m.announcing {
			h.Kick(m, CodeReplaced, replaced)
		}
	}
}
