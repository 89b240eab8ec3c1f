package exchange

import (
	"sync"
	"time"
)

const (
	maxSpares = 256         // a tick of the loop begins about as many exchanges
	spareTime = time.Second // in which what is not needed is given back
)

// spares are the serverConns that wait for an exchange. Those that were not needed for a while end, so that a server
// that is quiet has none. The zero value is ready for use.
type spares struct {
	mu      sync.Mutex // guards the following
	conns   []*serverConn
	least   int // how many there have been at the least since the last look
	timer   *time.Timer
	watched bool // the timer runs
	ended   bool
}

// put keeps a serverConn, or reports that there are enough.
func (s *spares) put(c *serverConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.conns) == maxSpares {
		return false
	}
	s.conns = append(s.conns, c)
	s.watchLocked()
	return true
}

// watchLocked has the timer run, with lock held.
func (s *spares) watchLocked() {
	switch {
	case s.watched:
		return
	case s.timer == nil:
		s.timer = time.AfterFunc(spareTime, s.look)
	default:
		s.timer.Reset(spareTime)
	}
	s.watched = true
}

// take returns the one that was used last, or nil.
func (s *spares) take() *serverConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.conns) - 1
	if n < 0 {
		return nil
	}
	c := s.conns[n]
	s.conns[n] = nil
	s.conns = s.conns[:n]
	s.least = min(s.least, n)
	return c
}

// look ends those that nobody needed since the last look.
func (s *spares) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = false
	s.dropLocked(s.least)
	if s.least = len(s.conns); s.least > 0 {
		s.watchLocked()
	}
}

// end ends all of them, and those that come later.
func (s *spares) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.least = true, 0
	s.dropLocked(len(s.conns))
}

// dropLocked ends the n that were used the longest ago, with lock held.
func (s *spares) dropLocked(n int) {
	for _, c := range s.conns[:n] {
		close(c.next)
	}
	left := copy(s.conns, s.conns[n:])
	clear(s.conns[left:])
	s.conns = s.conns[:left]
}
