package push

import (
	"errors"
	"fmt"
	"iter"
	"slices"
)

// Followers are told what connections get that follow their targets, and have it sent in an envelope of theirs. A
// connection that follows knows the Position of each message, and where it stands in each target. All methods are
// called on the loop of the Hub, in the midst of its work: they must not call the Hub. What they are given is on loan
// until they return, but for the Data of a Recovery, which must not be changed.
type Followers[C Conn] interface {
	// Since tells where a connection begins that has come to a target. Those that do not follow are asked too, of
	// targets that keep history: of theirs, Last alone means something.
	Since(c C, of Target) Since

	// Begun is told once for each time that a connection which follows has come to a target: it gets what is in the
	// Recovery, and then what is published.
	Begun(c C, of Target, r Recovery)

	// Published is given what was published for a target, and returns how many connections have accepted it. Its
	// Position is zero where no history is kept, and At is.
	Published(to iter.Seq[C], of Target, s Stored) int

	// Passed is told that the Position of a connection goes on without a message: it was excepted.
	Passed(c C, of Target, at Position)

	// Missed is told that connections have missed something of a target which cannot be told any more. They go on from
	// top.
	Missed(to iter.Seq[C], of Target, why Gap, top Position)

	// Ended is told that a Question has taken a connection out of a target.
	Ended(c C, of Target)
}

// Recovery is what a connection gets when it comes to a target.
type Recovery struct {
	Messages []Stored // in the order of their Positions, without a hole
	Top      Position // of the last of them, and of what it stands for; zero where no history is kept

	// Gap is why it does not get all that came after its Since: then it gets none of it. Empty: it gets all, or has
	// given no Position.
	Gap Gap
}

// Reasons for a Gap that only those hear who follow.
const (
	GapLimit Gap = "limit" // it would be more than Options.MaxRecover or MaxRecoverBytes
	GapOff   Gap = "off"   // no history is kept of the target, or no longer
)

// What a connection can recover of a target at once, unless Options say otherwise.
const (
	defaultRecover      = 300
	defaultRecoverBytes = 512 << 10
)

// errNoFollowers is that of a connection that follows.
var errNoFollowers = errors.New("push: Options.Followers is required for connections that follow")

// AddFollower is Add for a connection that follows: what it gets is told to Options.Followers, which is required, and
// not to Fanout.
func (h *Hub[C]) AddFollower(c C, uid string) (*Member[C], error) {
	if h.options.Followers == nil {
		return nil, errNoFollowers
	}
	return h.add(c, uid, true)
}

// Follows reports whether the connection was added by AddFollower.
func (m *Member[C]) Follows() bool { return m.follows }

// Follow has the connection, which follows, begin with a target anew: where it stands there is asked again. A channel
// that it is not in is subscribed to. An error is that of Subscribe, or says that it is not in that target.
func (m *Member[C]) Follow(t Target) error {
	if m.hub == nil {
		return ErrRemoved
	}
	s := m.hub.setFor(t)
	switch kind, name := t.Split(); {
	case kind == ToEveryone || kind == ToConn:
		return fmt.Errorf("push: %q cannot be followed: what is published for it has no order of its own", t)
	case s != nil && m.isIn(s):
		again := !m.isComing(s)
		m.hub.cancelCatchUp(m, s)
		m.hub.begin(m, s, again)
		return nil
	case kind == ToChannel:
		return m.Subscribe(name)
	}
	return fmt.Errorf("push: the connection is not in %q", t)
}

// isComing reports whether the connection has not begun with s yet, where it is.
func (m *Member[C]) isComing(s *set[C]) bool {
	t := m.hub.tails[s]
	return t != nil && slices.ContainsFunc(t.catchUps, func(c *catchUp[C]) bool {
		return !c.begun && !c.again && slices.Contains(c.members, m)
	})
}

// IsIn reports whether the connection is one of a target's.
func (m *Member[C]) IsIn(t Target) bool {
	s := m.setFor(t)
	return s != nil && m.isIn(s)
}

func (m *Member[C]) setFor(t Target) *set[C] {
	if m.hub == nil {
		return nil
	}
	return m.hub.setFor(t)
}

// isIn reports whether m is in s.
func (m *Member[C]) isIn(s *set[C]) bool {
	switch s.kind {
	case ToEveryone:
		return true
	case ToUID:
		return m.own == s
	}
	return m.positionIn(s) >= 0
}

// setFor is that of a target; nil if nobody is in it, or if it is a connection.
func (h *Hub[C]) setFor(t Target) *set[C] {
	switch kind, name := t.Split(); kind {
	case ToEveryone:
		return h.everyone
	case ToConn:
		return nil
	default:
		return h.sets[kind][name]
	}
}

// follow hands a publication to the connections that follow its targets: once for each of these, with the Position that
// it has there. It returns how many connections have accepted it, and how many get it from the history instead.
func (h *Hub[C]) follow(to []Target, p Publication, except *Member[C]) (n, late int) {
	for i, t := range to {
		s := Stored{Data: p.Data, Forms: p.forms}
		if p.Positions != nil {
			s.Position = p.Positions[i]
		}
		if tail := h.tails[h.setFor(t)]; tail != nil && !h.advance(tail, s) {
			late += h.countFollowing(t, except)
			continue
		}
		accepted, again := h.publishTo(t, s, except, len(to) > 1)
		n += max(0, accepted-again)
	}
	return n, late
}

// countFollowing is how many connections that follow a target have got the publication at hand from its history, or are
// about to, and not by another target.
func (h *Hub[C]) countFollowing(t Target, except *Member[C]) (n int) {
	h.findBehind(t)
	for _, m := range h.find(t) {
		if m.follows && m != except && !h.behind[m] && m.walked != h.walk {
			m.walked = h.walk
			n++
		}
	}
	return n
}

// publishTo hands a message to the connections that follow a target, which may be one of several. It returns how many
// have accepted it, and how many have got the publication at hand by another target.
func (h *Hub[C]) publishTo(t Target, s Stored, except *Member[C], several bool) (accepted, again int) {
	h.findBehind(t)
	audience := func(yield func(C) bool) {
		for _, m := range h.findFollowing(t) {
			if !m.follows || m == except || h.behind[m] {
				continue
			}
			if several {
				if m.walked == h.walk {
					again++
				}
				m.walked = h.walk
			}
			if !yield(m.conn) {
				return
			}
		}
	}
	if len(h.watches) > 0 {
		accepted = h.options.Followers.Published(h.noting(audience), t, s)
	} else {
		accepted = h.options.Followers.Published(audience, t, s)
	}
	if except != nil && except.follows && s.Position != (Position{}) && except.IsIn(t) &&
		!h.behind[except] { // who is catching up has its position from the history
		h.options.Followers.Passed(except.conn, t, s.Position)
	}
	return accepted, again
}
