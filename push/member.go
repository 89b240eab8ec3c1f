package push

import (
	"fmt"
	"slices"
)

// A Conn is a connection as a Hub sees it: *lineman.Conn is one.
type Conn interface {
	comparable
	ID() uint64
}

// A Member is a connection that a Hub knows. There is one for each: every byte counts.
type Member[C Conn] struct {
	conn      C
	hub       *Hub[C]       // nil once it was removed
	own       *set[C]       // the connections of its uid; nil if it is nobody's
	positions []position[C] // in the groups and channels that it is in
	inAll     uint32        // where it stands among everyone
	inUID     uint32        // where it stands among those of its uid
	walked    uint32        // the last delivery to several targets that it got

	announcing bool   // other nodes have not all heard of its login yet
	follows    bool   // it gets Positions: see Followers
	former     uint16 // that its name has, of the Hub's; 0: it has the name of the Hub
}

// position is where a Member stands in a group or a channel.
type position[C Conn] struct {
	set   *set[C]
	index uint32
}

// set are the Members that a Target names, in no order.
type set[C Conn] struct {
	kind      Kind
	following uint32 // of the members, those that follow
	name      string
	members   []*Member[C]
}

func (s *set[C]) target() Target {
	switch s.kind {
	case ToUID:
		return UID(s.name)
	case ToGroup:
		return Group(s.name)
	case ToChannel:
		return Channel(s.name)
	}
	return Everyone
}

// enter puts m into s, where it is not.
func (s *set[C]) enter(m *Member[C]) {
	if s.kind == ToGroup || s.kind == ToChannel {
		m.positions = append(m.positions, position[C]{set: s})
	}
	*m.index(s) = uint32(len(s.members))
	s.members = append(s.members, m)
	if m.follows {
		s.following++
	}
}

// leave takes m out of s, where it is. The last one in s moves into its position.
func (s *set[C]) leave(m *Member[C]) {
	at, last := *m.index(s), len(s.members)-1
	moved := s.members[last]
	s.members[at] = moved
	*moved.index(s) = at
	s.members[last] = nil
	s.members = s.members[:last]
	if m.follows {
		s.following--
	}
	if i := m.positionIn(s); i >= 0 {
		m.positions = slices.Delete(m.positions, i, i+1)
	}
}

// index is where m, which is in s, stands there.
func (m *Member[C]) index(s *set[C]) *uint32 {
	switch s.kind {
	case ToEveryone:
		return &m.inAll
	case ToUID:
		return &m.inUID
	}
	return &m.positions[m.positionIn(s)].index
}

// positionIn is that of a group or a channel; negative if m is not in it. What it came to last is found first, and is
// what Remove begins with: with thousands of channels, it would hold the loop otherwise.
func (m *Member[C]) positionIn(s *set[C]) int {
	for i := len(m.positions) - 1; i >= 0; i-- {
		if m.positions[i].set == s {
			return i
		}
	}
	return -1
}

// Conn is the connection.
func (m *Member[C]) Conn() C { return m.conn }

// Target is the Target of this connection only, the same on every node: "c:" and a name that is never used again.
func (m *Member[C]) Target() Target {
	if m.hub == nil {
		return ""
	}
	return connTarget(m.node(), m.conn.ID())
}

// node is the Hub that the name of the connection has in it: its own, or one of a predecessor.
func (m *Member[C]) node() string {
	if m.former == 0 {
		return m.hub.node
	}
	return m.hub.former[m.former-1]
}

// UID is whose connection it is; empty if nobody's.
func (m *Member[C]) UID() string {
	if m.own == nil {
		return ""
	}
	return m.own.name
}

// Value is what SetValue stored last, or nil: the session of the connection. One that a Question has set is a
// json.RawMessage. It is nil once the Hub no longer knows the connection.
func (m *Member[C]) Value() any {
	if m.hub == nil {
		return nil
	}
	return m.hub.values[m]
}

// SetValue stores a value with the connection. What a json.RawMessage, an object, has as "info" is told of the uid in
// place of what SetInfo was given.
func (m *Member[C]) SetValue(v any) {
	if m.hub == nil {
		return
	}
	before := m.info()
	m.keep(v)
	m.tellInfo(before)
}

// keep stores a value. Few connections have one.
func (m *Member[C]) keep(v any) {
	h := m.hub
	switch {
	case v == nil:
		delete(h.values, m)
		return
	case h.values == nil:
		h.values = make(map[*Member[C]]any)
	}
	h.values[m] = v
}

// Join puts the connection into a group, if it is not there. ErrRemoved means that the Hub no longer knows it.
func (m *Member[C]) Join(group string) error { return m.enter(ToGroup, group, nil) }

// Leave takes the connection out of a group, if it is there.
func (m *Member[C]) Leave(group string) { m.leave(ToGroup, group) }

// Subscribe has the connection get what is published on a channel. An error says that the channel's namespace does not
// allow it.
func (m *Member[C]) Subscribe(channel string) error { return m.enter(ToChannel, channel, nil) }

// Unsubscribe ends that.
func (m *Member[C]) Unsubscribe(channel string) { m.leave(ToChannel, channel) }

// Groups are the names of the groups that the connection is in.
func (m *Member[C]) Groups() []string { return m.names(ToGroup) }

// Channels are the names of the channels that the connection gets.
func (m *Member[C]) Channels() []string { return m.names(ToChannel) }

func (m *Member[C]) names(k Kind) (names []string) {
	for _, p := range m.positions {
		if p.set.kind == k {
			names = append(names, p.set.name)
		}
	}
	slices.Sort(names)
	return names
}

// enter puts the connection into a set, and has it be another one there if who is not nil.
func (m *Member[C]) enter(k Kind, name string, who *identity) error {
	h := m.hub
	if h == nil {
		return ErrRemoved
	}
	if err := checkName(k, name); err != nil {
		return err
	}
	s := h.sets[k][name]
	if s != nil && m.positionIn(s) >= 0 {
		if who != nil {
			h.unattend(m, s)
			h.identify(m, s, *who)
			h.attend(m, s)
		}
		return nil
	}
	if n := len(m.positions); n >= h.options.MaxPlaces {
		return fmt.Errorf("%w: it is in %d groups and channels", ErrLimit, n)
	}
	if err := h.admit(k, name, s); err != nil {
		return err
	}
	s = h.setOf(k, name)
	s.enter(m)
	if h.trace.On() {
		h.trace.join(m.recipient(), s.target())
	}
	if who != nil {
		h.identify(m, s, *who)
	}
	h.recount(s, true)
	h.begin(m, s, false)
	h.attend(m, s)
	return nil
}

func (m *Member[C]) leave(k Kind, name string) {
	if m.hub == nil {
		return
	}
	if s := m.hub.sets[k][name]; s != nil && m.positionIn(s) >= 0 {
		if m.hub.trace.On() {
			m.hub.trace.leave(m.recipient(), s.target())
		}
		m.hub.depart(m, s)
	}
}
