package events

import (
	"fmt"
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
)

// A Dispatcher is handed over to another process as a push.Hub is, in the same order: AppendState and HandedOver in the
// predecessor, RestoreState, Reattach, Await and Restored in the successor. What waits for a listener whose connection
// crosses, what that was sent and has not acknowledged, and the numbers of both stay as they are: nothing is sent
// again. What the hooks of the predecessor were given goes to those of the successor of the same name, and is marked as
// sent again, as an answer may be under way.

// stateVersion is that of all states of this package. Version 2 has what is known of other nodes: programs that knew
// version 1 passed over it.
const stateVersion = 2

// The fields of a Dispatcher.
const (
	fieldClock      = 1
	fieldForgotten  = 2 // Counters
	fieldCompletion = 3 // once for each, before the groups, which name them by their order
	fieldGroup      = 4 // once for each
	fieldUnclaimed  = 5 // a group
	fieldEarlyLeft  = 6 // for how long it is kept, in milliseconds
	fieldEarlySaid  = 7 // once for each
	fieldEarlyGone  = 8 // likewise
	fieldCluster    = 9 // before the groups
)

// The fields of a completion.
const (
	fieldReceipt = 1
	fieldError   = 2 // index of errs, and 1; 0: nothing is wrong yet
)

// errs are those that a completion may have.
var errs = []error{ErrNobody, ErrDropped, ErrFailed}

// AppendState appends all groups with what waits in them, who listens, and what is known of other nodes. Who waits for
// an event that was acknowledged is told first. It gives nothing up.
func (d *Dispatcher) AppendState(dst []byte) []byte {
	for len(d.due) > 0 {
		d.tellDue()
	}
	w := &stateWriter{
		now: d.options.Now(), completions: make(map[*completion]uint64), inflows: make(map[*inflow]uint64),
	}
	dst = fields.Begin(dst, stateVersion)
	dst = fields.Uint(dst, fieldClock, d.clock.last)
	dst = fields.Nested(dst, fieldForgotten, d.forgotten.appendState)
	all := d.groups
	if d.unclaimed != nil {
		all = append(slices.Clip(all), d.unclaimed)
	}
	for _, g := range all {
		for it := range g.items {
			dst = w.appendCompletion(dst, it.done)
		}
	}
	if c := d.cluster; c != nil {
		dst = fields.Nested(dst, fieldCluster, func(dst []byte) []byte { return w.appendCluster(dst, c) })
	}
	for _, g := range d.groups {
		dst = fields.Nested(dst, fieldGroup, func(dst []byte) []byte { return w.appendGroup(dst, g) })
	}
	if g := d.unclaimed; g != nil {
		dst = fields.Nested(dst, fieldUnclaimed, func(dst []byte) []byte { return w.appendGroup(dst, g) })
	}
	return d.early.appendState(dst, w.now)
}

// stateWriter is what the state of a Dispatcher is written with.
type stateWriter struct {
	now         time.Time
	completions map[*completion]uint64 // their places among all
	inflows     map[*inflow]uint64     // likewise
}

// appendCompletion appends who waits for an event, if the successor can tell that one.
func (w *stateWriter) appendCompletion(dst []byte, c *completion) []byte {
	if c == nil || c.receipt == "" || w.completions[c] > 0 {
		return dst
	}
	w.completions[c] = uint64(len(w.completions) + 1)
	return fields.Nested(dst, fieldCompletion, func(dst []byte) []byte {
		dst = fields.Bytes(dst, fieldReceipt, c.receipt)
		return fields.Uint(dst, fieldError, uint64(slices.Index(errs, c.err)+1))
	})
}

// items are all that the group has not done with.
func (g *group) items(yield func(*item) bool) {
	queues := []*queue{&g.waiting}
	for _, l := range g.listeners {
		queues = append(queues, &l.queue)
	}
	for _, q := range queues {
		for i := range q.len() {
			if !yield(q.at(i)) {
				return
			}
		}
	}
}

// HandedOver notes that a successor has all that the Dispatcher had. It forgets that, and tells nobody anything:
// nothing is sent to listeners any more, nor is who waits for an event told what becomes of it; who emits another one
// is told ErrNobody. Pages are not held any more.
func (d *Dispatcher) HandedOver() {
	for _, g := range d.groups {
		g.deserted++ // no timer forgets it
		for _, l := range g.listeners {
			l.closed = true
		}
	}
	if d.cluster != nil {
		clear(d.cluster.peers) // no timer tells them anything
	}
	d.groups, d.unclaimed, d.early, d.cluster = nil, nil, early{}, nil
	clear(d.wanted)
	d.handedOver = true
	held := d.held
	d.held = make(map[push.Target]int)
	if d.options.Hold != nil {
		for conn := range held {
			d.options.Hold(conn, false)
		}
	}
	d.changed()
}

// arriving is what a predecessor had, until Restored.
type arriving struct {
	completions []*completion // nil where nobody can be told
	inflows     []cameIn
	waiters     map[string][]*completion
	listeners   map[uint64]*Listener // that are to be reattached, by their numbers
	deserted    map[*group]time.Duration
	early       time.Duration
	syncing     []*group
}

// RestoreState takes what AppendState of a predecessor has said. Hooks listen already; listeners of other groups are
// those of the predecessor, and get nothing before Reattach and Restored. The state is on loan until it returns. An
// error says that it cannot be understood. Options.Began is not told.
func (d *Dispatcher) RestoreState(state []byte) error {
	state, err := fields.Open(state, stateVersion)
	if err != nil {
		return err
	}
	for _, g := range d.groups {
		for _, l := range g.listeners {
			l.full = true // until Restored: the predecessor may have to go on
		}
	}
	d.arriving = &arriving{
		waiters: make(map[string][]*completion), listeners: make(map[uint64]*Listener),
		deserted: make(map[*group]time.Duration),
	}
	if err := fields.Each(state, fieldCluster, d.takeState); err != nil {
		return err
	}
	d.changed()
	return nil
}

func (d *Dispatcher) takeState(number uint64, value []byte) (err error) {
	switch number {
	case fieldClock:
		var last uint64
		err = fields.Put(&last, value)
		d.clock.last = max(d.clock.last, last)
	case fieldForgotten:
		err = d.forgotten.restoreState(value)
	case fieldCompletion:
		err = d.arriving.takeCompletion(value)
	case fieldCluster:
		err = d.takeCluster(value)
	case fieldGroup:
		err = d.takeGroup(value, false)
	case fieldUnclaimed:
		err = d.takeGroup(value, true)
	case fieldEarlyLeft:
		err = putTime(&d.arriving.early, value)
	case fieldEarlySaid:
		err = d.early.takeSaid(value)
	case fieldEarlyGone:
		if d.early.gone == nil {
			d.early.gone = make(map[push.Target]bool)
		}
		d.early.gone[push.Target(value)] = true
	}
	return err
}

func (a *arriving) takeCompletion(state []byte) error {
	c, err := &completion{done: func(error) {}}, uint8(0)
	if err := fields.Each(state, fieldError, func(number uint64, value []byte) (wrong error) {
		switch number {
		case fieldReceipt:
			c.receipt = string(value)
		case fieldError:
			wrong = fields.Put(&err, value)
		}
		return wrong
	}); err != nil {
		return err
	}
	if int(err) > len(errs) {
		return fields.ErrMalformed
	}
	if err > 0 {
		c.err = errs[err-1]
	}
	a.completions = append(a.completions, c)
	a.waiters[c.receipt] = append(a.waiters[c.receipt], c)
	return nil
}

// Await has done be called as that of Emit, for an event of the predecessor that had this Receipt, before Restored is
// called. It reports whether there is one that nobody waits for yet.
func (d *Dispatcher) Await(receipt string, done func(error)) bool {
	if d.arriving == nil || len(d.arriving.waiters[receipt]) == 0 {
		return false
	}
	c := d.arriving.waiters[receipt][0]
	d.arriving.waiters[receipt] = d.arriving.waiters[receipt][1:]
	if c.done = done; c.left == 0 { // no group of the successor has it
		d.later(func() { done(ErrDropped) })
	}
	return true
}

// Number tells a listener apart from all others of this process and of its successor.
func (l *Listener) Number() uint64 { return l.number }

// Reattach gives a listener of the predecessor, which had this Number, the Sink of its connection, between RestoreState
// and Restored. It gets what is next for it from Restored on.
func (d *Dispatcher) Reattach(number uint64, sink Sink) (*Listener, error) {
	var l *Listener
	if d.arriving != nil {
		l = d.arriving.listeners[number]
	}
	if l == nil || l.sink != nil {
		return nil, fmt.Errorf("events: the predecessor has no listener %d, or it is attached", number)
	}
	l.sink = sink
	return l, nil
}

// Restored notes that all that has crossed is there again, and that the loop runs. Listeners that were not reattached
// are closed. Options.Hold is told again of the pages that are held. The program tells Close and Gone of connections
// that have not crossed. A Dispatcher that was not restored does nothing.
func (d *Dispatcher) Restored() {
	had := d.arriving
	if had == nil {
		return
	}
	d.arriving = nil
	for _, l := range had.listeners {
		if l.sink == nil {
			l.Close()
		}
	}
	for _, g := range slices.Clone(d.groups) {
		for _, l := range slices.Clone(g.listeners) {
			l.Resume()
		}
	}
	for g, left := range had.deserted {
		if g == d.unclaimed {
			g.expireAfter(left)
		} else {
			g.forgetAfter(left)
		}
	}
	for _, g := range had.syncing {
		g.sync()
	}
	d.early.restored(d, had.early)
	if d.options.Hold != nil {
		for conn := range d.held {
			d.options.Hold(conn, true)
		}
	}
	if d.cluster != nil {
		d.cluster.goOn()
	}
}

// putTime reads a time in milliseconds.
func putTime(to *time.Duration, value []byte) error {
	var ms uint32
	err := fields.Put(&ms, value)
	*to = time.Duration(ms) * time.Millisecond
	return err
}

// milliseconds is a time as it crosses: at least one.
func milliseconds(d time.Duration) uint64 { return uint64(max(1, d.Milliseconds())) }
