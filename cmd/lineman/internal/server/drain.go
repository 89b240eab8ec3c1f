package server

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lineman-go/lineman"
)

// perConnection is how much time a drain has for each connection, until config.Drain has been reached.
const perConnection = 250 * time.Microsecond

// reconnectTime is how long pages may take to come back, beside two drains: the one over which they are sent away, and
// the one that each waits.
const reconnectTime = 10 * time.Second

// busyTime is how long a back end may go on writing to a server that has a successor.
const busyTime = 500 * time.Millisecond

func (s *Server) stop(l *lineman.Loop) {
	s.drain(l, false)
	s.stopping = true
	s.noteStopped()
	if s.home != nil {
		return
	}
	if err := s.who.Close(); err != nil {
		s.log.Error("lineman: closing", "error", err)
	}
}

// quit leaves the other processes. It is the last that the first loop does, unless it relays: so nothing waits here.
func (s *Server) quit() {
	if s.left {
		return
	}
	s.left = true
	s.closeTellers()
	s.hearing.dispatcher.Bye()
	s.hub.Close()
	for _, one := range s.others {
		one.loop.Do(one.hub.Close)
	}
	if s.memory != nil {
		s.memory.Close()
	}
	s.closeJournal()
	s.decides.close()
	if s.options.BrokerWait != nil {
		s.loop.Go(s.options.BrokerWait)
	}
}

// drain is the connection draining: it sends the pages away one by one, when the server stops or has a successor. Each
// is told to wait for as long as the whole drain takes, so they come back when it is over, in the order in which they
// went. Back ends are left to the loop: it closes them when everything they sent was read and their lines are answered.
// Those that write without a pause are closed after busyTime.
func (s *Server) drain(l *lineman.Loop, succeeded bool) {
	if !s.ready {
		return
	}
	s.ready = false
	if !s.crossing.over {
		s.hub.Leaving()
	}
	if s.home == nil {
		s.hearing.dispatcher.Leave(succeeded)
	}
	if s.dashboard != nil {
		s.dashboard.Close()
	}
	var pages []*lineman.Conn
	for _, w := range []*lineman.Worker{s.pages, s.streams} {
		for c := range l.Conns(w) {
			if pageOf(c) != nil {
				pages = append(pages, c)
			}
		}
	}
	l.After(busyTime, func() { s.dismissBackends(l) })
	inAll := len(pages)
	if s.memory != nil {
		inAll = s.guard.pagesToDrain()
	}
	window, reason := s.drainTime(inAll)
	for i, c := range pages {
		leave := func() { s.closeWith(c, int(codeRestart), reason) }
		if window == 0 {
			leave() // there is no later
		} else {
			c.After(window*time.Duration(i)/time.Duration(len(pages)), leave)
		}
	}
	if window > 0 {
		s.emptied = time.Now().Add(window + perConnection)
		s.noteEmptied()
	}
	l.After(window+perConnection, s.retireListeners)
}

// drainTime is how long it takes to send so many pages away, and what they are told.
func (s *Server) drainTime(pages int) (window time.Duration, reason string) {
	window = min(s.config.Drain, time.Duration(pages)*perConnection)
	return window, fmt.Sprintf(`{"retry":%d}`, (window + time.Second).Milliseconds())
}

// partRelayed sends a page away whose TLS is that of a predecessor, which has to end: at some moment, as there may be
// many of them.
func (s *Server) partRelayed(c *lineman.Conn) {
	if pageOf(c) == nil {
		return
	}
	window, reason := s.drainTime(s.guard.pageCount())
	c.After(rand.N(window+1), func() { s.closeWith(c, int(codeRestart), reason) })
}

// retireListeners lets those listeners go that have nothing to do any more; others go when they have acknowledged.
func (s *Server) retireListeners() {
	for b := range s.hearing.listening {
		b.retire()
	}
}

// dismissBackends closes the back ends that are still there, once their lines are answered.
func (s *Server) dismissBackends(l *lineman.Loop) {
	for _, w := range []*lineman.Worker{s.text, s.known} {
		if w == nil {
			continue
		}
		for c := range l.Conns(w) {
			c.Value().(*backend).leave()
		}
	}
}

// The Servers of a process end together.

// noteEmptied has the first loop know when the last page of this one has been sent away.
func (s *Server) noteEmptied() {
	if s.home == nil {
		return
	}
	first, at := s.home, s.emptied
	first.loop.Do(func() {
		if at.After(first.emptied) {
			first.emptied = at
			first.loop.After(time.Until(at), first.retireListeners)
		}
	})
}

// noteStopped has the first loop know that this one stops, and then that it has sent its pages away: by a timer behind
// theirs, however late they are.
func (s *Server) noteStopped() {
	first := s.first()
	first.loop.Do(func() {
		first.stopped++
		first.endIfDue()
	})
	sent := func() {
		first.loop.Do(func() {
			first.emptyLoops++
			first.endIfDue()
		})
	}
	if s.emptied.IsZero() {
		sent() // at once: there is no later
		return
	}
	s.loop.After(time.Until(s.emptied), sent)
}

// endIfDue ends what is there once, when all loops stop, and the last page has been sent away, or has gone before.
func (s *Server) endIfDue() {
	all := 1 + len(s.others)
	if s.stopped == all && (s.emptyLoops == all || s.guard.pageCount() == 0) {
		s.quit()
	}
}
