package push

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
)

// A PresenceLink is a Link whose Broker knows who is present: the uids that nodes have in channels, each once,
// whichever and however many nodes have it. A Hub asks once, when it joins, whether its Link is one.
//
// What the nodes say of a channel has one order, the same for all, together with what is published for it;
// Node.Presence is told of the changes in this order. A Broker keeps which nodes have a uid, so that what is said twice
// changes nothing, and takes out what a node has said when that closes its link, or is given up as dead: in one order
// with the rest, as if the node had said Leave of each. It may wait some seconds before that, as pages of a node that
// is replaced come back elsewhere.
//
// A link that is down remembers what its node has said, and says it again when it is up, before Node.Linked is told.
type PresenceLink interface {
	Link

	// Enter says that this node has a uid in a channel, until it says Leave. info is what is known of the uid, JSON
	// that must not be changed any more: it replaces what any node has said before. nil leaves that as it is, and null
	// removes it.
	Enter(in Target, uid string, info json.RawMessage)

	// Leave says that this node no longer has it there. It is gone when no other node has it.
	Leave(in Target, uid string)

	// Present tells who is in a channel: all, or only how many if there are more than most. It sees what the node has
	// said before, and is not older than what Node.Presence is told before the call of done: so whoever applies to it
	// what Node.Presence is told from then on, has what Present would tell. Where answers and changes come by different
	// ways, the Broker has to number the changes of a channel, and the link adds those to an answer that have come
	// ahead of it. done is called with ErrClosed, ErrUnlinked or ErrUnanswered if it is not known.
	Present(in Target, most int, done func(Presence, error))

	// CountPresent tells of each channel how many are there. done is as that of Present.
	CountPresent(in []Target, done func([]int, error))

	// PresenceStats tells of all channels together. done is as that of Present.
	PresenceStats(done func(PresenceStats, error))
}

// Presence is who is in a channel.
type Presence struct {
	N    int  // uids
	More bool // they are too many to be told: there are no Users

	// Users are the uids with what is known of each: JSON, or nil. It must not be changed.
	Users map[string]json.RawMessage
}

// PresenceEvent is a change of who is in a channel.
type PresenceEvent struct {
	UID string

	// Here says that it has come, or that there is another Info of it; else it has gone.
	Here bool
	Info json.RawMessage // what is known of who is here; nil: nothing. It must not be changed

	N int // uids that are there from now on
}

// PresenceStats are those of all channels in which somebody is present.
type PresenceStats struct {
	Channels int
	Users    int // uids in these channels: one that is in several counts for each
}

// PresenceMode is what there is of who is in the channels of a Namespace.
type PresenceMode uint8

// The modes.
const (
	PresenceOff    PresenceMode = iota // nothing: nobody is counted
	PresenceList                       // who is there is told to who asks
	PresenceEvents                     // and those who follow the channel are told who comes and goes
)

// MaxInfo is how long the info of a uid may be, in bytes.
const MaxInfo = 1 << 10

// defaultPresent is Namespace.MaxPresent where nothing is said.
const defaultPresent = 1000

// Errors of presence.
var (
	// ErrNoPresence matches the error of what asks for the presence of a target that has none by the options.
	ErrNoPresence = errors.New("push: presence is off")
	// errNoPresenceLink is that of New.
	errNoPresenceLink = errors.New("push: this broker does not know who is present: leave presence out of the options")
	// errNoRollLink is likewise.
	errNoRollLink = errors.New("push: this broker does not know who is present: leave RollChanged out of the options")
)

// hasPresence reports whether it is asked of any channel.
func (o *Options[C]) hasPresence() bool {
	for _, n := range o.Namespaces {
		if n.Presence != PresenceOff {
			return true
		}
	}
	return false
}

// presenceOf is the mode of a target, and up to how many uids it tells who they are.
func (h *Hub[C]) presenceOf(t Target) (mode PresenceMode, most int) {
	kind, name := t.Split()
	if h.presence == nil || kind != ToChannel {
		return PresenceOff, 0
	}
	n := h.namespace(name)
	return n.Presence, cmp.Or(n.MaxPresent, defaultPresent)
}

// checkPresence tells whether there is presence of a target.
func (h *Hub[C]) checkPresence(in Target) error {
	if err := in.Check(); err != nil {
		return err
	}
	if mode, _ := h.presenceOf(in); mode == PresenceOff {
		return fmt.Errorf("%w in %q", ErrNoPresence, in)
	}
	return nil
}

// Presence tells which uids are in a channel, on all nodes. done is called on the loop, perhaps before Presence
// returns, with ErrUnlinked, ErrUnanswered or ErrClosed if that is not known. An error of Presence itself is about the
// target: ErrNoPresence, or it cannot be.
func (h *Hub[C]) Presence(in Target, done func(Presence, error)) error {
	if err := h.checkPresence(in); err != nil {
		return err
	}
	_, most := h.presenceOf(in)
	h.presence.Present(in, most, func(p Presence, err error) { done(p.bounded(h.options.MaxRecoverBytes), err) })
	return nil
}

// bounded is who is there, or only how many if that would take more than so many bytes: it would fill what may wait for
// a connection.
func (p Presence) bounded(most int) Presence {
	bytes := 0
	for uid, info := range p.Users {
		if bytes += len(uid) + len(info) + aroundUser; bytes > most {
			return Presence{N: p.N, More: true}
		}
	}
	return p
}

// aroundUser is what a list has for each uid beside it, in bytes.
const aroundUser = len(`"":,`)

// CountPresent tells of each channel how many uids are there. done and the error are as those of Presence.
func (h *Hub[C]) CountPresent(in []Target, done func([]int, error)) error {
	if len(in) > MaxTargets {
		return tooManyTargets(len(in))
	}
	for _, t := range in {
		if err := h.checkPresence(t); err != nil {
			return err
		}
	}
	h.presence.CountPresent(in, done)
	return nil
}

// PresenceStats tells of all channels that have presence together. done and the error are as those of Presence.
func (h *Hub[C]) PresenceStats(done func(PresenceStats, error)) error {
	if h.presence == nil {
		return ErrNoPresence
	}
	h.presence.PresenceStats(done)
	return nil
}
