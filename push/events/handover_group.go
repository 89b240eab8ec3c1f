package events

import (
	"slices"
	"strings"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
)

// The fields of a group. What is bound names listeners by their order.
const (
	fieldGroupName     = 1
	fieldGroupKind     = 2 // once for each
	fieldGroupOf       = 3 // likewise
	fieldGroupPart     = 4 // it wants what fits Of only
	fieldGroupHook     = 5
	fieldGroupObserves = 6
	fieldGroupMute     = 7
	fieldGroupOmitted  = 8
	fieldGroupCounters = 9
	fieldGroupListener = 10 // once for each
	fieldGroupBinding  = 11 // once for each, behind the listeners
	fieldGroupWaiting  = 12 // once for each item
	fieldGroupHeld     = 13 // once for each connection
	fieldGroupLeft     = 14 // until it is forgotten, in milliseconds; 0: it has a listener
	fieldGroupSyncing  = 15
)

// The fields of Counters.
const (
	fieldEmitted = 1
	fieldDropped = 2
	fieldLate    = 3
	fieldAgain   = 4
)

func (c *Counters) appendState(dst []byte) []byte {
	dst = fields.Uint(dst, fieldEmitted, c.Emitted)
	dst = fields.Uint(dst, fieldDropped, c.Dropped)
	dst = fields.Uint(dst, fieldLate, c.Late)
	return fields.Uint(dst, fieldAgain, c.Again)
}

// restoreState adds the Counters of a predecessor.
func (c *Counters) restoreState(state []byte) error {
	var had Counters
	all := map[uint64]*uint64{
		fieldEmitted: &had.Emitted, fieldDropped: &had.Dropped, fieldLate: &had.Late, fieldAgain: &had.Again,
	}
	err := fields.Each(state, fieldAgain, func(number uint64, value []byte) error {
		if counter := all[number]; counter != nil {
			return fields.Put(counter, value)
		}
		return nil
	})
	c.add(had)
	return err
}

func (w *stateWriter) appendGroup(dst []byte, g *group) []byte {
	dst = fields.Bytes(dst, fieldGroupName, g.name)
	for _, k := range g.kinds {
		dst = fields.Item(dst, fieldGroupKind, k)
	}
	for _, pattern := range g.of {
		dst = fields.Item(dst, fieldGroupOf, pattern)
	}
	dst = fields.Bool(dst, fieldGroupPart, g.of != nil)
	dst = fields.Bool(dst, fieldGroupHook, g.hook)
	dst = fields.Bool(dst, fieldGroupObserves, g.observes)
	dst = fields.Bool(dst, fieldGroupMute, g.mute)
	dst = fields.Uint(dst, fieldGroupOmitted, uint64(g.omitted))
	dst = fields.Nested(dst, fieldGroupCounters, g.counters.appendState)
	places := make(map[*Listener]uint64)
	for i, l := range g.listeners {
		places[l] = uint64(i + 1)
		dst = fields.Nested(dst, fieldGroupListener, func(dst []byte) []byte { return w.appendListener(dst, l) })
	}
	for conn, b := range g.bindings {
		dst = fields.Nested(dst, fieldGroupBinding, func(dst []byte) []byte {
			dst = fields.Bytes(dst, fieldBindingConn, conn)
			dst = fields.Uint(dst, fieldBindingListener, places[b.listener])
			return fields.Bool(dst, fieldBindingGone, b.gone)
		})
	}
	dst = w.appendQueue(dst, fieldGroupWaiting, &g.waiting)
	for conn := range g.holding {
		dst = fields.Item(dst, fieldGroupHeld, conn)
	}
	if len(g.listeners) == 0 {
		dst = fields.Uint(dst, fieldGroupLeft, milliseconds(g.until.Sub(w.now)))
	}
	return fields.Bool(dst, fieldGroupSyncing, g.syncing)
}

// groupState is a group that is being read.
type groupState struct {
	name           string
	kinds          []Kind
	of             []string
	part           uint8
	hook, observes uint8
	mute, syncing  uint8
	omitted        uint32
	counters       Counters
	listeners      []listenerState
	bindings       []bindingState
	waiting        []itemState
	held           []push.Target
	left           time.Duration
}

func (s *groupState) take(number uint64, value []byte) (err error) {
	switch number {
	case fieldGroupName:
		s.name = string(value)
	case fieldGroupKind:
		s.kinds = append(s.kinds, Kind(value))
	case fieldGroupOf:
		s.of = append(s.of, string(value))
	case fieldGroupPart:
		err = fields.Put(&s.part, value)
	case fieldGroupHook:
		err = fields.Put(&s.hook, value)
	case fieldGroupObserves:
		err = fields.Put(&s.observes, value)
	case fieldGroupMute:
		err = fields.Put(&s.mute, value)
	case fieldGroupOmitted:
		err = fields.Put(&s.omitted, value)
	case fieldGroupCounters:
		err = s.counters.restoreState(value)
	case fieldGroupListener:
		s.listeners = append(s.listeners, listenerState{})
		err = fields.Each(value, fieldListenerRelay, s.listeners[len(s.listeners)-1].take)
	case fieldGroupBinding:
		s.bindings = append(s.bindings, bindingState{})
		err = fields.Each(value, fieldBindingGone, s.bindings[len(s.bindings)-1].take)
	case fieldGroupWaiting:
		s.waiting, err = takeItem(s.waiting, value)
	case fieldGroupHeld:
		s.held = append(s.held, push.Target(value))
	case fieldGroupLeft:
		err = putTime(&s.left, value)
	case fieldGroupSyncing:
		err = fields.Put(&s.syncing, value)
	}
	return err
}

// check tells whether a group is one that there can be.
func (s *groupState) check(unclaimed bool) error {
	w := Listen{Group: s.name, Events: s.kinds}
	if !unclaimed && w.check() != nil {
		return fields.ErrMalformed
	}
	for _, l := range s.listeners {
		if l.window == 0 || l.window > MaxWindow || int(l.sent) > len(l.items) {
			return fields.ErrMalformed
		}
		if r := l.relay; r != nil && (r.arrived < l.acked || r.arrived > l.acked+uint64(l.sent)) {
			return fields.ErrMalformed
		}
	}
	for _, b := range s.bindings {
		if int(b.listener) > len(s.listeners) {
			return fields.ErrMalformed
		}
	}
	return nil
}

// takeGroup has a group go on. That of a hook goes on as what the hook of this process has; without one, what waits
// there is dropped.
func (d *Dispatcher) takeGroup(state []byte, unclaimed bool) error {
	var s groupState
	if err := fields.Each(state, fieldGroupSyncing, s.take); err != nil {
		return err
	}
	if err := s.check(unclaimed); err != nil {
		return err
	}
	if s.part != 0 && s.of == nil {
		s.of = []string{}
	}
	g, at, known := d.find(s.name)
	switch {
	case unclaimed:
		d.unclaimed = d.newGroup("")
		d.unclaimed.goOn(&s)
	case s.hook != 0 && known:
		g.takeOver(&s)
	case s.hook != 0:
		s.counters.Dropped += uint64(s.size())
		d.forgotten.add(s.counters)
	case known || len(d.groups) >= maxGroups:
		return fields.ErrMalformed
	default:
		g = d.newGroup(strings.Clone(s.name))
		d.groups = slices.Insert(d.groups, at, g)
		d.rewant(g, s.kinds, s.of)
		g.goOn(&s)
	}
	return nil
}

// size is how many events wait in the group.
func (s *groupState) size() (n int) {
	for _, l := range s.listeners {
		n += len(l.items)
	}
	return n + len(s.waiting)
}

// takeOver gives the listeners of this process what those of the predecessor had.
func (g *group) takeOver(s *groupState) {
	g.counters.add(s.counters)
	g.omitted += int(s.omitted)
	for _, l := range s.listeners {
		for i, it := range l.items {
			if it.alone == 0 {
				it.again |= flag(i < int(l.sent))
				g.enqueue(g.restored(it), it.conn)
			}
		}
	}
	for _, it := range s.waiting {
		g.enqueue(g.restored(it), it.conn)
	}
	for _, b := range s.bindings {
		if there := g.bindings[b.conn]; there != nil && b.gone != 0 {
			there.gone = true
		}
	}
}

// restored is an event as the group has it.
func (g *group) restored(s itemState) item {
	it := item{text: s.text, at: s.at, again: s.again != 0}
	if s.came != 0 && s.alone == 0 {
		g.cameFrom(&it, &s)
	} else if all := g.dispatcher.arriving.completions; s.done > 0 && int(s.done) <= len(all) {
		it.done = all[s.done-1]
		it.done.left++
	}
	return it
}

// goOn has a new group be as it was.
func (g *group) goOn(s *groupState) {
	d := g.dispatcher
	g.observes, g.mute, g.omitted, g.counters = s.observes != 0, s.mute != 0, int(s.omitted), s.counters
	for _, was := range s.listeners {
		l := &Listener{
			group: g, number: was.number, window: int(was.window), acked: was.acked, sent: int(was.sent),
			behind: was.behind != 0, full: true,
		}
		d.lastListener = max(d.lastListener, was.number)
		g.listeners = append(g.listeners, l)
		if was.relay == nil || !d.cluster.resumeRelay(l, was.relay) {
			d.arriving.listeners[was.number] = l
		}
	}
	for _, was := range s.bindings {
		b := &binding{conn: was.conn, gone: was.gone != 0}
		if was.listener > 0 {
			b.listener = g.listeners[was.listener-1]
			b.listener.conns++
		}
		g.bindings[was.conn] = b
	}
	for i, was := range s.listeners {
		for _, it := range was.items {
			g.fill(&g.listeners[i].queue, it)
		}
	}
	for _, it := range s.waiting {
		g.fill(&g.waiting, it)
	}
	for _, conn := range s.held {
		g.holdAgain(conn)
	}
	if len(g.listeners) == 0 {
		d.arriving.deserted[g] = min(s.left, d.options.Keep)
	}
	if s.syncing != 0 {
		d.arriving.syncing = append(d.arriving.syncing, g)
	}
}

// fill puts an event where it was.
func (g *group) fill(q *queue, s itemState) {
	it := g.restored(s)
	if s.alone == 0 {
		b := g.bindings[s.conn]
		if b == nil {
			b = &binding{conn: s.conn}
			g.bindings[s.conn] = b
		}
		b.items++
		it.binding = b
	}
	q.push(it)
}

// holdAgain notes that a page is held.
func (g *group) holdAgain(conn push.Target) {
	if g.holding == nil {
		g.holding = make(map[push.Target]bool)
	}
	if !g.holding[conn] {
		g.holding[conn] = true
		g.dispatcher.held[conn]++
	}
}
