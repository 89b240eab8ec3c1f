package push

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// attendance is which uids have a connection of this node in the channels that have presence. The Broker is told when
// the first one of a uid comes to a channel, and some time after the last one has gone: a page that is loaded again is
// no event.
//
//	absent ── first connection: Enter ──▶ here ── the last one goes ──▶ leaving ── leaveDelay: Leave ──▶ absent
//	                                        ▲────────── one comes ──────────┘
//
// Owned by the loop.
type attendance[C Conn] struct {
	seats   map[seat]*attendee
	infos   map[*Member[C]]json.RawMessage // of the connections that have one by SetInfo
	others  map[subscription[C]]identity   // as whom connections are in channels that came by SubscribeAs
	leaving []leaver                       // those that no timer runs for yet

	departures []*departure // those that one runs for
}

// seat is a uid in a channel.
type seat struct {
	channel Target
	uid     string
}

// attendee is a uid in a channel on this node.
type attendee struct {
	conns int
	left  int // times that the last connection has gone
}

// leaver is an attendee whose last connection has gone.
type leaver struct {
	*attendee
	at   seat
	left int // as it was then
}

// departure are those whose last connections have gone in one tick.
type departure struct {
	at      time.Time // when they leave
	leavers []leaver
}

// leaveDelay is how long a uid stays in a channel without a connection.
const leaveDelay = 5 * time.Second

// attend notes that a connection has come to a set.
func (h *Hub[C]) attend(m *Member[C], s *set[C]) {
	if h.presence == nil || s.kind != ToChannel {
		return
	}
	who := h.identityIn(m, s)
	if who.uid == "" || h.namespace(s.name).Presence == PresenceOff {
		return
	}
	at := seat{s.target(), who.uid}
	a := h.attendance.seats[at]
	known := a != nil
	if !known {
		a = &attendee{}
		if h.attendance.seats == nil {
			h.attendance.seats = make(map[seat]*attendee)
		}
		h.attendance.seats[at] = a
	}
	a.conns++
	if !known || who.info != nil { // another node may have said something else since
		h.presence.Enter(at.channel, at.uid, who.info)
	}
}

// unattend notes that a connection has gone from a set.
func (h *Hub[C]) unattend(m *Member[C], s *set[C]) {
	if h.presence == nil || s.kind != ToChannel {
		return
	}
	at := seat{s.target(), h.uidIn(m, s)}
	delete(h.attendance.others, subscription[C]{m, s})
	a := h.attendance.seats[at]
	if a == nil {
		return
	}
	if a.conns--; a.conns > 0 {
		return
	}
	a.left++
	h.attendance.leaving = append(h.attendance.leaving, leaver{a, at, a.left})
	if len(h.attendance.leaving) == 1 { // one timer for all that go in one tick
		h.options.Do(h.leaveLater)
	}
}

// leaveLater tells the Broker of those that are leaving when it is sure that they have not come back.
func (h *Hub[C]) leaveLater() {
	leaving := h.attendance.leaving
	h.attendance.leaving = nil
	h.leaveAfter(leaveDelay, leaving)
}

// leaveAfter does it after some time.
func (h *Hub[C]) leaveAfter(delay time.Duration, leaving []leaver) {
	if h.options.After == nil {
		h.leave(leaving)
		return
	}
	a, d := &h.attendance, &departure{time.Now().Add(delay), leaving}
	a.departures = append(a.departures, d)
	h.options.After(delay, func() {
		if i := slices.Index(a.departures, d); i >= 0 {
			a.departures = slices.Delete(a.departures, i, i+1)
			h.leave(d.leavers)
		}
	})
}

// leave tells the Broker of those that have not come back.
func (h *Hub[C]) leave(leaving []leaver) {
	for _, l := range leaving {
		if l.isGone() {
			delete(h.attendance.seats, l.at)
			h.presence.Leave(l.at.channel, l.at.uid)
		}
	}
}

// isGone reports whether it has not come back.
func (l *leaver) isGone() bool { return l.conns == 0 && l.attendee.left == l.left }

// SetInfo stores what the channels of the connection that have presence are told of its uid: JSON of at most MaxInfo
// bytes. What several connections of a uid have, replaces each other: what was told last is told. nil removes it.
func (m *Member[C]) SetInfo(info json.RawMessage) error {
	compact, err := checkInfo(info)
	if err != nil {
		return err
	}
	if m.hub == nil || m.hub.presence == nil {
		return nil
	}
	before, a := m.info(), &m.hub.attendance
	if compact == nil {
		delete(a.infos, m)
	} else {
		if a.infos == nil {
			a.infos = make(map[*Member[C]]json.RawMessage)
		}
		a.infos[m] = compact
	}
	m.tellInfo(before)
	return nil
}

// checkInfo is compactInfo of what a program gives.
func checkInfo(info json.RawMessage) (json.RawMessage, error) {
	if len(info) > MaxInfo {
		return nil, fmt.Errorf("push: the info of a connection has %d bytes: at most %d are allowed", len(info),
			MaxInfo)
	}
	compact, err := compactInfo(info)
	if err != nil {
		return nil, fmt.Errorf("push: the info of a connection: %w", err)
	}
	return compact, nil
}

// compactInfo is a copy of an info without white space; nil if it says nothing.
func compactInfo(info json.RawMessage) (json.RawMessage, error) {
	if info == nil {
		return nil, nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, info); err != nil || b.String() == "null" {
		return nil, err
	}
	return slices.Clip(b.Bytes()), nil
}

// info is what is known of who the connection is: what its session says, or what SetInfo was given; nil if nothing.
func (m *Member[C]) info() json.RawMessage {
	if m.hub == nil || m.hub.presence == nil {
		return nil
	}
	if session, ok := m.Value().(json.RawMessage); ok {
		if info := sessionInfo(session); info != nil {
			return info
		}
	}
	return m.hub.attendance.infos[m]
}

// sessionInfo is the info in a session: no more of it is meant for others. One that is too long is none.
func sessionInfo(session json.RawMessage) json.RawMessage {
	if !bytes.Contains(session, []byte(`"info"`)) {
		return nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(session, &fields) != nil || len(fields["info"]) > MaxInfo {
		return nil
	}
	info, err := compactInfo(fields["info"])
	if err != nil {
		return nil
	}
	return info
}

// tellInfo tells what is known of who the connection is in its channels, unless it is as before.
func (m *Member[C]) tellInfo(before json.RawMessage) {
	info := m.info()
	if bytes.Equal(info, before) {
		return
	}
	if info == nil {
		info = json.RawMessage("null")
	}
	for _, p := range m.positions {
		at := seat{p.set.target(), m.UID()}
		if _, other := m.hub.attendance.others[subscription[C]{m, p.set}]; other {
			continue
		}
		if m.hub.attendance.seats[at] != nil {
			m.hub.presence.Enter(at.channel, at.uid, info)
		}
	}
}
