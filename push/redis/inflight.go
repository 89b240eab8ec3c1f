package redis

import (
	"math/rand/v2"
	"time"

	"github.com/lineman-go/lineman/push"
)

// inFlight is what a link has in flight: what it has sent, and awaits answers to. Owned by the loop.
type inFlight struct {
	link    *link
	last    uint64 // number of a message
	bySeq   map[uint64]*expectation
	order   []*expectation // as they were sent; some have ended
	step    time.Duration  // between two looks for what is late
	timer   *time.Timer
	ticking bool
}

func newInFlight(l *link) inFlight {
	x := inFlight{link: l, bySeq: make(map[uint64]*expectation), step: max(l.options.Answer/8, time.Millisecond)}
	x.last = rand.Uint64N(1 << 32) // so that what is for an earlier node of this name is not taken to be for this one
	x.timer = time.AfterFunc(time.Hour, func() { l.post(l.inFlight.tick) })
	x.timer.Stop()
	return x
}

// expectation is one publication or question in flight. A message may go in parts, each arrives at some nodes, and each
// arrival is answered.
type expectation struct {
	seq     uint64
	parts   int
	unsent  int       // parts that were not sent
	unknown int       // parts of which it is not known at how many nodes they arrive
	left    int       // arrivals that are known, less those that were answered
	due     time.Time // zero while something is unknown

	missed bool // a node was not there that should be

	others    int
	positions []push.Position // of a publication that stands in histories
	answers   [][]byte

	published func(r push.Receipt, err error)
	asked     func(answers [][]byte, err error)
	ended     bool
}

// end calls back, once.
func (e *expectation) end(err error) {
	if e.ended {
		return
	}
	e.ended = true
	published, asked, got := e.published, e.asked, e.answers
	e.published, e.asked, e.answers = nil, nil, nil
	if published != nil {
		published(push.Receipt{Others: e.others, Positions: e.positions}, err)
	} else {
		asked(got, err)
	}
}

// add gives a number to something that is sent in one part.
func (x *inFlight) add(e *expectation) uint64 {
	x.last++
	e.seq, e.parts, e.unknown = x.last, 1, 1
	x.bySeq[e.seq] = e
	x.order = append(x.order, e)
	if !x.ticking {
		x.ticking = true
		x.timer.Reset(x.step)
	}
	return e.seq
}

// arrives notes at how many nodes a part arrives, and whether one was missed that should be there.
func (x *inFlight) arrives(seq uint64, nodes int, missed bool) {
	e := x.bySeq[seq]
	if e == nil {
		return
	}
	e.left += nodes
	e.missed = e.missed || missed
	x.known(e)
}

// placed notes the positions of a part in histories.
func (x *inFlight) placed(seq uint64, places []place, p placed) {
	e := x.bySeq[seq]
	if e == nil {
		return
	}
	if e.positions == nil {
		e.positions = make([]push.Position, places[0].of)
	}
	for i, at := range places {
		e.positions[at.number] = push.Position{Epoch: p.mark.epoch, Offset: p.offsets[i]}
	}
}

// refused notes that a part is not sent.
func (x *inFlight) refused(seq uint64, err error) {
	e := x.bySeq[seq]
	if e == nil {
		return
	}
	if e.unsent++; e.unsent == e.parts {
		x.end(e, err)
		return
	}
	x.known(e)
}

func (x *inFlight) known(e *expectation) {
	if e.unknown--; e.unknown == 0 {
		e.due = time.Now().Add(x.link.options.Answer)
	}
	x.settle(e)
}

// answered notes the answer of a node.
func (x *inFlight) answered(a answer, own bool) {
	e := x.bySeq[a.seq]
	if e == nil {
		return
	}
	e.left--
	switch {
	case a.form == reaching && !own:
		e.others += int(a.reached)
	case a.form == telling:
		e.answers = append(e.answers, a.data)
	}
	x.settle(e)
}

// settle ends it if all have answered.
func (x *inFlight) settle(e *expectation) {
	switch {
	case e.unknown > 0 || e.left > 0:
	case e.unsent > 0 || e.missed:
		x.end(e, push.ErrUnanswered)
	default:
		x.end(e, nil)
	}
}

func (x *inFlight) end(e *expectation, err error) {
	delete(x.bySeq, e.seq)
	e.end(err)
}

// tick ends what is late.
func (x *inFlight) tick() {
	now := time.Now()
	order := x.order
	x.order = nil // what is sent meanwhile comes behind
	waiting := order[:0]
	for _, e := range order {
		if !e.ended && !e.due.IsZero() && now.After(e.due) {
			x.link.counters.unanswered.Add(1)
			x.end(e, push.ErrUnanswered)
		}
		if !e.ended {
			waiting = append(waiting, e)
		}
	}
	clear(order[len(waiting):])
	x.order = append(waiting, x.order...)
	if x.ticking = len(x.order) > 0; x.ticking {
		x.timer.Reset(x.step)
	}
}

// unsent notes that a part was not sent, before fail.
func (x *inFlight) unsent(seq uint64) {
	if e := x.bySeq[seq]; e != nil {
		e.unsent++
	}
}

// fail ends everything, as the link is down.
func (x *inFlight) fail() {
	x.endAll(func(e *expectation) error {
		if e.unsent >= e.parts {
			return push.ErrUnlinked
		}
		return push.ErrUnanswered
	})
}

// close ends everything, as the link is closed.
func (x *inFlight) close() {
	x.timer.Stop()
	x.endAll(func(*expectation) error { return push.ErrClosed })
}

func (x *inFlight) endAll(why func(*expectation) error) {
	order := x.order
	x.order = nil
	for _, e := range order {
		if !e.ended {
			x.end(e, why(e))
		}
	}
}
