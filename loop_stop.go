package lineman

import (
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/grace"
)

// beginStop is the graceful shutdown. It closes the listeners, tells the application and says goodbye to every
// connection. It all ends within the limits, and within d unless that is negative; a second call may only make it
// shorter.
func (l *Loop) beginStop(d grace.Period) {
	until := l.now.Add(forever)
	if d >= 0 {
		until = l.now.Add(time.Duration(d))
	}
	if l.stopping {
		l.giveUp = earlier(l.giveUp, until)
		l.drained = earlier(l.drained, l.now)
		return
	}
	l.stopping = true
	l.stop()
	shutdown := time.Duration(0)
	for _, s := range slices.Backward(l.services) {
		if s.worker.OnStop != nil {
			l.call(inOnStop, func() { s.worker.OnStop(l) })
		}
		if s.limits.Shutdown < 0 {
			shutdown = forever
		}
		shutdown = max(shutdown, s.limits.Shutdown)
	}
	if !l.leaving {
		l.beginDrain(d)
	}
	l.giveUp = earlier(later(l.now, l.drained).Add(shutdown), until)
	if l.staying() > 0 {
		l.After(l.giveUp.Sub(l.now), l.outlast)
	}
	l.afterDrain(l.sayGoodbye)
}

// sayGoodbye closes the listeners, and ends every connection, those that the application is not done with a little
// later.
func (l *Loop) sayGoodbye() {
	l.closeListeners()
	l.parting.Store(true)
	all := &walk{loop: l, visit: func(c *Conn) { c.end.partStopping(c, false) }}
	all.begin()
	for c := range l.dials {
		c.link.dialing().abandon(c)
	}
	patience := grace.Period(l.giveUp.Sub(l.now)).Patience()
	var again *Timer
	again = l.Every(tick, func() {
		if patience -= tick; patience > 0 {
			all.begin()
			return
		}
		again.Stop()
		l.partLate()
	})
}

// partLate says goodbye to the connections that are still there, in one tick: there is no more time.
func (l *Loop) partLate() {
	for c := range l.all() {
		c.end.partStopping(c, true)
	}
}

// forever is a limit that is none, where there has to be one.
const forever = 1000 * time.Hour

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// finished reports whether a stopping loop has nothing left to wait for.
func (l *Loop) finished() bool {
	return l.reaches(done, l.stopping && l.live == 0) ||
		l.stopping && !l.now.Before(l.giveUp) && l.staying() == 0
}

// shut ends what is still open and refuses further work.
func (l *Loop) shut() {
	l.stop()
	l.reaches(done, true)
	for c := range l.all() {
		c.end.finish(c, ErrTimeout)
	}
	for c := range l.dials {
		c.link.dialing().abandon(c)
	}
	for n := 0; !l.end(n == lastRounds); n++ {
		l.runPosted()
	}
	close(l.over)
	l.closeListeners()
	for _, s := range l.services {
		if s.handler != nil {
			s.handler.Close()
		}
	}
	for _, p := range l.pipes {
		p.Close()
	}
	l.batch.close()
	l.poll.Shut()
	l.helpers.Wait()
}

// lastRounds is how often functions given to Do may ask for another one when the loop ends.
const lastRounds = 1000

// end refuses further work, unless some has been promised already and this is not the last round.
func (l *Loop) end(last bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = last || len(l.posted) == 0
	return l.ended
}

// walk visits all connections of a loop, for at most walkTime in each tick: what is ready is handled between. One that
// comes meanwhile may be left out. Owned by the loop.
//
//	begin ──▶ visits ── walkTime is over ──▶ the next tick
//	            ▲────────────────────────────────┘
type walk struct {
	loop  *Loop
	visit func(c *Conn)
	at    int  // the handle that comes next
	going bool // it is not over
}

// walkTime is how long a tick may take longer because of a walk.
const walkTime = 4 * time.Millisecond

// begin visits all connections, unless they are being visited.
func (w *walk) begin() {
	if !w.going {
		w.going, w.at = true, 0
		w.goOn()
	}
}

func (w *walk) goOn() {
	l := w.loop
	l.readClock()
	l.reach = 1 // a visit may take far longer than what came before
	for began := l.now; w.at < l.conns.Len(); {
		c := *l.conns.At(w.at)
		w.at++
		if c == nil {
			continue
		}
		w.visit(c)
		if l.measure(); l.now.Sub(began) >= walkTime {
			l.Do(w.goOn)
			return
		}
	}
	w.going = false
}
