package push

import "encoding/json"

// identity is who a connection is in a channel.
type identity struct {
	uid  string
	info json.RawMessage // nil: nothing is known
}

// subscription is a connection in a channel.
type subscription[C Conn] struct {
	member *Member[C]
	to     *set[C]
}

// SubscribeAs is Subscribe for a connection that is present in the channel as a uid which it has only there, whosever
// connection it is: with an info, as SetInfo has it. A connection that is in the channel already is that uid from then
// on. What is published for the uid does not reach it. Without presence in the channel, it is Subscribe.
func (m *Member[C]) SubscribeAs(channel, uid string, info json.RawMessage) error {
	if err := checkName(ToUID, uid); err != nil {
		return err
	}
	info, err := checkInfo(info)
	if err != nil {
		return err
	}
	return m.enter(ToChannel, channel, &identity{uid, info})
}

// UIDIn is the uid as which the connection is in a channel: that of SubscribeAs, or its own. Empty if it is not in
// it, or nobody's there.
func (m *Member[C]) UIDIn(channel string) string {
	s := m.setFor(Channel(channel))
	if s == nil || s.kind != ToChannel || !m.isIn(s) {
		return ""
	}
	return m.hub.uidIn(m, s)
}

// identify notes who a connection, which is about to attend, is in a channel.
func (h *Hub[C]) identify(m *Member[C], s *set[C], who identity) {
	if h.presence == nil || h.namespace(s.name).Presence == PresenceOff {
		return
	}
	a := &h.attendance
	if a.others == nil {
		a.others = make(map[subscription[C]]identity)
	}
	a.others[subscription[C]{m, s}] = who
}

// uidIn is the uid as which a connection is in a channel; empty if it is nobody's.
func (h *Hub[C]) uidIn(m *Member[C], s *set[C]) string {
	if who, other := h.attendance.others[subscription[C]{m, s}]; other {
		return who.uid
	}
	return m.UID()
}

// identityIn is who a connection is in a channel.
func (h *Hub[C]) identityIn(m *Member[C], s *set[C]) identity {
	if who, other := h.attendance.others[subscription[C]{m, s}]; other {
		return who
	}
	if m.own == nil {
		return identity{}
	}
	return identity{m.UID(), m.info()}
}
