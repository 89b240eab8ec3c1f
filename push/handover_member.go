package push

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/lineman-go/lineman/internal/fields"
)

// The fields of a Member.
const (
	fieldMemberNode     = 1 // the Hub that its name has in it
	fieldMemberUID      = 2
	fieldMemberFollows  = 3
	fieldMemberValue    = 4
	fieldMemberInfo     = 5
	fieldMemberPlace    = 6  // once for each group and channel
	fieldMemberPosition = 7  // once for each target that it follows, and stands in
	fieldMemberComing   = 8  // once for each that it has not begun with yet
	fieldMemberUnsaid   = 9  // other nodes have not all heard of its login
	fieldMemberIdentity = 10 // once for each channel that it is in as another uid than its own

	fieldStandsIn    = 1 // the target, also of what it has not begun with
	fieldStandsAt    = 2 // the text of a Position, or of a Since
	fieldStandsAgain = 3 // of what it has not begun with: it has begun before

	fieldIdentityChannel = 1
	fieldIdentityUID     = 2
	fieldIdentityInfo    = 3
)

// errValue is why a connection does not cross.
var errValue = errors.New("push: only a json.RawMessage can be the value of a connection that crosses")

// AppendMember appends what the Hub knows of a connection: its uid, its groups and channels, where it stands in what it
// follows, its value, and its info. An error is why it cannot cross: its value is neither nil nor a json.RawMessage, or
// it is no member any more.
func (h *Hub[C]) AppendMember(dst []byte, m *Member[C]) ([]byte, error) {
	value, isJSON := m.Value().(json.RawMessage)
	switch {
	case m.hub != h:
		return dst, ErrRemoved
	case m.Value() != nil && !isJSON:
		return dst, errValue
	}
	dst = fields.Begin(dst, stateVersion)
	dst = fields.Bytes(dst, fieldMemberNode, m.node())
	dst = fields.Bytes(dst, fieldMemberUID, m.UID())
	dst = fields.Bool(dst, fieldMemberFollows, m.follows)
	if isJSON {
		dst = fields.Item(dst, fieldMemberValue, value)
	}
	dst = fields.Bytes(dst, fieldMemberInfo, h.attendance.infos[m])
	dst = fields.Bool(dst, fieldMemberUnsaid, m.announcing)
	for _, p := range m.positions {
		dst = fields.Item(dst, fieldMemberPlace, p.set.target())
		dst = h.appendIdentity(dst, m, p.set)
	}
	if m.own != nil {
		dst = h.appendStand(dst, m, m.own)
	}
	for _, p := range m.positions {
		dst = h.appendStand(dst, m, p.set)
	}
	return dst, nil
}

// appendIdentity appends who a connection is in a channel, if it is another one there.
func (h *Hub[C]) appendIdentity(dst []byte, m *Member[C], s *set[C]) []byte {
	who, other := h.attendance.others[subscription[C]{m, s}]
	if !other {
		return dst
	}
	return fields.Nested(dst, fieldMemberIdentity, func(dst []byte) []byte {
		dst = fields.Bytes(dst, fieldIdentityChannel, s.name)
		dst = fields.Bytes(dst, fieldIdentityUID, who.uid)
		return fields.Bytes(dst, fieldIdentityInfo, who.info)
	})
}

// appendStand appends where a connection stands in a target, or how it begins with it.
func (h *Hub[C]) appendStand(dst []byte, m *Member[C], s *set[C]) []byte {
	t := h.tails[s]
	if t == nil {
		return dst
	}
	at := t.at
	for _, c := range t.catchUps {
		if !slices.Contains(c.members, m) {
			continue
		}
		if !c.begun {
			return fields.Nested(dst, fieldMemberComing, func(dst []byte) []byte {
				dst = fields.Bytes(dst, fieldStandsIn, t.target)
				dst = fields.Bytes(dst, fieldStandsAt, c.since.String())
				return fields.Bool(dst, fieldStandsAgain, c.again)
			})
		}
		at = c.top
	}
	if !m.follows || at == (Position{}) {
		return dst
	}
	return fields.Nested(dst, fieldMemberPosition, func(dst []byte) []byte {
		dst = fields.Bytes(dst, fieldStandsIn, t.target)
		return fields.Bytes(dst, fieldStandsAt, at.String())
	})
}

// memberState is a Member that is being read.
type memberState struct {
	node     []byte // on loan
	uid      string
	follows  uint8
	hasValue bool
	value    json.RawMessage
	info     json.RawMessage
	unsaid   uint8
	places   []Target
	stands   []stand
	next     int // of stands: that which is asked for next, most likely
	coming   map[Target]comingState
	others   map[Target]identity // by channel
}

// stand is where it stands in a target.
type stand struct {
	in []byte // on loan
	at Position
}

// comingState is how it begins with a target.
type comingState struct {
	since Since
	again bool
}

func (s *memberState) take(number uint64, value []byte) (err error) {
	switch number {
	case fieldMemberNode:
		s.node = value
	case fieldMemberUID:
		if s.uid = string(value); checkName(ToUID, s.uid) != nil {
			err = fields.ErrMalformed
		}
	case fieldMemberFollows:
		err = fields.Put(&s.follows, value)
	case fieldMemberValue:
		s.hasValue, s.value = true, slices.Clone(value)
	case fieldMemberInfo:
		if s.info = slices.Clone(value); len(value) > MaxInfo {
			err = fields.ErrMalformed
		}
	case fieldMemberUnsaid:
		err = fields.Put(&s.unsaid, value)
	case fieldMemberPlace:
		place := Target(value)
		kind, _ := place.Split()
		if place.Check() != nil || kind != ToGroup && kind != ToChannel {
			err = fields.ErrMalformed
		}
		s.places = append(s.places, place)
	case fieldMemberIdentity:
		err = s.takeIdentity(value)
	case fieldMemberPosition, fieldMemberComing:
		err = s.takeStand(value, number == fieldMemberComing)
	}
	return err
}

func (s *memberState) takeIdentity(state []byte) error {
	var in Target
	var who identity
	err := fields.Each(state, fieldIdentityInfo, func(number uint64, value []byte) error {
		switch number {
		case fieldIdentityChannel:
			in = Target(value)
		case fieldIdentityUID:
			who.uid = string(value)
		case fieldIdentityInfo:
			who.info = slices.Clone(value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if checkName(ToUID, who.uid) != nil || len(who.info) > MaxInfo {
		return fields.ErrMalformed
	}
	if s.others == nil {
		s.others = make(map[Target]identity)
	}
	s.others[in] = who
	return nil
}

func (s *memberState) takeStand(state []byte, coming bool) error {
	var in []byte
	var text string
	var again uint8
	err := fields.Each(state, fieldStandsAgain, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldStandsIn:
			in = value
		case fieldStandsAt:
			text = string(value)
		case fieldStandsAgain:
			err = fields.Put(&again, value)
		}
		return err
	})
	if err != nil {
		return err
	}
	if coming {
		since, err := ParseSince(text)
		if s.coming == nil {
			s.coming = make(map[Target]comingState)
		}
		s.coming[Target(in)] = comingState{since, again != 0}
		return err
	}
	at, err := ParsePosition(text)
	s.stands = append(s.stands, stand{in, at})
	return err
}

// standIn is where it stands in a target. They are asked for in the order in which they were written.
func (s *memberState) standIn(target Target) Position {
	for range s.stands {
		one := s.stands[s.next]
		s.next = (s.next + 1) % len(s.stands)
		if string(one.in) == string(target) {
			return one.at
		}
	}
	return Position{}
}

// RestoreMember makes a connection a member as AppendMember has found it, in place of Add or AddFollower, and of what
// was called for it since. Its name is as it was. It may be called after Restored, too. Nobody is told that it has
// come, but for Options.Counted, and no limit is asked. Followers may be told before it returns what it has still to be
// told of what it follows; Followers.Since is not asked. The state is on loan until it returns. An error says that it
// cannot be understood, that the Hub does not have its name, or that the connection is a member already.
func (h *Hub[C]) RestoreMember(c C, state []byte) (*Member[C], error) {
	state, err := fields.Open(state, stateVersion)
	if err != nil {
		return nil, err
	}
	var had memberState
	if err := fields.Each(state, fieldMemberIdentity, had.take); err != nil {
		return nil, err
	}
	former := slices.IndexFunc(h.former, func(name string) bool { return name == string(had.node) }) + 1
	hasName := former > 0 || string(had.node) == h.node
	switch {
	case h.members[c.ID()] != nil:
		return nil, fmt.Errorf("push: connection %d is a member already", c.ID())
	case !hasName && !h.isOneProcess():
		return nil, fmt.Errorf("push: the connection is of the node %.40q, and over this broker a process takes the "+
			"place of one node: have it drain", had.node)
	case !hasName:
		return nil, fmt.Errorf("push: the connection is of the node %.40q: restore its state first", had.node)
	case had.follows != 0 && h.options.Followers == nil:
		return nil, errNoFollowers
	}
	m := &Member[C]{conn: c, hub: h, follows: had.follows != 0, former: uint16(former)}
	h.restoreMember(m, &had)
	return m, nil
}

func (h *Hub[C]) restoreMember(m *Member[C], had *memberState) {
	h.members[m.conn.ID()] = m
	h.everyone.enter(m)
	if m.follows {
		h.followers++
	}
	if had.uid != "" {
		m.own = h.setOf(ToUID, had.uid)
		m.own.enter(m)
		h.count(had.uid, 1)
	}
	if had.hasValue {
		m.keep(had.value)
	}
	if len(had.info) > 0 && h.presence != nil {
		if h.attendance.infos == nil {
			h.attendance.infos = make(map[*Member[C]]json.RawMessage)
		}
		h.attendance.infos[m] = had.info
	}
	if had.unsaid != 0 && h.options.SingleLogin && !h.isAlone() {
		m.announcing, h.unannounced[m] = true, true
	}
	for _, place := range had.places {
		kind, name := place.Split()
		if s := h.setOf(kind, name); m.positionIn(s) < 0 {
			s.enter(m)
			if who, other := had.others[place]; other && kind == ToChannel {
				h.identify(m, s, who)
			}
			h.seatAgain(m, s)
		}
	}
	h.flush() // other loops may publish before this one runs
	if m.own != nil {
		h.standAgain(m, m.own, had)
	}
	for _, p := range slices.Clone(m.positions) {
		h.standAgain(m, p.set, had)
	}
}

// seatAgain has a connection count in a set as it did.
func (h *Hub[C]) seatAgain(m *Member[C], s *set[C]) {
	if l, shared := h.link.(*memoryLink); shared && s.kind == ToChannel && h.namespace(s.name).MaxSubscribers > 0 {
		l.takeSeat(s.target(), math.MaxInt)
	}
	uid := h.uidIn(m, s)
	if a := h.attendance.seats[seat{s.target(), uid}]; a != nil && uid != "" {
		a.conns++ // others know
	} else {
		h.attend(m, s)
	}
}

// standAgain has a connection stand in a target where it stood. If the node stands elsewhere, as it crosses late, the
// connection gets what is between.
func (h *Hub[C]) standAgain(m *Member[C], s *set[C], had *memberState) {
	target := s.target()
	if coming, ok := had.coming[target]; ok {
		h.beginSince(m, s, coming.since, coming.again)
		return
	}
	if !m.follows || !h.hasHistory(target) {
		return
	}
	t, at := h.tailOf(s), had.standIn(target)
	t.followers++
	if t.at == (Position{}) {
		t.at = at
	}
	if at == (Position{}) || t.at == at {
		return
	}
	c := &catchUp[C]{
		tail: t, members: []*Member[C]{m}, follow: true, since: Since{Position: at}, begun: true, top: at,
	}
	t.catchUps = append(t.catchUps, c)
	h.recall(c)
}
