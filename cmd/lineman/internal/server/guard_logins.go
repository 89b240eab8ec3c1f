package server

import (
	"net"
	"net/netip"
	"time"
)

// Where loops are several, each knows the members of its own, and the guard counts the connections of uids on all. A
// page is counted when its login is let pass, by the same lock: so no two pass for one place.
//
//	logging in ── login ──▶ counted, by its login ── the Hub has it ──▶ counted, by the Hub ── it goes ──▶ not counted
//	                               └── its login ends otherwise ──▶ not counted

// countUIDs has connections of uids be counted here.
func (g *guard) countUIDs(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if on {
		g.uids = make(map[string]int)
	}
}

// login lets a uid have one more connection, or tells why it may not. here is how many it has on the loop of that
// connection.
func (g *guard) login(uid string, here int, e *login) (why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	connections := here
	if g.uids != nil {
		connections = g.uids[uid]
	}
	if g.limits.ConnectionsPerUID > 0 && connections >= g.limits.ConnectionsPerUID {
		return "connections_per_uid"
	}
	if why := g.loginRateLocked(uid); why != "" || g.uids == nil {
		return why
	}
	g.uids[uid]++
	e.counted = uid
	return ""
}

// mayLogIn lets somebody try a password for the dashboard. Those of this machine count too, together.
func (g *guard) mayLogIn(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil { // a proxy tells no port
		host = remote
	}
	ip, _ := netip.ParseAddr(host)
	who := g.address(ip)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.passwords.allow(who, time.Now())
}

// loginAgain lets a connection of a uid say another credential, or tells why it may not.
func (g *guard) loginAgain(uid string) (why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.loginRateLocked(uid)
}

func (g *guard) loginRateLocked(uid string) (why string) {
	if !g.logins.allow(uid, time.Now()) {
		return g.tooMuchLocked("logins_per_uid", uid)
	}
	return ""
}

// logout counts out a page whose login has ended before it was a member.
func (g *guard) logout(e *login) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.logoutLocked(e)
}

func (g *guard) logoutLocked(e *login) {
	if e.counted != "" {
		g.uncountLocked(e.counted)
		e.counted = ""
	}
}

// uncount counts out a member that has gone.
func (g *guard) uncount(uid string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.uncountLocked(uid)
}

func (g *guard) uncountLocked(uid string) {
	if g.uids[uid]--; g.uids[uid] == 0 {
		delete(g.uids, uid)
	}
}
