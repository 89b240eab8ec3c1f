package server

import (
	"slices"
	"time"

	"github.com/lineman-go/lineman"
)

// budget bounds the memory of the send queues of all connections, by load shedding. Each time an eighth of it has been
// sent, what waits is counted: so it is passed by an eighth at the most, and counting costs little.
type budget struct {
	sent int // bytes since it was counted
	due  bool
}

// charge counts bytes that were sent to pages.
func (s *Server) charge(bytes int) {
	if s.budget.sent += bytes; s.config.Limits.Memory > 0 && s.budget.sent > s.memoryShare()/8 && !s.budget.due {
		s.budget.due = true
		s.loop.After(time.Millisecond, s.shed) // once the kernel has taken what it takes
	}
}

// memoryShare is how much of the memory for send queues this loop may take.
func (s *Server) memoryShare() int { return s.config.Limits.Memory / (1 + len(s.first().others)) }

// shed is the load shedding: it cuts the connections for which most waits, until the rest is within the budget.
func (s *Server) shed() {
	s.budget = budget{}
	type waiting struct {
		conn  *lineman.Conn
		bytes int
	}
	var slow []waiting
	total := 0
	for m := range s.hub.Members("*") {
		if n := m.Conn().Pending(); n > 0 {
			slow = append(slow, waiting{m.Conn(), n})
			total += n
		}
	}
	slices.SortFunc(slow, func(a, b waiting) int { return b.bytes - a.bytes })
	for _, w := range slow {
		if total <= s.memoryShare() {
			return
		}
		total -= w.bytes
		s.guard.refuse("memory", "a page was cut: too much waits for all", "remote", w.conn.RemoteAddr(),
			"bytes", w.bytes)
		w.conn.Abort() // a goodbye would wait behind what has to go
	}
}
