package push

import (
	"fmt"
	"time"
)

// groupCommit has what is kept be in a Journal before anybody gets it. One batch is written at a time. All that comes
// meanwhile waits, in order, and is the next batch: whatever it is, nothing overtakes what is being written. What is in
// a batch gets its offsets when the writing begins, so that those of a batch that has failed were told to nobody.
//
//	add ──▶ waiting ── next ──▶ written: numbered, to the Journal ── settle ──▶ kept in the rings, each in its turn
//	           ▲                                                        │
//	           └──────────── what comes meanwhile ──────────────────────┘
//
// With the rings, it belongs to who has made it.
type groupCommit struct {
	rings   *rings
	journal Journal
	retain  func(Target) Retention
	home    func(f func()) bool // runs a function where the rings belong, from any goroutine
	later   func(f func()) bool // likewise, from there too

	busy    bool // a batch is being written, or about to, or the Journal is not recovered yet
	planned bool // that begins when what is under way on the loop is done
	waiting []step
	bytes   int // of the data of these
	written []step
	settled int           // of these
	at      time.Duration // when the batch began, as rings.age tells it
	copying *compaction   // nil: none is under way
	dropped []Place       // rings that are forgotten with the batch
	records []Record      // of the batch, as what follows; used again
	places  []Place
	leaving bool // nothing more is to be kept
	closed  bool
	quiet   chan struct{} // is closed when it is no longer busy; nil: nobody waits for that
}

// step is something that is done in its turn.
type step struct {
	to     []Target // whose history is to have data; nil: none is
	data   []byte
	forget []Target // whose history is to be removed
	turn   turn

	positions []Position
}

// turn is what is done then.
type turn interface {
	take(at []Position, err error)
}

// turnFunc is one that needs to know only whether something went wrong.
type turnFunc func(err error)

func (f turnFunc) take(_ []Position, err error) { f(err) }

// newGroupCommit recovers a Journal into rings. later is home, for who is there already: it does not wait.
func newGroupCommit(s *rings, j Journal, retain func(Target) Retention, home, later func(func()) bool) *groupCommit {
	c := &groupCommit{rings: s, journal: j, retain: retain, home: home, later: later, busy: true}
	s.journaled = true
	j.Recover(func(had Recovered) {
		all := newRestoration(had)
		later(func() { c.restore(all) })
	})
	return c
}

// restore puts what the Journal had into the rings, a part each time that it is called.
func (c *groupCommit) restore(all *restoration) {
	switch {
	case c.closed:
	case all.putSome(c.rings, c.retain):
		c.later(func() { c.restore(all) })
	default:
		c.next()
	}
}

// takes reports whether a publication has to be added: it is to be kept, or behind something else.
func (c *groupCommit) takes(to []Target) bool { return c.busy || c.keeps(to) }

// keeps reports whether a publication is to be kept.
func (c *groupCommit) keeps(to []Target) bool {
	for _, t := range to {
		if c.retain(t).keeps() {
			return true
		}
	}
	return false
}

// add has a step be done in its turn. plan runs a function soon, when more has come; false: it cannot.
func (c *groupCommit) add(s step, plan func(func()) bool) {
	keeps := c.keeps(s.to)
	if err := c.refuses(s, keeps); err != nil {
		s.turn.take(nil, err)
		return
	}
	if !keeps {
		s.to, s.data = nil, nil
	}
	c.waiting = append(c.waiting, s)
	c.bytes += len(s.data)
	if !c.busy {
		c.busy, c.planned = true, true
		if !plan(c.begin) {
			c.begin()
		}
	}
}

// begin begins to write as it was planned, unless that was done before.
func (c *groupCommit) begin() {
	if c.planned {
		c.planned = false
		c.next()
	}
}

// refuses is why a step cannot be added; nil: it can.
func (c *groupCommit) refuses(s step, keeps bool) error {
	switch {
	case (c.leaving || c.closed) && (keeps || s.forget != nil):
		return ErrClosed
	case len(c.waiting) >= maxWaiting || c.bytes+len(s.data) > maxWaitingBytes:
		return fmt.Errorf("%w: %w", ErrJournal, errBehind)
	}
	return nil
}

// next begins to write what waits.
func (c *groupCommit) next() {
	for !c.closed && (len(c.waiting) > 0 || c.copying != nil) {
		c.waiting, c.written, c.bytes = c.written[:0], c.waiting, 0
		if b := c.batch(); len(b.Records) > 0 {
			c.journal.Append(b, func(err error) {
				c.home(func() { c.goOn(b, err) })
			})
			return
		}
		if !c.settle(Batch{}, nil) {
			return
		}
	}
	c.busy = false
	c.tellQuiet()
	if c.leaving {
		c.journal.Close()
	}
}

// goOn settles a batch, and goes on with the next one.
func (c *groupCommit) goOn(b Batch, err error) {
	if c.settle(b, err) {
		c.next()
	}
}

// batch numbers what is to be written, and has a part of a compaction beside it.
func (c *groupCommit) batch() (b Batch) {
	s := c.rings
	c.at = s.age()
	clear(c.records)
	c.records, c.places = c.records[:0], c.places[:0]
	number, at := s.last, s.began.Add(c.at)
	for i := range c.written {
		w := &c.written[i]
		record := Record{Kind: RecordMessage, Number: number + 1, At: at, Data: w.data}
		start := len(c.places)
		c.plan(w)
		number += uint64(len(c.places) - start)
		for _, t := range w.forget {
			if r := s.byTarget[t]; r != nil {
				record.Kind = RecordForgotten
				c.places = append(c.places, Place{t, r.top + r.planned})
			}
		}
		if record.Of = c.places[start:len(c.places):len(c.places)]; len(record.Of) > 0 {
			c.records = append(c.records, record)
		}
	}
	if len(c.records) > 0 {
		c.dropRings()
	}
	b.Records = c.records
	if c.copying == nil && len(b.Records) > 0 && c.journal.IsOvergrown(s.bytes) {
		c.copying, b.Begin = newCompaction(s), true
	}
	if c.copying != nil {
		b.Records, b.End = c.copying.part(s, b.Records)
	}
	return b
}

// dropRings tells the Journal which rings are to be forgotten, and what offset new ones go on from then.
func (c *groupCommit) dropRings() {
	s := c.rings
	floor := s.floor
	for _, r := range s.leaving {
		c.dropped = append(c.dropped, Place{r.target, r.top})
		floor = max(floor, r.top)
	}
	s.leaving, s.leavingBytes = nil, 0
	if len(c.dropped) > 0 {
		c.records = append(c.records, Record{Kind: RecordDropped, Of: c.dropped},
			Record{Kind: RecordTops, Of: []Place{{"", floor}}})
	}
}

// settleRings forgets those rings, unless they are needed again.
func (c *groupCommit) settleRings(err error) {
	s := c.rings
	for _, p := range c.dropped {
		r := s.byTarget[p.Target]
		if r == nil || r.top != p.Offset || len(r.messages) > 0 || r.pins > 0 {
			continue
		}
		s.empty.remove(r)
		if err != nil {
			s.rest(r)
		} else {
			s.forgetRing(r)
		}
	}
	c.dropped = c.dropped[:0]
}

// plan gives a step its positions, and adds where they are.
func (c *groupCommit) plan(w *step) {
	for k, t := range w.to {
		if !c.retain(t).keeps() {
			continue
		}
		if w.positions == nil {
			w.positions = make([]Position, len(w.to))
		}
		offset := c.rings.ringOf(t).plan()
		w.positions[k] = Position{c.rings.epoch, offset}
		c.places = append(c.places, Place{t, offset})
	}
}

// settleTime is how long steps are done before others have the loop.
const settleTime = 4 * time.Millisecond

// settle has what was written be kept, and does all steps of the batch in order. false: it goes on later, or not at
// all.
func (c *groupCommit) settle(b Batch, err error) bool {
	if err != nil || b.End {
		c.copying = nil // what has failed begins anew with the next batch
	}
	for began, first := time.Now(), c.settled; c.settled < len(c.written) && !c.closed; {
		if c.settled > first && time.Since(began) > settleTime {
			c.later(func() { c.goOn(b, err) })
			return false
		}
		s := &c.written[c.settled]
		c.settled++
		c.settleStep(s, err)
	}
	if c.closed {
		return false
	}
	c.written, c.settled = c.written[:0], 0
	c.settleRings(err)
	return true
}

func (c *groupCommit) settleStep(s *step, err error) {
	switch {
	case s.positions == nil && s.forget == nil:
		err = nil // nothing was to be written
	case err != nil:
		c.rings.abandon(s.to)
		s.positions, err = nil, fmt.Errorf("%w: %w", ErrJournal, err)
	case s.forget != nil:
		c.rings.forget(s.forget)
	default:
		c.rings.keep(s, c.retain, c.at)
	}
	turn, at := s.turn, s.positions
	*s = step{}
	turn.take(at, err)
}

// keep has the message of a step be kept, which is in the Journal.
func (s *rings) keep(w *step, retain func(Target) Retention, at time.Duration) {
	for i, p := range w.positions {
		if p != (Position{}) {
			s.put(s.ringOf(w.to[i]), retain(w.to[i]), w.data, at, p.Offset)
		}
	}
	s.expire(at)
	s.shrink()
}

// abandon has the offsets that were planned for some targets be those of other messages.
func (s *rings) abandon(of []Target) {
	for _, t := range of {
		if r := s.byTarget[t]; r != nil {
			r.planned = 0
			s.empty.remove(r)
			s.rest(r)
		}
	}
}

// leave passes the Journal on, as soon as nothing waits. What is kept can still be read.
func (c *groupCommit) leave() {
	c.leaving = true
	if !c.busy {
		c.journal.Close()
	}
}

// close passes the Journal on at once. What waits is not done, and what is being written is not told.
func (c *groupCommit) close() {
	if c.closed {
		return
	}
	c.closed = true
	c.journal.Close()
	for _, steps := range [][]step{c.written, c.waiting} {
		for i := range steps {
			if turn := steps[i].turn; turn != nil {
				turn.take(nil, ErrClosed)
			}
		}
	}
	c.written, c.waiting, c.busy = nil, nil, false
	c.tellQuiet()
}
