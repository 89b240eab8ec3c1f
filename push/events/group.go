package events

import (
	"slices"
	"time"

	"github.com/lineman-go/lineman/push"
)

// group are listeners that share the work: each event goes to one of them.
//
//	first Listen ──▶ served ── the last one ends ──▶ waiting ── keep ──▶ forgotten
//	                   ▲───────── Listen ────────────────┘
//
// Owned by the loop.
type group struct {
	dispatcher *Dispatcher
	name       string
	kinds      []Kind
	of         []string // patterns of targets; nil: all
	hook       bool     // it holds nobody up
	observes   bool     // nor does anything depend on it
	mute       bool     // another node tells it of what is about no connection

	listeners []*Listener
	bindings  map[string]*binding
	waiting   queue     // while there is no listener
	deserted  int       // times that the last listener has gone
	until     time.Time // when it is forgotten, if it has none, or expires
	holding   map[push.Target]bool
	omitted   int  // events that were dropped and not told of
	syncing   bool // what holds is being asked for
	stale     bool // it has to be asked for again

	counters Counters
}

// wants reports whether the group is told of an event.
func (g *group) wants(e *Event) bool {
	if !slices.Contains(g.kinds, e.Kind) || g.mute && e.Kind.isState() {
		return false
	}
	return g.of == nil || g.isAbout(e.targets())
}

// isAbout reports whether the group is told of what is about some targets.
func (g *group) isAbout(about []push.Target) bool {
	return g.of == nil || slices.ContainsFunc(about, func(t push.Target) bool { return push.Match(g.of, string(t)) })
}

func (g *group) wantsAny(kinds ...Kind) bool {
	return slices.ContainsFunc(kinds, func(k Kind) bool { return slices.Contains(g.kinds, k) })
}

// claims reports whether messages are for it.
func (g *group) claims() bool { return !g.observes && g.wantsAny(Message) }

// bind finds the listener of a connection: that which has its events already, or the one with the fewest connections,
// on this node if there is one.
func (g *group) bind(conn string) *binding {
	b := g.bindings[conn]
	if b == nil {
		b = &binding{conn: conn}
		g.bindings[conn] = b
	}
	if b.listener == nil && len(g.listeners) > 0 {
		b.listener = slices.MinFunc(g.listeners, func(a, b *Listener) int {
			if (a.relay == nil) != (b.relay == nil) {
				return near(a) - near(b)
			}
			return a.conns - b.conns
		})
		b.listener.conns++
	}
	return b
}

// near orders listeners: those of this node come before others.
func near(l *Listener) int {
	if l.relay == nil {
		return 0
	}
	return 1
}

// unbind forgets the binding of a connection that has gone, once its events are done with.
func (g *group) unbind(b *binding) {
	if !b.gone || b.items > 0 {
		return
	}
	delete(g.bindings, b.conn)
	if l := b.listener; l != nil {
		l.conns--
		if l.relay != nil {
			l.relay.forget(b.conn)
		}
	}
}

// put takes an event that the group wants.
func (g *group) put(e *Event, text []byte, done *completion) {
	if !g.hasRoom(len(text)) {
		g.omit(1)
		g.settle(done, ErrDropped)
		return
	}
	g.counters.Emitted++
	g.add(text, string(e.Conn), done, e.Again)
	if e.Kind == Message && !g.hook && !g.observes && g.isBehind(e.Conn) {
		g.hold(e.Conn)
	}
}

// add has an event follow those that are there.
func (g *group) add(text []byte, conn string, done *completion, again bool) {
	g.enqueue(item{text: text, done: done, again: again}, conn)
}

func (g *group) enqueue(it item, conn string) {
	b := g.bind(conn)
	b.items++
	it.binding, it.at = b, g.dispatcher.options.Now().UnixMilli()
	if b.listener == nil {
		g.waiting.push(it)
		return
	}
	b.listener.queue.push(it)
	b.listener.pump()
}

// hasRoom reports whether the group may keep one more event.
func (g *group) hasRoom(bytes int) bool {
	most, n := g.most(), g.size()
	return n.events < most.events && n.bytes+bytes <= most.bytes
}

// most is how much the group may keep. What waits for an observer is worth little.
func (g *group) most() (n struct{ events, bytes int }) {
	o := &g.dispatcher.options
	n.events, n.bytes = o.Waiting, o.Bytes
	if g.observes {
		n.events, n.bytes = min(n.events, MaxWindow), min(n.bytes, maxBehind)
	}
	return n
}

// size is how much the group keeps.
func (g *group) size() (n struct{ events, bytes int }) {
	n.events, n.bytes = g.waiting.len(), g.waiting.bytes
	for _, l := range g.listeners {
		n.events += l.queue.len()
		n.bytes += l.queue.bytes
	}
	return n
}

// omit counts events that were dropped.
func (g *group) omit(n int) {
	g.omitted += n
	g.counters.Dropped += uint64(n)
}

// settle tells who waits for an event what became of it, when what is under way has been done: it may emit others.
func (g *group) settle(done *completion, err error) {
	if done != nil {
		g.dispatcher.later(func() { done.settle(err) })
	}
}

// drop forgets an event that another node has relayed, and keeps.
func (g *group) drop(it item) {
	it.from.open--
	it.binding.items--
	g.unbind(it.binding)
}

// finish does with an event that was acknowledged, or given up.
func (g *group) finish(it item, err error) {
	if it.binding != nil {
		it.binding.items--
		g.unbind(it.binding)
	}
	g.settle(it.done, err)
}

// tellOmitted tells the group that events were dropped, once there is room for more, and who is there now.
func (g *group) tellOmitted() {
	if g.omitted == 0 || g.size().events > g.most().events/2 || len(g.listeners) == 0 {
		return
	}
	n := g.omitted
	g.omitted = 0
	g.add(g.dispatcher.dropped(n), "", nil, false)
	g.sync()
}

// desert notes that the last listener has gone. If none comes for some time the group is forgotten; that of an observer
// is at once.
func (g *group) desert() {
	if g.observes {
		g.dispatcher.forget(g)
		return
	}
	g.forgetAfter(g.dispatcher.options.Keep)
}

// forgetAfter has the group be forgotten after a time, if no listener comes.
func (g *group) forgetAfter(keep time.Duration) {
	g.deserted++
	times := g.deserted
	g.until = g.dispatcher.options.Now().Add(keep)
	g.dispatcher.options.After(keep, func() {
		if times == g.deserted && len(g.listeners) == 0 {
			g.dispatcher.forget(g)
		}
	})
}

// serve has a new listener get what waits.
func (g *group) serve() {
	for g.waiting.len() > 0 {
		it := g.waiting.pop()
		g.bind(it.binding.conn)
		it.binding.listener.queue.push(it)
	}
	for _, l := range g.listeners {
		l.pump()
	}
}

// handOver gives what a listener had not acknowledged to others, in order.
func (g *group) handOver(l *Listener) {
	for _, b := range g.bindings {
		if b.listener == l {
			b.listener = nil
		}
	}
	for i := 0; l.queue.len() > 0; i++ {
		it := l.queue.pop()
		if it.binding == nil {
			continue
		}
		if it.from != nil && !g.isServedHere() { // its node hands it to others
			g.drop(it)
			continue
		}
		if i < l.sent {
			it.again = true
			g.counters.Again++
		}
		if to := g.bind(it.binding.conn).listener; to != nil {
			to.queue.push(it)
		} else {
			g.waiting.push(it)
		}
	}
	for _, other := range g.listeners {
		other.pump()
	}
}

// expire drops what has waited for too long in the group of what nobody wants, which ends when it is empty.
func (g *group) expire() {
	d := g.dispatcher
	if d.unclaimed != g {
		return
	}
	for g.waiting.len() > 0 && g.waiting.at(0).at <= d.options.Now().Add(-d.options.Keep).UnixMilli() {
		g.dropFirst()
	}
	if g.waiting.len() > 0 {
		g.expireAfter(d.options.Keep / 4)
		return
	}
	d.unclaimed = nil
	d.changed()
	d.forgotten.add(g.counters)
	g.release(true)
}

// expireAfter has the group expire after a time.
func (g *group) expireAfter(delay time.Duration) {
	g.until = g.dispatcher.options.Now().Add(delay)
	g.dispatcher.options.After(delay, g.expire)
}

// dropFirst drops what has waited longest.
func (g *group) dropFirst() {
	it := g.waiting.pop()
	g.counters.Late++
	g.omit(1)
	g.finish(it, ErrDropped)
}

// isBehind reports whether the listener of a connection has more to do than it should.
func (g *group) isBehind(conn push.Target) bool {
	if l := g.bindings[string(conn)].listener; l != nil {
		l.behind = l.behind || l.isBehind()
		return l.behind
	}
	o := &g.dispatcher.options
	return g.waiting.len() > o.Waiting/2 || g.waiting.bytes > o.Bytes/2
}

// hold has a page not be read until its listener has caught up.
func (g *group) hold(conn push.Target) {
	if g.holding[conn] {
		return
	}
	if g.holding == nil {
		g.holding = make(map[push.Target]bool)
	}
	g.holding[conn] = true
	g.dispatcher.hold(conn)
}

// release has pages be read again whose listeners have caught up; all of them, if the group is forgotten.
func (g *group) release(all bool) {
	for conn := range g.holding {
		if b := g.bindings[string(conn)]; all || b == nil || !g.isBehind(conn) {
			delete(g.holding, conn)
			g.dispatcher.release(conn)
		}
	}
}

// closed notes that a connection has closed.
func (g *group) closed(conn push.Target) {
	if g.holding[conn] {
		delete(g.holding, conn)
		g.dispatcher.release(conn)
	}
	if b := g.bindings[string(conn)]; b != nil {
		b.gone = true
		g.unbind(b)
	}
}

// defaultKeep is Options.Keep where nothing is said.
const defaultKeep = time.Minute
