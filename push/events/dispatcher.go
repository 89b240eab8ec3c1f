package events

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lineman-go/lineman/push"
)

// Errors of Emit's done.
var (
	ErrNobody  = errors.New("events: nobody listens")
	ErrDropped = errors.New("events: too many events wait, or for too long")
	ErrFailed  = errors.New("events: the back end has not taken it")
)

// Options are what a Dispatcher needs of the program.
type Options struct {
	After func(d time.Duration, f func()) // runs a function on the loop after a time; required
	Do    func(f func()) bool             // runs it in the next tick; required
	Now   func() time.Time                // nil means time.Now

	// What each group keeps at most of what was not acknowledged; 0 means 100,000 events, and 64 MiB.
	Waiting, Bytes int

	// Keep is for how long events wait for a listener; 0 means a minute. A group without a listener for so long is
	// forgotten.
	Keep time.Duration

	// Early is for how long after New what pages say is kept for groups that begin later, although others take it:
	// after a restart groups are not known until their listeners come back. 0 means not at all.
	Early time.Duration

	// Hold is told to stop reading what a connection says, whose listener has more to do than it should, and to go on.
	// nil: nobody is held up.
	Hold func(conn push.Target, on bool)

	// Began is told when there is a group to tell events, where there was none. nil: nobody is.
	Began func()

	// Changed is told when what Wants, HasListeners and IsIdle tell may have changed. nil: nobody is.
	Changed func()

	// State tells who is there: the uids that have a connection, or the channels that have a subscriber, or both. It is
	// not older than what was emitted before the call of done, on the loop. nil: nobody knows, and there is no Sync.
	State func(uids, channels bool, done func(uids, channels []string, err error))
}

// Dispatcher gives events to listeners. Owned by the loop.
type Dispatcher struct {
	options Options
	clock   clock
	groups  []*group // in the order of their names
	wanted  map[Kind]int
	// unclaimed keeps what pages say while no group wants to know it: it is for the first one that does
	unclaimed *group
	early     early
	leaving   bool                // the process ends
	succeeded bool                // and has a successor
	cluster   *cluster            // nil: there are no other nodes
	held      map[push.Target]int // by how many groups
	forgotten Counters            // of groups that are no more
	scratch   []byte              // for the line at hand
	due       []func()            // what is to be told to who waits for events

	lastListener uint64    // number of the one that came last
	arriving     *arriving // what a predecessor had, until Restored; nil: there was none
	handedOver   bool      // a successor has all
}

// New makes a Dispatcher without listeners.
func New(o Options) *Dispatcher {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Waiting = cmp.Or(o.Waiting, 100_000)
	o.Bytes = cmp.Or(o.Bytes, 64<<20)
	o.Keep = cmp.Or(o.Keep, defaultKeep)
	d := &Dispatcher{options: o, wanted: make(map[Kind]int), held: make(map[push.Target]int)}
	if o.Early > 0 {
		d.early.until = o.Now().Add(o.Early)
	}
	return d
}

// Wants reports whether any listener wants events of a kind, so that others need not be made.
func (d *Dispatcher) Wants(k Kind) bool { return len(d.groups) > 0 && d.wanted[k] > 0 }

// Emit tells of an event. done, unless it is nil, is called in a later tick, once all groups that want the event have
// acknowledged it, or with the first error: ErrNobody, ErrDropped or ErrFailed. A Message that nobody wants yet waits
// for a group that does. An RPC goes to the first group that wants it, by their names. Observers are nobody in this:
// they get it besides.
func (d *Dispatcher) Emit(e *Event, done func(error)) {
	var room [4]*group
	to, observed := d.audience(e, room[:0])
	if len(to) == 0 && done != nil {
		d.later(func() { done(ErrNobody) })
	}
	if len(to) == 0 && !observed {
		return
	}
	d.stamp(e)
	text := e.append(make([]byte, 0, aroundData+len(e.Data)+len(e.Session)))
	var c *completion
	if done != nil {
		c = &completion{left: len(to), done: done, receipt: e.Receipt}
	}
	if len(to) > 0 {
		d.keepEarly(e, text, to[0] == d.unclaimed)
	}
	for _, g := range to {
		g.put(e, text, c)
	}
	for i := 0; observed && i < len(d.groups); i++ {
		if g := d.groups[i]; g.observes && g.wants(e) {
			g.put(e, text, nil)
		}
	}
}

// audience appends the groups that an event is for, and tells whether observers want it, too.
func (d *Dispatcher) audience(e *Event, to []*group) (all []*group, observed bool) {
	for _, g := range d.groups {
		switch {
		case !g.wants(e):
		case g.observes:
			observed = true
		case e.Kind != RPC || len(to) == 0:
			to = append(to, g)
		}
	}
	if len(to) == 0 && e.Kind == Message && !d.isClaimed() && !d.handedOver {
		to = append(to, d.unclaimedGroup())
	}
	return to, observed
}

// isClaimed reports whether there is a group that messages are for, be it not all of them.
func (d *Dispatcher) isClaimed() bool {
	return d.wanted[Message] > 0 && slices.ContainsFunc(d.groups, (*group).claims)
}

// aroundData is how long most events are beside their data, in bytes.
const aroundData = 192

// stamp gives an event its number and its time.
func (d *Dispatcher) stamp(e *Event) {
	now := d.options.Now()
	if e.At.IsZero() {
		e.At = now
	}
	if e.Seq == 0 {
		e.Seq = d.clock.next(now)
	}
}

// Gone is told that a connection has closed, and that nothing more comes of it.
func (d *Dispatcher) Gone(conn push.Target) {
	if len(d.early.said) > 0 {
		d.early.gone[conn] = true
	}
	for _, g := range d.groups {
		g.closed(conn)
	}
	if d.unclaimed != nil {
		d.unclaimed.closed(conn)
	}
}

// HasListeners reports whether there is a group, be it that its listener has just gone.
func (d *Dispatcher) HasListeners() bool { return len(d.groups) > 0 }

// IsIdle reports whether there is nobody to tell anything, and nothing that waits.
func (d *Dispatcher) IsIdle() bool { return len(d.groups) == 0 && d.unclaimed == nil }

// maxGroups is how many groups there may be.
const maxGroups = 64

// Listen adds a listener. Its Sink may get events before Listen returns.
func (d *Dispatcher) Listen(w Listen) (*Listener, error) {
	l, err := d.listen(w, nil)
	if err == nil && !w.Observe {
		d.cluster.changed()
	}
	return l, err
}

// listen adds a listener, which is on another node if there is a relay to it.
func (d *Dispatcher) listen(w Listen, r *relay) (*Listener, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	g, at, known := d.find(w.Group)
	switch {
	case known && (w.Observe || g.observes):
		return nil, fmt.Errorf("events: there is a group %q already, and an observer has one of its own", w.Group)
	case !known:
		if len(d.groups) >= maxGroups {
			return nil, fmt.Errorf("events: there are %d groups already: %w", maxGroups, push.ErrLimit)
		}
		g = d.newGroup(w.Group)
		d.groups = slices.Insert(d.groups, at, g)
		d.changed()
		if len(d.groups) == 1 && d.options.Began != nil {
			d.options.Began()
		}
	}
	before := g.kinds
	if r == nil || !g.isServedHere() {
		d.rewant(g, w.Events, w.Of)
	}
	g.hook, g.observes = w.Hook, w.Observe
	d.lastListener++
	l := &Listener{
		group: g, number: d.lastListener, sink: w.Sink, window: cmp.Or(w.Window, defaultWindow), relay: r,
	}
	g.listeners = append(g.listeners, l)
	g.mute = g.mute || r != nil && !known
	if !known && !w.Hook && g.claims() {
		g.catchUp()
	}
	if d.unclaimed != nil && g.claims() {
		d.claim(g)
	}
	if d.succeeded && r == nil && !w.Hook {
		l.tell(d.begin(Leaving))
	}
	g.serve()
	g.release(false)
	g.tellOmitted()
	wantsMore := func(k Kind) bool { return k.isState() && !slices.Contains(before, k) }
	if !known || slices.ContainsFunc(w.Events, wantsMore) {
		g.sync()
	}
	return l, nil
}

// find finds a group, or the place for it.
func (d *Dispatcher) find(name string) (g *group, at int, known bool) {
	at, known = slices.BinarySearchFunc(d.groups, name, func(g *group, name string) int {
		return strings.Compare(g.name, name)
	})
	if known {
		g = d.groups[at]
	}
	return g, at, known
}

func (d *Dispatcher) newGroup(name string) *group {
	return &group{dispatcher: d, name: name, bindings: make(map[string]*binding)}
}

// rewant has a group want other events.
func (d *Dispatcher) rewant(g *group, kinds []Kind, of []string) {
	for _, k := range g.kinds {
		d.wanted[k]--
	}
	g.kinds, g.of = slices.Compact(slices.Sorted(slices.Values(kinds))), slices.Clone(of)
	for _, k := range g.kinds {
		d.wanted[k]++
	}
	d.changed()
}

func (d *Dispatcher) changed() {
	if d.options.Changed != nil {
		d.options.Changed()
	}
}

// unclaimedGroup is the group of what nobody wants yet.
func (d *Dispatcher) unclaimedGroup() *group {
	if d.unclaimed == nil {
		d.unclaimed = d.newGroup("")
		d.changed()
		d.unclaimed.expireAfter(d.options.Keep)
	}
	return d.unclaimed
}

// claim gives what nobody has wanted so far to a group.
func (d *Dispatcher) claim(g *group) {
	from := d.unclaimed
	d.unclaimed = nil
	d.changed()
	d.early.claimed()
	for from.waiting.len() > 0 {
		it := from.waiting.pop()
		b := g.bind(it.binding.conn)
		b.items++
		b.gone = b.gone || it.binding.gone
		it.binding = b
		b.listener.queue.push(it)
	}
	from.release(true)
}

// forget forgets a group that has had no listener for long, and drops what waits there.
func (d *Dispatcher) forget(g *group) {
	d.rewant(g, nil, nil)
	d.groups = slices.DeleteFunc(d.groups, func(other *group) bool { return other == g })
	d.changed()
	for g.waiting.len() > 0 {
		g.dropFirst()
	}
	if !g.observes {
		d.forgotten.add(g.counters)
	}
	g.release(true)
}

// Leave says that this process ends: what it knows of who is there is told no more. If it has a successor, all
// listeners are told so, and those that come.
func (d *Dispatcher) Leave(succeeded bool) {
	d.leaving, d.succeeded = true, succeeded
	if !succeeded {
		return
	}
	for _, g := range d.groups {
		for _, l := range g.listeners {
			if !g.hook && l.relay == nil {
				l.tell(d.begin(Leaving))
			}
		}
	}
}

func (d *Dispatcher) hold(conn push.Target) {
	if d.held[conn]++; d.held[conn] == 1 && d.options.Hold != nil {
		d.options.Hold(conn, true)
	}
}

func (d *Dispatcher) release(conn push.Target) {
	if d.held[conn]--; d.held[conn] > 0 {
		return
	}
	delete(d.held, conn)
	if d.options.Hold != nil {
		d.options.Hold(conn, false)
	}
}

// later runs a function in the next tick, behind those before it.
func (d *Dispatcher) later(f func()) {
	if d.due = append(d.due, f); len(d.due) > 1 {
		return
	}
	d.options.Do(d.tellDue)
}

func (d *Dispatcher) tellDue() {
	due := d.due
	d.due = nil
	for _, f := range due {
		f()
	}
}

// dropped is the event that tells how many were.
func (d *Dispatcher) dropped(n int) []byte {
	return strconv.AppendInt(append(d.begin(Dropped), `,"events":`...), int64(n), 10)
}

// begin is the beginning of an event about no connection.
func (d *Dispatcher) begin(k Kind) []byte {
	e := Event{Kind: k}
	d.stamp(&e)
	return e.append(nil)
}
