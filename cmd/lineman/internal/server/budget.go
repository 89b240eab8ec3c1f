package server

import (
	"slices"
	"time"

	"github.com/lineman-go/lineman"
)

// budget bounds the memory of the send queues of all connections, by load shedding. What waits is counted again when so
// much was sent since that it may have been passed by an eighth: so that is the most, and counting, which looks at each
// connection, is rare where little waits. The zero value has to be counted first.
type budget struct {
	room int // bytes that may be sent before it is counted again
	due  bool
}

// aroundSent is for what a message has around it on its way: its frame, and its record of TLS.
const aroundSent = 32

// spend tells of bytes that were sent, and reports whether what waits has to be counted now.
func (b *budget) spend(bytes int) bool {
	if b.room -= bytes; b.room >= 0 || b.due {
		return false
	}
	b.due = true
	return true
}

// counted tells how much waits, of so much that may.
func (b *budget) counted(waits, most int) { *b = budget{room: most + most/8 - waits} }

// charge counts messages of so many bytes each that were sent to pages.
func (s *Server) charge(messages, bytes int) {
	if s.config.Limits.Memory > 0 && s.budget.spend(messages*(bytes+aroundSent)) {
		s.loop.After(time.Millisecond, s.shed) // once the kernel has taken what it takes
	}
}

// memoryShare is how much of the memory for send queues this loop may take.
func (s *Server) memoryShare() int { return s.config.Limits.Memory / (1 + len(s.first().others)) }

// shed is the load shedding: it cuts the connections for which most waits, until the rest is within the budget.
func (s *Server) shed() {
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
	share := s.memoryShare()
	for _, w := range slow {
		if total <= share {
			break
		}
		total -= w.bytes
		s.guard.refuse("memory", "a page was cut: too much waits for all", "remote", w.conn.RemoteAddr(),
			"bytes", w.bytes)
		w.conn.Abort() // a goodbye would wait behind what has to go
	}
	s.budget.counted(total, share)
}
