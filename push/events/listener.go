package events

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/lineman-go/lineman/push"
)

// Sink takes the events of a Listener: the connection of a back end, or what posts them to a hook.
type Sink interface {
	// Send takes an event: a JSON object in one line, without its end, on loan until Send returns. It is called on the
	// loop, returns at once, and must not call the Dispatcher or a Listener. It returns false if there is no room for
	// it: then Listener.Resume is called when there is.
	Send(event []byte) bool
}

// Listen says what a Listener wants.
type Listen struct {
	// Group is the name of those with whom it shares the work. What the last one of a group has said of Events and Of
	// holds for the group.
	Group  string
	Events []Kind
	Of     []string // patterns of targets, as push.Match has them, that an event is about; nil: all events

	Window int  // events that it gets before it has acknowledged earlier ones, at most; 0 means 1000
	Hook   bool // no page is held up if it is slow: what does not find room is dropped

	// Observe says that nothing depends on it: nobody waits for what it acknowledges, nothing is kept for it when it
	// has gone, calls are answered by others, and what pages say waits for others. It has a group of its own, which
	// keeps at most 10,000 events, and 1 MiB.
	Observe bool

	Sink Sink
}

// MaxWindow is the greatest window of a Listener.
const MaxWindow = 10_000

const (
	defaultWindow = 1000
	maxBehind     = 1 << 20 // bytes that a listener has to do, before its pages are held
)

// Listener gets events of its group, in order, with numbers from 1 on, until it is closed. Owned by the loop.
type Listener struct {
	group  *group
	number uint64
	sink   Sink
	window int
	queue  queue
	sent   int    // of these, at its beginning
	acked  uint64 // number of the last one that is done
	conns  int    // that are bound to it
	full   bool   // its Sink has no room
	behind bool   // pages are held until it has caught up
	closed bool
	relay  *relay // to the node that it is on; nil: it is here
}

// Ack says that it has done all events up to a number. An error says that none of that number was sent.
func (l *Listener) Ack(n uint64) error { return l.finish(n, nil) }

// Fail says that it has given up what was not done up to a number: who waits for one of these is told ErrFailed.
func (l *Listener) Fail(n uint64) error { return l.finish(n, ErrFailed) }

func (l *Listener) finish(n uint64, err error) error {
	if l.closed {
		return nil
	}
	if n > l.acked+uint64(l.sent) {
		return fmt.Errorf("events: no event %d was sent: the last one is %d", n, l.acked+uint64(l.sent))
	}
	for l.acked < n {
		l.acked++
		l.sent--
		l.group.finish(l.queue.pop(), err)
	}
	l.pump()
	if l.behind && l.hasCaughtUp() {
		l.behind = false
		l.group.release(false)
	}
	l.group.tellOmitted()
	return nil
}

// Resume says that its Sink has room again.
func (l *Listener) Resume() {
	if l.full = false; !l.closed {
		l.pump()
	}
}

// Unacknowledged is how many events it has not acknowledged, with those that it was not sent.
func (l *Listener) Unacknowledged() int { return l.queue.len() }

// Close ends it. What it has not acknowledged goes to others of its group, or waits for one. The second Close does
// nothing.
func (l *Listener) Close() {
	if l.closed {
		return
	}
	l.closed = true
	g := l.group
	g.listeners = slices.DeleteFunc(g.listeners, func(other *Listener) bool { return other == l })
	g.handOver(l)
	if l.relay == nil && !g.isServedHere() {
		g.dispatcher.cluster.refuse(g)
	}
	if len(g.listeners) == 0 {
		g.desert()
	}
	g.release(false)
}

// pump sends what there is, as far as it may be sent.
func (l *Listener) pump() {
	for !l.full && l.sent < l.window && l.sent < l.queue.len() {
		if l.full = !l.sink.Send(l.line(l.queue.at(l.sent))); !l.full {
			l.sent++
		}
	}
}

// line is an event as it is sent, good until the next one.
func (l *Listener) line(it *item) []byte {
	d := l.group.dispatcher
	d.scratch = append(d.scratch[:0], it.text...)
	if it.again {
		d.scratch = append(d.scratch, `,"again":true`...)
	}
	d.scratch = strconv.AppendUint(append(d.scratch, `,"n":`...), l.acked+uint64(l.sent)+1, 10)
	d.scratch = append(d.scratch, '}')
	return d.scratch
}

// isBehind reports whether it has more to do than it should.
func (l *Listener) isBehind() bool { return l.queue.len() >= 2*l.window || l.queue.bytes > maxBehind }

// hasCaughtUp reports whether it may soon have nothing to do.
func (l *Listener) hasCaughtUp() bool {
	return l.queue.len() < l.window && l.queue.bytes <= maxBehind/2
}

// check tells what is wrong with what a listener wants.
func (w *Listen) check() error {
	if w.Group == "" {
		return fmt.Errorf("events: a group has no name")
	}
	if err := push.Group(w.Group).Check(); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	if len(w.Events) == 0 {
		return fmt.Errorf("events: nothing is asked for: want some of %q", Kinds())
	}
	for _, k := range w.Events {
		if !slices.Contains(Kinds(), k) {
			return fmt.Errorf("events: no event is called %.40q: want some of %q", k, Kinds())
		}
	}
	if w.Window < 0 || w.Window > MaxWindow {
		return fmt.Errorf("events: a window is 1 to %d events", MaxWindow)
	}
	return nil
}

// tell sends the listener itself an event, behind those that it has.
func (l *Listener) tell(text []byte) {
	l.queue.push(item{text: text})
	l.pump()
}
