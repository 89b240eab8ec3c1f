package server

import "runtime/debug"

// scavenger decides when to return memory to the operating system: when many pages have come or gone and it is quiet
// again. What they left behind, such as the heads of their handshakes, would stay for minutes. Owned by the loop.
type scavenger struct {
	before int // connections when it was looked at last
	last   int // connections when memory was given back last
}

// due reports whether it is time, with so many connections now. It is asked every few seconds.
func (t *scavenger) due(connections int) bool {
	quiet := differs(connections, t.before) <= connections/100
	t.before = connections
	if !quiet || differs(connections, t.last) < 1000+t.last/4 {
		return false
	}
	t.last = connections
	return true
}

func differs(a, b int) int { return max(a-b, b-a) }

// tidy is called every few seconds.
func (s *Server) tidy() {
	s.replays.forget()
	if s.home != nil {
		return
	}
	s.guard.forget()
	if s.scavenger.due(s.guard.pageCount()) {
		go debug.FreeOSMemory() // it takes its time
	}
}
