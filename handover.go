package lineman

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/handover"
)

// Succeeds reports, in OnStart, whether a predecessor hands over to this process. Then its state and its connections
// follow before the loop serves. If the handover fails, this process ends. If only one process may have something at a
// time, such as a file with a lock, open it when the loop runs, by Loop.After for example: the predecessor closes it in
// OnHandover.
func (l *Loop) Succeeds() bool { return l.succeeds }

// predecessor hands over what the loops of a process have, to the process that takes its place. It is a
// handover.Source. The loops stand still, and who calls owns what they own.
//
//	             Records         Commit                leave
//	served here ────────▶ sent ────────▶ given up ────────────▶ served there
//	     ▲                  │ refused         │ kept, or the handover fails
//	     └─── takeBack ─────┴─────────────────┘
//
// The pollers watch all of them all the while, and say nothing as nobody waits. In the end they watch anew what is here
// still: that costs as much as to have each not watched when it is sent, and comes after the pause.
type predecessor struct {
	loops    []*loopRun
	stood    time.Duration // since when they stand still, by handover.Clock
	crossing []crossing
	places   map[uint64]int  // in crossing, by id; nil until one is refused
	stayed   map[string]int  // connections, by reason
	lent     map[uint64]bool // connections whose descriptors the successor has, by id
	record   handover.Record
	output   []byte
	seed     maphash.Seed
}

// crossing is a connection that was sent to the successor.
type crossing struct {
	conn     *Conn
	unsent   int    // bytes of output that are in its record
	accepted uint32 // messages to send, likewise
	session  uint64 // hash of what its session knew
	resumed  bool   // its loop was about to look at what waits
	absent   bool   // it is not there yet, or not there again
	pair     *pair  // that it crosses by, under TLS; nil without
	stays    bool   // after all
	givenUp  bool
}

func newPredecessor(loops []*loopRun, stood time.Duration) *predecessor {
	return &predecessor{loops: loops, stood: stood, stayed: make(map[string]int), seed: maphash.MakeSeed()}
}

func (p *predecessor) Hello() handover.Hello {
	h := handover.Hello{LastID: lastID.Load(), Loops: len(p.loops), Stood: p.stood}
	for _, s := range p.loops[0].loop.services {
		if s.worker.Save != nil {
			h.Workers = append(h.Workers, s.name)
		}
	}
	for _, own := range p.loops {
		h.Conns += own.loop.live
	}
	p.crossing = make([]crossing, 0, h.Conns)
	return h
}

// States has the loops say what they keep beside connections.
func (p *predecessor) States(send func(handover.State) error) error {
	for i, own := range p.loops {
		save := own.worker.savesState()
		if save == nil {
			continue
		}
		state, failed := handover.State{Worker: own.worker.name(), Loop: i}, error(nil)
		err := own.loop.first(inSaveState, func(l *Loop) error {
			return save(l, func(part []byte) error {
				if failed == nil {
					state.Value = part
					failed = send(state)
				}
				return failed
			})
		})
		switch {
		case failed != nil:
			return failed
		case err != nil:
			return fmt.Errorf("lineman: SaveState of worker %q: %w", state.Worker, err)
		}
	}
	return nil
}

// savesState is SaveParts, or SaveState in one part; nil if there is neither.
func (w *Worker) savesState() func(l *Loop, send func(part []byte) error) error {
	if w.SaveState == nil {
		return w.SaveParts
	}
	return func(l *Loop, send func(part []byte) error) error {
		state, err := w.SaveState(l)
		if err != nil {
			return err
		}
		return send(state)
	}
}

// Records gives each connection that can cross.
func (p *predecessor) Records(send func(r *handover.Record, fd int) error) error {
	for _, own := range p.loops {
		for c := range own.loop.all() {
			if err := p.hand(c, send); err != nil {
				return err
			}
		}
		for c := range own.loop.dials {
			if err := p.hand(c, send); err != nil {
				return err
			}
		}
		own.loop.doing.set(noCallback)
	}
	return nil
}

// hand gives a connection, or notes why it stays.
func (p *predecessor) hand(c *Conn, send func(r *handover.Record, fd int) error) error {
	if err := p.save(c); err != nil {
		p.stay(err.Error())
		return nil
	}
	x := &p.crossing[len(p.crossing)-1]
	p.record.Lent = p.lent[c.id] && c.link.tls() == nil
	fd, err := -1, error(nil)
	if !p.record.Lent {
		fd, err = x.descriptor()
	}
	if err == nil {
		err = send(&p.record, fd)
		if err == nil || !errors.Is(err, handover.ErrTooLarge) {
			return err // all are taken back
		}
	}
	x.takeBack()
	p.crossing = p.crossing[:len(p.crossing)-1]
	p.stay(err.Error())
	return nil
}

// descriptor is the one that crosses, unless the connection is absent.
func (x *crossing) descriptor() (fd int, err error) {
	c, p := x.conn, x.conn.loop.poll
	switch {
	case x.absent:
		return -1, nil
	case c.link.tls() == nil:
		return p.Descriptor(c.handle)
	}
	var ends pair
	if ends.inner, ends.far, fd, err = p.Pair(); err != nil {
		return -1, err
	}
	x.pair = &ends
	return fd, nil
}

// save makes the record of a connection, as the last one of those that cross. The error is why it stays.
func (p *predecessor) save(c *Conn) error {
	switch {
	case c.service.worker.Save != nil:
	case c.link.dialing() != nil:
		return staysDialed
	default:
		return staysWorker
	}
	if err := mayCross(c); err != nil {
		return err
	}
	var value []byte
	if err := c.loop.first(inSave, func(*Loop) (err error) {
		value, err = c.service.worker.Save(c)
		return err
	}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &p.record
	if err := recordLocked(c, r); err != nil {
		return err
	}
	r.Value = value
	p.crossing = append(p.crossing, crossing{
		conn: c, unsent: len(r.Unsent), accepted: r.Accepted, session: maphash.Bytes(p.seed, r.Session),
		resumed: c.flags&resume != 0, absent: r.Absent,
	})
	return nil
}

// mayCross is why a connection stays, whatever its worker saves of it.
func mayCross(c *Conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return staysLocked(c)
}

func (p *predecessor) stay(reason string) {
	if _, known := p.stayed[reason]; !known && len(p.stayed) >= mostReasons {
		reason = "other reasons"
	}
	p.stayed[reason]++
}

// mostReasons is how many reasons are told apart: errors of Save are the application's.
const mostReasons = 32

// Refused takes a connection back that the successor does not want.
func (p *predecessor) Refused(id uint64, reason string) {
	if p.places == nil {
		p.places = make(map[uint64]int, len(p.crossing))
		for i := range p.crossing {
			p.places[p.crossing[i].conn.id] = i
		}
	}
	if i, sent := p.places[id]; sent && !p.crossing[i].stays {
		p.crossing[i].stays = true
		p.stay(reason)
	}
}

// Commit gives up what the successor takes.
func (p *predecessor) Commit(tail func(id uint64, output []byte) error, keep func(id uint64) error) error {
	for i := range p.crossing {
		x := &p.crossing[i]
		if x.stays {
			continue
		}
		err := handover.ErrTooLarge
		if output, done := p.giveUp(x); done {
			if err = nil; len(output) > 0 {
				err = tail(x.conn.id, output)
			}
		}
		if errors.Is(err, handover.ErrTooLarge) {
			x.stays = true
			p.stay("something has happened to it meanwhile")
			err = keep(x.conn.id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// giveUp has nothing be sent on a connection any more, and returns what was accepted since its record. done is false
// if anything else has happened to it: then it goes on.
func (p *predecessor) giveUp(x *crossing) (output []byte, done bool) {
	c := x.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if staysLocked(c) != nil || c.flags&resume != 0 && !x.resumed || !p.isAsSentLocked(x) {
		return nil, false
	}
	p.output = p.output[:0]
	if c.out.queue != nil {
		p.output = c.out.queue.AppendTo(p.output, x.unsent)
	}
	c.phase.set(closed)
	x.givenUp = true
	return p.output, true
}

// isAsSentLocked reports whether the session of a connection knows what is in its record.
func (p *predecessor) isAsSentLocked(x *crossing) bool {
	c := x.conn
	if c.accepted == x.accepted && c.out.pendingLocked(c) == x.unsent && c.flags&dirty == 0 {
		return true
	}
	state, err := stateLocked(c, p.record.Session[:0])
	if err != nil {
		return false
	}
	p.record.Session = state
	return maphash.Bytes(p.seed, state) == x.session
}

// leave ends the handover: what the successor has is forgotten, nobody is accepted any more, and what stayed goes on
// when the loops do, which tell the application first. It returns how many have crossed.
func (p *predecessor) leave() (crossed int) {
	for _, own := range p.loops {
		own.loop.doFirst(own.loop.handedOver)
		own.loop.leaveListeners() // who waits to be accepted is the successor's: their master has the sockets
	}
	for i := range p.crossing {
		x := &p.crossing[i]
		if x.stays {
			x.takeBack()
			continue
		}
		if x.pair != nil {
			relay(x.conn, x.pair)
		} else {
			forget(x.conn)
		}
		crossed++
	}
	if crossed > 0 {
		p.renew()
	}
	return crossed
}

// renew has the pollers watch what is here, and no more what the successor has.
func (p *predecessor) renew() {
	for _, own := range p.loops {
		if err := own.loop.poll.Renew(); err != nil {
			own.loop.log.Error("lineman: after a handover: connections under TLS that have crossed are lost",
				"error", err)
		}
	}
}

// takeBack goes on with all of them: the handover has failed.
func (p *predecessor) takeBack() {
	for i := range p.crossing {
		p.crossing[i].takeBack()
	}
}

// takeBack goes on with a connection as before its record.
func (x *crossing) takeBack() {
	c := x.conn
	if x.pair != nil {
		x.pair.close(c.loop.poll)
	}
	c.mu.Lock()
	if x.givenUp {
		x.reopenLocked()
	}
	if c.state&blocked == 0 {
		c.flags &^= stalled
	}
	c.mu.Unlock()
	c.attention()
}

// reopenLocked has a connection be sent to again, that was given up for a moment. A Context that was made in it is that
// of a connection that has closed.
func (x *crossing) reopenLocked() {
	c := x.conn
	c.phase.set(open)
	x.givenUp = false
	if e := c.extra; e != nil && e.life != nil && e.life.Err() != nil {
		e.life = nil
	}
}

// doFirst is Do, before all that waits: that may concern what the successor has now.
func (l *Loop) doFirst(f func()) {
	l.mu.Lock()
	l.posted = slices.Insert(l.posted, 0, f)
	l.somePosted.Store(true)
	l.mu.Unlock()
	l.wake()
}

// handedOver tells the application that the successor has taken over.
func (l *Loop) handedOver() {
	for _, s := range l.services {
		if f := s.worker.OnHandover; f != nil {
			l.call(inOnHandover, func() { f(l) })
		}
	}
}
