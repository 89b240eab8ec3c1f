package server

import "time"

// What the guard has counted. Connections that cross are counted by the successor as they come, by its own settings,
// also where these allow less than there are. What was taken of rates of late crosses with the state of the process.

const (
	guardHandshakes = iota + 1
	guardTellings
	guardLogins
	guardCommands
)

// ratesLocked are the rate limiters by the numbers of their fields.
func (g *guard) ratesLocked() map[uint64]*rateLimiter {
	return map[uint64]*rateLimiter{
		guardHandshakes: &g.handshakes, guardTellings: &g.tellings, guardLogins: &g.logins, guardCommands: &g.commands,
	}
}

// appendState appends what was taken of rates.
func (g *guard) appendState(f *saved, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for number, rate := range g.ratesLocked() {
		rate.forget(now)
		for name, spent := range rate.by {
			f.nested(number, channelRate{name, spent}.appendState)
		}
	}
}

// restoreState makes that again.
func (g *guard) restoreState(state []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	rates := g.ratesLocked()
	return readFields(state, guardCommands, func(f *field) {
		var one channelRate
		if rate := rates[f.number]; rate != nil {
			f.take(one.restoreState(f.bytes()))
			rate.by[one.namespace] = one.spent
		}
	})
}

// restorePage counts a page that has crossed; uid is that of a member, where the guard counts them.
func (g *guard) restorePage(p *page, uid string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pages.taken.add(p.ip, 1)
	if p.login != nil {
		g.waiting.taken.add(p.ip, 1)
	}
	if uid != "" && g.uids != nil {
		g.uids[uid]++
	}
}

// restoreSlot counts a connection to a port for back ends that has crossed.
func (g *guard) restoreSlot(s *slots, a *admission) {
	a.slot = slot{ip: g.address(a.conn.RemoteAddrPort().Addr())}
	s.taken.add(a.slot.ip, 1)
}
