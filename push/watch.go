package push

import (
	"fmt"
	"iter"
	"slices"
)

// Step is a step of a publication on a node.
type Step string

// The steps, in their order.
const (
	Published Step = "publication" // the node has it: it was asked, or the Broker brought it
	Delivered Step = "delivery"    // it was handed to connections of the node
	Finished  Step = "outcome"     // all nodes have confirmed it, or were given up; on the node that was asked
	Refused   Step = "refusal"     // nothing was sent
)

// Event is a step of a publication. It is on loan, with all that it has, until Watch.Tell returns.
type Event struct {
	Step Step
	Node string // where it happens

	// Number is that of the publication, the same on all nodes: the name of the node that was asked, and how many it
	// was asked before. Empty if it was refused.
	Number string

	// Of Published and Refused.
	To     []Target // its targets, without those that may not be told of
	Hidden int      // how many these are
	From   *Source  // nil on nodes of other processes than that which was asked
	Data   []byte

	// Of Delivered.
	Conns []Recipient // that it was handed to, of those of the target that is watched; up to Watch.MaxConns
	Full  int         // connections of all its targets, on this node, that did not accept it

	N   int   // of Delivered: how many Conns there are in all. Of Finished: connections that accepted it, on all nodes
	Err error // of Finished and Refused
}

// Recipient is a connection that gets a publication.
type Recipient struct {
	Conn Target
	UID  string // empty if nobody's
}

func (r Recipient) String() string { return fmt.Sprintf("%s (%s)", r.Conn, r.UID) }

// Watch is what somebody wants to be told of publications.
type Watch struct {
	// Target is whose publications are told of: those for it and, if it is a uid or a connection, those that it gets by
	// another target. Everyone means all publications that this node has to do with.
	Target Target

	// May reports whether a target of a publication may be told of; a publication none of whose targets may, is not
	// told of. nil: all may.
	May func(Target) bool

	MaxConns int // how many connections an Event names

	// Tell is called on the loop of the Hub, in the midst of its work: it must not call the Hub, but may end the Watch.
	Tell func(*Event)
}

// Watch begins to tell of publications, until stop is called: of what happens on this node, which is what its program
// publishes, and what the Broker brings. For a uid, a group or a channel that is what all nodes publish for it; for
// Everyone what concerns connections of this node; deliveries are those of this node. A connection is watched on the
// node that has it. began is called on the loop when nothing is missed any more, perhaps before Watch returns.
func (h *Hub[C]) Watch(w Watch, began func()) (stop func(), err error) {
	if err := w.Target.Check(); err != nil {
		return nil, err
	}
	kind, name := w.Target.Split()
	one := &watching[C]{Watch: w, hub: h, kind: kind, name: name}
	if kind == ToConn {
		found := h.find(w.Target)
		if len(found) == 0 {
			return nil, fmt.Errorf("push: connection %q is not on this node: watch it on the node that has it",
				w.Target)
		}
		one.member = found[0]
	}
	h.watches = append(slices.Clip(h.watches), one)
	if !one.isSubscribed() {
		began()
	} else {
		h.subscribed(w.Target, began)
	}
	return one.stop, nil
}

// watching is a Watch that has begun. Owned by the loop.
type watching[C Conn] struct {
	Watch
	hub    *Hub[C]
	kind   Kind
	name   string
	member *Member[C] // whose connection it is; nil unless one is watched
	ended  bool

	// Of the delivery at hand.
	set   *set[C] // of the target
	n     int
	conns []Recipient
}

// isSubscribed reports whether the node has to subscribe to the target though none of its connections may be in it.
func (w *watching[C]) isSubscribed() bool {
	return !w.hub.isAlone() && (w.kind == ToUID || w.kind == ToGroup || w.kind == ToChannel)
}

func (w *watching[C]) stop() {
	h := w.hub
	if w.ended {
		return
	}
	w.ended = true
	h.watches = slices.DeleteFunc(slices.Clone(h.watches), func(other *watching[C]) bool { return other == w })
	if w.isSubscribed() && !h.closed && !h.isWatched(w.Target) && h.sets[w.kind][w.name] == nil {
		h.link.Unsubscribe([]Target{w.Target})
	}
}

// isWatched reports whether what is published for a target concerns this node whoever is there.
func (h *Hub[C]) isWatched(t Target) bool {
	return slices.ContainsFunc(h.watches, func(w *watching[C]) bool { return w.Target == t && w.isSubscribed() })
}

// isNamed reports whether a publication is for the target.
func (w *watching[C]) isNamed(to []Target) bool {
	return w.kind == ToEveryone || slices.Contains(to, w.Target)
}

// begin begins a delivery.
func (w *watching[C]) begin() {
	w.n, w.conns = 0, w.conns[:0]
	if w.kind == ToGroup || w.kind == ToChannel {
		w.set = w.hub.sets[w.kind][w.name]
	}
}

// note counts a connection that a delivery goes to, if it is one of the target's.
func (w *watching[C]) note(m *Member[C]) {
	switch w.kind {
	case ToUID:
		if m.UID() != w.name {
			return
		}
	case ToConn:
		if m != w.member {
			return
		}
	case ToGroup, ToChannel:
		if w.set == nil || m.positionIn(w.set) < 0 {
			return
		}
	}
	if w.n++; w.n <= w.MaxConns {
		w.conns = append(w.conns, m.recipient())
	}
}

// shown are those of some targets that may be told of.
func (w *watching[C]) shown(to []Target) []Target {
	if w.May == nil {
		return to
	}
	return slices.DeleteFunc(slices.Clone(to), func(t Target) bool { return !w.May(t) })
}

// tellOf tells of a publication, unless none of its targets may be told of.
func (w *watching[C]) tellOf(e Event, to []Target) (told bool) {
	e.To = w.shown(to)
	if e.Hidden = len(to) - len(e.To); e.Hidden > 0 && len(e.To) == 0 {
		return false
	}
	w.tell(&e)
	return true
}

// tell tells of an event, unless the Watch has ended while all are told.
func (w *watching[C]) tell(e *Event) {
	if !w.ended {
		w.Tell(e)
	}
}

// watched tells of a publication that begins here, and returns what its outcome goes to.
func (h *Hub[C]) watched(m Message[C], number uint64, done func(Outcome)) func(Outcome) {
	e := Event{Step: Published, Node: h.node, Number: numberOf(h.node, number), From: m.From, Data: m.Data}
	var told []*watching[C]
	for _, w := range h.watches {
		if w.isNamed(m.To) && w.tellOf(e, m.To) {
			told = append(told, w)
		}
	}
	return func(o Outcome) {
		for _, w := range told {
			w.tell(&Event{Step: Finished, Node: h.node, Number: e.Number, N: o.Reached, Err: o.Err})
		}
		if done != nil {
			done(o)
		}
	}
}

// beginNoting begins a delivery for those who watch.
func (h *Hub[C]) beginNoting() {
	for _, w := range h.watches {
		w.begin()
	}
	h.handed = 0
}

// noting is an audience of the delivery at hand that is noted for those who watch.
func (h *Hub[C]) noting(audience iter.Seq[C]) iter.Seq[C] {
	return func(yield func(C) bool) {
		for c := range audience {
			h.handed++
			m := h.members[c.ID()]
			for _, w := range h.watches {
				w.note(m)
			}
			if !yield(c) {
				return
			}
		}
	}
}

// told tells of a delivery whose audience was noted, and of its publication who has not been told of that yet.
func (h *Hub[C]) told(to []Target, p Publication, reached int) {
	e := Event{Step: Published, Node: h.node, Number: numberOf(p.Node, p.Number), From: p.from, Data: p.Data}
	own := p.Node == h.node
	if pending := h.pending[p.Number]; own && pending != nil {
		e.From = pending.from
	}
	for _, w := range h.watches {
		named := w.isNamed(to)
		if !named && (w.n == 0 || w.kind == ToGroup || w.kind == ToChannel) || len(w.shown(to)) == 0 {
			continue
		}
		if !named || !own { // else that was told when it was published
			w.tellOf(e, to)
		}
		if w.n > 0 {
			w.tell(&Event{
				Step: Delivered, Node: h.node, Number: e.Number, Conns: w.conns, N: w.n, Full: h.handed - reached,
			})
		}
	}
}

// unsent tells that a message was refused.
func (h *Hub[C]) unsent(m Message[C], err error) {
	for _, w := range h.watches {
		if w.isNamed(m.To) {
			w.tellOf(Event{Step: Refused, Node: h.node, From: m.From, Data: m.Data, Err: err}, m.To)
		}
	}
}

// numberOf is how a publication is called on all nodes.
func numberOf(node string, number uint64) string { return fmt.Sprintf("%s.%d", node, number) }

// recipient is the connection as it is told of.
func (m *Member[C]) recipient() Recipient {
	return Recipient{m.Target(), m.UID()}
}
