package server

import (
	"time"

	"github.com/lineman-go/lineman"
)

// slots are the connection slots of a port: so many in all, and so many of an address. Owned by the loop.
type slots struct {
	name  string // of the setting that bounds it; that for an address ends in _per_ip
	most  int    // 0 means any number
	perIP int    // 0 means any number
	tells bool   // who finds none is told so
	taken counter
}

// counter counts by address; "" is all.
type counter map[string]int

func (c counter) add(ip string, n int) {
	for _, key := range []string{"", ip} {
		if c[key] += n; c[key] == 0 {
			delete(c, key)
		}
		if ip == "" {
			return
		}
	}
}

// full tells why nobody may come in from an address; empty if somebody may.
func (s *slots) full(ip string) (why string) {
	switch {
	case over(s.taken[""], s.most):
		return s.name
	case ip != "" && over(s.taken[ip], s.perIP):
		return s.name + perIP
	}
	return ""
}

func over(n, limit int) bool { return limit > 0 && n >= limit }

const perIP = "_per_ip"

// slot is the connection slot of a connection. Where there is none left, a few connections get a spare one, so that
// they can be told.
type slot struct {
	ip  string // what is counted by; empty if it is not
	why string // why it has a spare one only; empty if it has its own
}

// acquire takes a slot for a connection, or a spare one for refusalTime; false means that there is none. s is none of
// those for pages.
func (g *guard) acquire(s *slots, c *lineman.Conn) (p slot, ok bool) {
	p.ip = g.address(c.RemoteAddrPort().Addr())
	if p.why = s.full(p.ip); p.why != "" && !(s.tells && g.takeSpare(p.ip)) {
		g.refuse(p.why, "a connection was refused", "remote", c.RemoteAddr())
		return p, false
	}
	if p.why == "" {
		s.taken.add(p.ip, 1)
	} else {
		c.After(refusalTime, c.Abort) // who says nothing keeps the slot from others
	}
	return p, true
}

// release gives a slot back.
func (g *guard) release(s *slots, p slot) {
	if p.why != "" {
		g.releaseSpare(p.ip)
		return
	}
	s.taken.add(p.ip, -1)
}

// takeSpare takes a spare slot, and reports whether there was one. How many an address may have, and how often, is
// bounded too.
func (g *guard) takeSpare(ip string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.takeSpareLocked(ip)
}

func (g *guard) releaseSpare(ip string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spares.taken.add(ip, -1)
}

func (g *guard) takeSpareLocked(ip string) bool {
	if g.spares.full(ip) != "" || ip != "" && !g.tellings.allow(ip, time.Now()) {
		return false
	}
	g.spares.taken.add(ip, 1)
	return true
}
