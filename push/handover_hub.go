package push

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
)

// The fields of the state of a Hub.
const (
	fieldName  = 1 // once for each: first its own, then those of others that its connections have
	fieldCount = 2 // number of its last publication
	fieldSeat  = 3 // once for each uid in a channel
	fieldRoll  = 4 // once for each
	fieldStats = 5
	fieldLink  = 6 // what its Link says, and may be another Broker's
	// once for each channel whose pages know how many they are
	fieldHeadcount = 7
)

// The fields of a seat.
const (
	fieldSeatChannel = 1
	fieldSeatUID     = 2
	fieldSeatLeft    = 3 // how long it stays, in milliseconds; 0: it has a connection
	fieldSeatInfo    = 4
)

// errNoSuccessor is that of a Hub whose Broker has joined the other nodes already, as a new one.
var errNoSuccessor = errors.New("push: over this broker a Hub takes another's place only with Options.Succeeds")

// arriving is what a Hub has of a predecessor until Restored. Owned by the loop.
type arriving struct {
	named bool                   // the Hub has a name of it
	seats map[seat]time.Duration // who was present, and how long it stays without a connection
	rolls [rolls]rollArriving
	told  map[string]headcountArriving // by the names of the channels
}

// AppendState appends what the Hub knows beside its connections: its name among the nodes, who is present and for how
// long who is leaving stays, its rolls, and its Stats. SaveBrokerState was called before.
func (h *Hub[C]) AppendState(dst []byte) ([]byte, error) {
	l, err := h.handoverLink()
	if err != nil {
		return dst, err
	}
	dst = fields.Begin(dst, stateVersion)
	for _, name := range h.nodes() {
		dst = fields.Item(dst, fieldName, name)
	}
	dst = fields.Uint(dst, fieldCount, h.last)
	left := h.leavingFor()
	for at, a := range h.attendance.seats {
		dst = fields.Nested(dst, fieldSeat, func(dst []byte) []byte {
			dst = fields.Bytes(dst, fieldSeatChannel, at.channel)
			dst = fields.Bytes(dst, fieldSeatUID, at.uid)
			if a.conns == 0 {
				dst = fields.Uint(dst, fieldSeatLeft, milliseconds(left[at]))
			}
			return fields.Bytes(dst, fieldSeatInfo, l.Seated(at.channel, at.uid))
		})
	}
	for r := range rolls {
		dst = fields.Nested(dst, fieldRoll, func(dst []byte) []byte { return h.appendRoll(dst, r) })
	}
	dst = fields.Nested(dst, fieldStats, h.stats.appendState)
	dst = h.appendHeadcounts(dst)
	return fields.Bytes(dst, fieldLink, l.AppendState(nil)), nil
}

// nodes are its own name, and those that its connections have.
func (h *Hub[C]) nodes() []string {
	had := make([]bool, len(h.former))
	for _, m := range h.everyone.members {
		if len(had) > 0 && m.former > 0 {
			had[m.former-1] = true
		}
	}
	names := []string{h.node}
	for i, name := range h.former {
		if had[i] {
			names = append(names, name)
		}
	}
	return names
}

// leavingFor is how long those who are leaving stay.
func (h *Hub[C]) leavingFor() map[seat]time.Duration {
	left := make(map[seat]time.Duration)
	note := func(leavers []leaver, stay time.Duration) {
		for _, l := range leavers {
			if l.isGone() {
				left[l.at] = stay
			}
		}
	}
	for _, d := range h.attendance.departures {
		note(d.leavers, time.Until(d.at))
	}
	note(h.attendance.leaving, leaveDelay)
	return left
}

// RestoreState takes what AppendState of a Hub of the predecessor has said: from then on this Hub has its name. Another
// call, with the state of another Hub, has it have that name, too, for the connections that have it in theirs; but over
// a Broker of several processes a Hub has one name: other states are not taken, and their connections cannot be
// restored. The state is on loan until it returns. An error says that it cannot be understood.
func (h *Hub[C]) RestoreState(state []byte) error {
	l, err := h.handoverLink()
	if err != nil {
		return err
	}
	if state, err = fields.Open(state, stateVersion); err != nil {
		return err
	}
	if !h.options.Succeeds && !h.isOneProcess() {
		return errNoSuccessor
	}
	if h.arriving == nil {
		h.arriving = &arriving{seats: make(map[seat]time.Duration), told: make(map[string]headcountArriving)}
	}
	first := !h.arriving.named
	if !first && !h.isOneProcess() {
		return nil
	}
	return fields.Each(state, fieldHeadcount, func(number uint64, value []byte) error {
		switch number {
		case fieldName:
			return h.restoreName(l, string(value))
		case fieldCount:
			if first { // later publications have the name of the first one
				return fields.Put(&h.last, value)
			}
		case fieldSeat:
			return h.restoreSeat(l, value)
		case fieldRoll:
			return h.restoreRoll(l, value)
		case fieldStats:
			return h.stats.restoreState(value)
		case fieldLink:
			return l.RestoreState(value)
		case fieldHeadcount:
			return h.arriving.takeHeadcount(value)
		}
		return nil
	})
}

// restoreName has the Hub have a name of the predecessor: in place of its own, or beside it.
func (h *Hub[C]) restoreName(l HandoverLink, name string) error {
	switch {
	case name == "" || checkName(ToConn, name+".0") != nil || len(h.former) >= 1<<16-1:
		return fields.ErrMalformed
	case h.hasName(nodeTopic(name)), h.arriving.named && !h.isOneProcess():
		return nil
	case h.arriving.named:
		h.former = append(h.former, name)
	default:
		h.arriving.named = true
		h.link.Unsubscribe([]Target{nodeTopic(h.node)})
		h.node = name
		l.Rename(name)
		if h.trace != nil {
			h.trace.node = name
		}
	}
	h.link.Subscribe([]Target{nodeTopic(name)}, func(error) {}) // a link that is down subscribes when it is up
	return nil
}

// hasName reports whether a topic is that of the connections of this node.
func (h *Hub[C]) hasName(topic Target) bool {
	return topic == nodeTopic(h.node) ||
		slices.ContainsFunc(h.former, func(name string) bool { return nodeTopic(name) == topic })
}

// restoreSeat has a uid be present, as others know.
func (h *Hub[C]) restoreSeat(l HandoverLink, state []byte) error {
	var at seat
	var left time.Duration
	var info []byte
	if err := fields.Each(state, fieldSeatInfo, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldSeatChannel:
			at.channel = Target(value)
		case fieldSeatUID:
			at.uid = string(value)
		case fieldSeatLeft:
			err = putTime(&left, value)
		case fieldSeatInfo:
			info = value
		}
		return err
	}); err != nil {
		return err
	}
	kind, name := at.channel.Split()
	if kind != ToChannel || at.channel.Check() != nil || checkName(ToUID, at.uid) != nil || len(info) > MaxInfo {
		return fields.ErrMalformed
	}
	if h.presence == nil || h.namespace(name).Presence == PresenceOff {
		return nil
	}
	if left == 0 || left > leaveDelay {
		left = leaveDelay
	}
	l.Seat(at.channel, at.uid, info)
	if h.attendance.seats == nil {
		h.attendance.seats = make(map[seat]*attendee)
	}
	if h.attendance.seats[at] == nil {
		h.attendance.seats[at] = &attendee{}
	}
	h.arriving.seats[at] = max(left, h.arriving.seats[at])
	return nil
}

// Restored notes that the connections which have crossed are members again, and that the loop runs. Who was present by
// connections that have not crossed goes now, as when its last connection has gone. The Hub that was not restored does
// nothing, but for joining the other nodes, if Options.Succeeds is true.
func (h *Hub[C]) Restored() {
	if h.arriving != nil && h.isOneProcess() {
		h.relink(true) // the link was never down: it may be told so later
	}
	had := h.arriving
	h.arriving = nil
	l, err := h.handoverLink()
	if err != nil {
		return
	}
	h.restoreHeadcounts(had)
	if l.Restored(); had == nil {
		return
	}
	leaving := make(map[time.Duration][]leaver)
	for at, left := range had.seats {
		if a := h.attendance.seats[at]; a != nil && a.conns == 0 {
			leaving[left] = append(leaving[left], leaver{a, at, a.left})
		}
	}
	for left, leavers := range leaving {
		h.leaveAfter(left, leavers)
	}
	for r := range rolls {
		h.rollRestored(r, &had.rolls[r])
	}
	if h.linked && len(h.unannounced) > 0 {
		h.announceLogins()
	}
}

// The fields of Stats.
const (
	fieldPublished  = 1
	fieldDelivered  = 2
	fieldRecovered  = 3
	fieldGap        = 4 // once for each reason
	fieldRepairs    = 5
	fieldBreaks     = 6
	fieldAway       = 7 // in nanoseconds
	fieldUnlinked   = 8
	fieldUnanswered = 9

	fieldGapWhy = 1
	fieldGapN   = 2
)

func (s *Stats) appendState(dst []byte) []byte {
	dst = fields.Uint(dst, fieldPublished, s.Published)
	dst = fields.Uint(dst, fieldDelivered, s.Delivered)
	dst = fields.Uint(dst, fieldRecovered, s.Recovered)
	for why, n := range s.Gaps {
		dst = fields.Nested(dst, fieldGap, func(dst []byte) []byte {
			return fields.Uint(fields.Bytes(dst, fieldGapWhy, why), fieldGapN, n)
		})
	}
	dst = fields.Uint(dst, fieldRepairs, s.Repairs)
	dst = fields.Uint(dst, fieldBreaks, s.Breaks)
	dst = fields.Uint(dst, fieldAway, uint64(s.Away))
	dst = fields.Uint(dst, fieldUnlinked, s.Unlinked)
	return fields.Uint(dst, fieldUnanswered, s.Unanswered)
}

// restoreState adds the counters of a predecessor.
func (s *Stats) restoreState(state []byte) error {
	had := Stats{Gaps: make(map[Gap]uint64)}
	counters := map[uint64]*uint64{
		fieldPublished: &had.Published, fieldDelivered: &had.Delivered, fieldRecovered: &had.Recovered,
		fieldRepairs: &had.Repairs, fieldBreaks: &had.Breaks, fieldUnlinked: &had.Unlinked,
		fieldUnanswered: &had.Unanswered,
	}
	err := fields.Each(state, fieldUnanswered, func(number uint64, value []byte) error {
		switch counter := counters[number]; {
		case counter != nil:
			return fields.Put(counter, value)
		case number == fieldAway:
			return fields.Put((*int64)(&had.Away), value)
		case number == fieldGap:
			return had.restoreGap(value)
		}
		return nil
	})
	if err == nil {
		s.Add(had)
	}
	return err
}

func (s *Stats) restoreGap(state []byte) error {
	var why Gap
	var n uint64
	err := fields.Each(state, fieldGapN, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldGapWhy:
			why = Gap(value)
		case fieldGapN:
			err = fields.Put(&n, value)
		}
		return err
	})
	if err == nil && !slices.Contains([]Gap{GapEpoch, GapExpired, GapAhead, GapLimit, GapOff}, why) {
		err = fmt.Errorf("push: no gap is called %.20q", why)
	}
	s.Gaps[why] += n
	return err
}
