package server

import (
	"math"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push/level1"
)

// expiries are the connections whose credentials expire, by the second of Unix time.
type expiries map[uint32]map[uint64]bool

// add returns the key of a connection. It is at least 1.
func (e expiries) add(id uint64, at time.Time) uint32 {
	second := uint32(min(max(at.Unix(), 1), math.MaxUint32))
	if e[second] == nil {
		e[second] = make(map[uint64]bool)
	}
	e[second][id] = true
	return second
}

func (e expiries) remove(id uint64, second uint32) {
	if delete(e[second], id); len(e[second]) == 0 {
		delete(e, second)
	}
}

// expire closes the connections whose credentials are no longer good.
func (s *Server) expire(now time.Time) {
	s.warn(now)
	for second, ids := range s.expiries {
		if int64(second) > now.Unix() {
			continue
		}
		for id := range ids {
			if m := s.hub.Member(id); m != nil {
				s.hub.Kick(m, int(codeExpired), "the credential has expired")
			}
		}
	}
}

// setExpiry notes when the credential of a page expires.
func (s *Server) setExpiry(c *lineman.Conn, p *page, at time.Time) {
	if p.end != 0 {
		s.expiries.remove(c.ID(), p.end)
		p.end = 0
	}
	if !at.IsZero() {
		p.end = s.expiries.add(c.ID(), at)
	}
}

// expiringTime is how long before the end of its credential a page of level 1 is told of it.
const expiringTime = 30 * time.Second

// warn tells pages of level 1 whose credentials expire soon. It is asked every second, and forgets none if it is late.
func (s *Server) warn(now time.Time) {
	until := now.Add(expiringTime).Unix()
	for second, ids := range s.expiries {
		if int64(second) <= s.warned || int64(second) > until {
			continue
		}
		for id := range ids {
			m := s.hub.Member(id)
			if m == nil {
				continue
			}
			if p := pageOf(m.Conn()); p.live != nil {
				s.tell(m.Conn(), level1.Expiring{In: time.Duration(int64(second)-now.Unix()) * time.Second})
			}
		}
	}
	s.warned = until
}
