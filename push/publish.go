package push

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Message is something to publish. Its slices are on loan until Publish returns.
type Message[C Conn] struct {
	To     []Target
	Data   []byte // what connections get, byte by byte
	Except Target // a connection, on any node, that gets nothing: who sent it, for example; empty means none

	From *Source // for the debug log and for who watches; nil: that is not told

	// Wait is how long the message may wait for the link to other nodes when that is down, in order with others that
	// wait. Where all nodes are in one process it is how long it may wait for connections that come back: see
	// Options.Reconnect. 0 or less: not at all.
	Wait time.Duration
}

// Outcome is what became of a Message.
type Outcome struct {
	Reached int // connections that accepted it, of other nodes as far as is known

	// ErrUnlinked, ErrClosed, or what matches ErrJournal, and nothing was sent; or ErrUnanswered, and more may have
	// accepted it.
	Err error

	// Positions that it has in the histories of its targets, in the order of Message.To. That of a target without
	// history is zero; nil if none has any, or if they are not known. They must not be changed.
	Positions []Position
}

// Publish sends a message to the connections that its targets name, on every node; to each once, though several targets
// name it. done, unless it is nil, is called on the loop with the outcome, perhaps before Publish returns. An error
// means that nothing was sent: the message itself is wrong.
//
// What is published from one loop, every connection gets in that order; and all connections of a uid, a group or a
// channel get what is published for it in one order.
func (h *Hub[C]) Publish(m Message[C], done func(Outcome)) error {
	if err := h.check(m); err != nil {
		h.unsent(m, err)
		return err
	}
	switch {
	case h.closed, m.Wait > 0 && h.isOneProcess() && h.replay.over, h.isPassedOn(m.To):
		h.refuse(m, ErrClosed, done)
	case h.keeps(m):
		h.keep(m, done)
	case h.linked || h.isAlone() || h.isOwn(m.To):
		h.send(m, done)
	case m.Wait <= 0 || !h.hold(m, done):
		h.refuse(m, ErrUnlinked, done)
	}
	return nil
}

// send publishes a message that was checked.
func (h *Hub[C]) send(m Message[C], done func(Outcome)) { h.sendKept(m, nil, done) }

// sendKept is send of a message that a Memory is to keep, unless k is nil.
func (h *Hub[C]) sendKept(m Message[C], k *sharedKept, done func(Outcome)) {
	h.last++
	h.stats.Published++
	p := Publication{Node: h.node, Number: h.last, Except: m.Except, Data: m.Data, from: m.From, kept: k}
	if len(h.watches) > 0 {
		done = h.watched(m, p.Number, done)
	}
	if l, local := h.link.(*localLink); local && l.isDirect(m.To) {
		h.sendHere(l, m.To, p, done)
		return
	}
	h.tallyPublished(m.To)
	w := h.expect(p.Number, done)
	w.from = m.From
	finish := w.finish
	if !h.linked && !h.isAlone() { // nobody else is concerned
		h.deliver(m.To, p)
		finish(Receipt{}, nil)
		return
	}
	h.flush() // the broker knows who is there before it is told what for
	h.link.Publish(m.To, p, finish)
}

// sendHere is sendKept where nobody else is concerned, and nothing has to be waited for: so nothing is in flight.
func (h *Hub[C]) sendHere(l *localLink, to []Target, p Publication, done func(Outcome)) {
	p.Positions = l.keep(to, p.Data)
	n, late := h.handOver(to, &p)
	h.tally(to, 1, n)
	if done != nil {
		done(Outcome{Reached: n + late, Positions: p.Positions})
	}
}

// pending is a publication in flight: the Broker has not yet confirmed it.
type pending struct {
	number  uint64
	began   time.Time // unless nobody asks
	reached int       // connections of this node
	from    *Source
	done    func(Outcome)
	finish  func(r Receipt, err error)
}

// expect makes the pending of a publication. It uses one that is free, if there is one.
func (h *Hub[C]) expect(number uint64, done func(Outcome)) *pending {
	var w *pending
	if last := len(h.free) - 1; last >= 0 {
		w = h.free[last]
		h.free = h.free[:last]
	} else {
		w = &pending{}
		w.finish = func(r Receipt, err error) { h.finish(w, r, err) }
	}
	w.number, w.reached, w.done = number, 0, done
	if h.options.Took != nil && !h.isOneProcess() {
		w.began = time.Now()
	}
	h.pending[number] = w
	return w
}

// maxFree is how many pendings that are not used are kept.
const maxFree = 1024

func (h *Hub[C]) finish(w *pending, r Receipt, err error) {
	delete(h.pending, w.number)
	if errors.Is(err, ErrClosed) {
		err = ErrUnanswered // it was sent before that
	}
	switch {
	case errors.Is(err, ErrUnlinked):
		h.stats.Unlinked++
	case errors.Is(err, ErrUnanswered):
		h.stats.Unanswered++
	}
	if !w.began.IsZero() {
		h.options.Took(time.Since(w.began))
	}
	o, done := Outcome{Reached: w.reached + r.Others, Err: err, Positions: r.Positions}, w.done
	if w.done, w.from = nil, nil; len(h.free) < maxFree {
		h.free = append(h.free, w)
	}
	if done != nil {
		done(o)
	}
}

func (h *Hub[C]) check(m Message[C]) error {
	switch {
	case len(m.To) == 0:
		return errors.New("push: a message has no target")
	case len(m.To) > MaxTargets:
		return tooManyTargets(len(m.To))
	}
	if t, found := twice(m.To); found {
		return fmt.Errorf("push: target %q is named twice", t)
	}
	if m.Except != "" {
		if kind, _ := m.Except.Split(); kind != ToConn {
			return fmt.Errorf("push: only a connection can be excepted, not %q", m.Except)
		}
		if err := m.Except.Check(); err != nil {
			return err
		}
	}
	for _, t := range m.To {
		if err := t.Check(); err != nil {
			return err
		}
		if most := h.most(t); len(m.Data) > most {
			return fmt.Errorf("%w: %q gets at most %d bytes, not %d", ErrTooLarge, t, most, len(m.Data))
		}
	}
	return nil
}

// most is how long a message for a target may be.
func (h *Hub[C]) most(t Target) int {
	if kind, name := t.Split(); kind == ToChannel {
		if n := h.namespace(name).MaxMessage; n > 0 {
			return n
		}
	}
	return h.options.MaxMessage
}

// deliver is the fan-out on this node of what a Broker brings.
func (h *Hub[C]) deliver(to []Target, p Publication) int {
	n, late := h.handOver(to, &p)
	h.tally(to, 0, n)
	n += late
	if p.Node == h.node {
		if w := h.pending[p.Number]; w != nil {
			w.reached += n
		}
	}
	return n
}

// handOver hands a publication to the connections of this node that its targets name. It returns how many have accepted
// it, and how many get it from the history instead.
func (h *Hub[C]) handOver(to []Target, p *Publication) (n, late int) {
	var except *Member[C]
	if p.Except != "" {
		if found := h.find(p.Except); len(found) > 0 {
			except = found[0]
		}
	}
	var got map[*Member[C]]bool
	if p.Parts {
		got = h.dedup.of(*p)
	}
	h.nextWalk()
	watched := len(h.watches) > 0
	if watched {
		h.beginNoting()
	}
	if h.followers > 0 || len(h.tails) > 0 {
		n, late = h.follow(to, *p, except)
	}
	a := h.beginAudience(to, except, got)
	audience := a.each
	if watched {
		audience = h.noting(audience)
	}
	n += h.options.Fanout(audience, p.Data, p.forms)
	a.end()
	h.stats.Delivered += uint64(n)
	if watched {
		h.told(to, *p, n)
	}
	return n, late
}

// nextWalk begins a delivery: nobody has got it yet.
func (h *Hub[C]) nextWalk() {
	if h.walk++; h.walk == 0 { // it has come round
		for _, m := range h.everyone.members {
			m.walked = 0
		}
		h.walk = 1
	}
}

// want notes that what is published for a target concerns this node.
func (h *Hub[C]) want(s *set[C]) {
	if h.isAlone() {
		if h.remembers(s) {
			h.link.Subscribe([]Target{s.target()}, func(error) {}) // it never fails
		}
		return
	}
	t := s.target()
	if h.isWatched(t) {
		return
	}
	if i := slices.Index(h.dropped, t); i >= 0 {
		h.dropped = slices.Delete(h.dropped, i, i+1)
		return
	}
	h.change()
	h.wanted = append(h.wanted, t)
}

// drop notes that it no longer does.
func (h *Hub[C]) drop(s *set[C]) {
	if h.isAlone() {
		if h.remembers(s) {
			h.link.Unsubscribe([]Target{s.target()})
		}
		return
	}
	t := s.target()
	if h.isWatched(t) {
		return
	}
	if i := slices.Index(h.wanted, t); i >= 0 {
		h.wanted = slices.Delete(h.wanted, i, i+1)
		return
	}
	h.change()
	h.dropped = append(h.dropped, t)
}

// batch is how many changes are told to the broker at once.
const batch = 256

// change has the broker be told soon.
func (h *Hub[C]) change() {
	switch len(h.wanted) + len(h.dropped) {
	case 0:
		h.options.Do(h.flush)
	case batch:
		h.flush()
	}
}

// flush tells the broker what this node wants from now on.
func (h *Hub[C]) flush() {
	if len(h.wanted) > 0 {
		wanted := h.wanted
		h.wanted = nil
		h.link.Subscribe(wanted, func(error) {}) // a link that is down subscribes when it is up
	}
	if len(h.dropped) > 0 {
		dropped := h.dropped
		h.dropped = nil
		h.link.Unsubscribe(dropped)
	}
}
