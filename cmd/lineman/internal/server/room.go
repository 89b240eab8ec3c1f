package server

import (
	"time"

	"github.com/lineman-go/lineman"
)

// room is what a port has for connections: so many in all, and so many of an address. Owned by the loop.
type room struct {
	name  string // of the setting that bounds it; that for an address ends in _per_ip
	most  int    // 0 means any number
	perIP int    // 0 means any number
	tells bool   // who finds no place is told so
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
func (r *room) full(ip string) (why string) {
	switch {
	case over(r.taken[""], r.most):
		return r.name
	case ip != "" && over(r.taken[ip], r.perIP):
		return r.name + perIP
	}
	return ""
}

func over(n, limit int) bool { return limit > 0 && n >= limit }

const perIP = "_per_ip"

// place is what a connection takes of a room. Where there is none, a few get a spare one: to be told so.
type place struct {
	ip  string // what is counted by; empty if it is not
	why string // there is a spare place only; empty if it has its own
}

// enter takes a place in a room for a connection, or a spare one for partTime; false means that there is none.
func (g *guard) enter(r *room, c *lineman.Conn) (p place, ok bool) {
	p.ip = g.address(c.RemoteAddr())
	if p.why = r.full(p.ip); p.why != "" && !(r.tells && g.spare(p.ip)) {
		g.refuse(p.why, "a connection was refused", "remote", c.RemoteAddr())
		return p, false
	}
	if p.why == "" {
		r.taken.add(p.ip, 1)
	} else {
		c.After(partTime, c.Abort) // who says nothing keeps the place from others
	}
	return p, true
}

// exit gives a place back.
func (g *guard) exit(r *room, p place) {
	if p.why != "" {
		g.spares.taken.add(p.ip, -1)
		return
	}
	r.taken.add(p.ip, -1)
}

// spare takes a spare place, and reports whether there was one. How many an address may have, and how often, is bounded
// too.
func (g *guard) spare(ip string) bool {
	if g.spares.full(ip) != "" || ip != "" && !g.tellings.spend(ip, time.Now()) {
		return false
	}
	g.spares.taken.add(ip, 1)
	return true
}
