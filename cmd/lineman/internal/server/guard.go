package server

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push/token"
)

// guard is the admission control: it has the connection slots and the rate limits, which bound what others can take. It
// gives a reason for each refusal, and counts it. In a dry run it refuses nothing for a rate, but counts and logs all
// the same. All loops of a process have one.
type guard struct {
	limits  config.Limits
	proxies []netip.Prefix // whose own addresses are not counted

	// Owned by the loop that has the back ends.
	backends         slots   // at the port for lines
	keylessLines     keyless // of these, the unauthenticated ones, where a key is wanted
	api              slots
	keylessCalls     keyless // of these, likewise
	operators        slots
	keylessOperators keyless // of these, likewise
	commands         rateLimiter

	mu         sync.Mutex // guards the following
	log        limitedLog
	pages      slots       // with those that are members
	waiting    slots       // of these, those that have not logged in yet
	spares     slots       // connections that are there to be told that there is no slot
	tellings   rateLimiter // of these
	handshakes rateLimiter
	logins     rateLimiter
	passwords  rateLimiter    // for the dashboard, of an address
	uids       map[string]int // connections that have logged in, where there are several loops; else nil
	draining   int            // pages that there were when the first loop began to send them away; 0: none has

	newest      refusals
	refused     tally
	wouldRefuse tally // in a dry run
	credentials tally // that were refused
}

// reasons are those for which something can be refused.
func reasons() []string {
	return []string{
		// of a handshake
		"origin", "handshake", "connections", "waiting", "connections_per_ip", "waiting_per_ip", "handshakes_per_ip",
		// of a page that logs in
		"late", "credential", "hook", "channel", "places", "connections_per_uid", "logins_per_uid",
		"messages_per_connection", "publish_rate", "slow", "memory", "malformed", // of one that has logged in
		"app",                                      // of a page of the Pusher protocol, or of a back end
		"key", "page", "stray", "commands_per_key", // of a back end
		"keyless", "keyless_per_ip", "text.connections", "text.connections_per_ip", // likewise
		"api.connections", "api.connections_per_ip", // likewise
		"admin.connections", "admin.connections_per_ip", // of an operator
	}
}

// rateReasons are those of them that a dry run lets pass.
func rateReasons() []string {
	return []string{
		"handshakes_per_ip", "logins_per_uid", "messages_per_connection", "publish_rate", "commands_per_key",
	}
}

// guardPorts has the ports be guarded, as far as there are descriptors.
func (s *Server) guardPorts() error {
	shares, warning, err := s.config.Share(openFiles())
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if warning != "" {
		s.log.Warn("lineman: " + warning)
	}
	s.guard = newGuard(s.config, shares, s.log)
	s.guard.countUIDs(s.memory != nil)
	return nil
}

func newGuard(c config.Config, s config.Shares, log *slog.Logger) *guard {
	l := c.Limits
	anew := func(name string, most, perIP int) slots {
		return slots{name, most, perIP, name != adminSlots, counter{}}
	}
	return &guard{
		limits: l, log: newLimitedLog(log), proxies: prefixes(c.Proxies),
		pages:        anew("connections", s.Pages, l.ConnectionsPerIP),
		waiting:      anew("waiting", s.Waiting, someOf(l.WaitingPerIP, s.Waiting)),
		backends:     anew("text.connections", s.Text, orHalf(c.Text.ConnectionsPerIP, s.Text)),
		keylessLines: newKeyless(l, s.Text), keylessCalls: newKeyless(l, s.API),
		keylessOperators: newKeyless(l, s.Admin),
		api:              anew("api.connections", s.API, orHalf(c.API.ConnectionsPerIP, s.API)),
		operators:        anew(adminSlots, s.Admin, orHalf(c.Admin.ConnectionsPerIP, s.Admin)),
		spares:           anew("spare", s.Spare, sparePerIP), tellings: newRateLimiter(tellingsPerIP),
		handshakes: newRateLimiter(l.HandshakesPerIP), logins: newRateLimiter(l.LoginsPerUID),
		commands: newRateLimiter(l.CommandsPerKey), passwords: newRateLimiter(passwordsPerIP),
		refused: newTally(reasons()), wouldRefuse: newTally(rateReasons()),
		credentials: newTally(token.Reasons()), newest: make(refusals),
	}
}

// adminSlots names the slots of the port for operators. Its requests are answered elsewhere: a connection that finds no
// slot is not told.
const adminSlots = "admin.connections"

const (
	sparePerIP    = 4 // connections of an address that are told at a time that there is no slot for them
	tellingsPerIP = 5 // and how many a second: TLS is done for each

	passwordsPerIP = 1 // tries of an address to log in to the dashboard, a second
)

// half is how many slots may go to who is not authenticated: a limit, and no more than half of them.
func half(limit, most int) int {
	if most > 0 && (limit == 0 || limit > most/2) {
		return max(1, most/2)
	}
	return limit
}

// someOf is how many slots an address may have: a limit, and no more than half of them, so that others find one; 0 is
// no limit.
func someOf(limit, most int) int {
	if limit == 0 {
		return 0
	}
	return half(limit, most)
}

// orHalf is how many slots an address may have: what was set, else half of them.
func orHalf(set, most int) int {
	if set == 0 && most > 0 {
		return max(1, most/2)
	}
	return set
}

// prefixes are the addresses among those of proxies. Those that come by a Unix socket have none.
func prefixes(proxies []string) (all []netip.Prefix) {
	for _, p := range proxies {
		if prefix, err := netip.ParsePrefix(p); err == nil {
			all = append(all, prefix)
		} else if ip, err := netip.ParseAddr(p); err == nil {
			all = append(all, netip.PrefixFrom(ip, ip.BitLen()))
		}
	}
	return all
}

// isProxy reports whether an address is that of a proxy.
func (g *guard) isProxy(ip netip.Addr) bool {
	return slices.ContainsFunc(g.proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

func (g *guard) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for _, r := range []*rateLimiter{&g.handshakes, &g.tellings, &g.logins, &g.commands, &g.passwords} {
		r.forget(now)
	}
	g.log.tell(now)
}

// refuse counts a refusal, and logs it.
func (g *guard) refuse(why, message string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuseLocked(why, message, args...)
}

// note logs something that others can cause.
func (g *guard) note(why, message string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.log.info(time.Now(), message, why, args...)
}

// refuseCredential counts one.
func (g *guard) refuseCredential(why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.credentials.add(why)
}

func (g *guard) refuseLocked(why, message string, args ...any) {
	now := time.Now()
	g.refused.add(why)
	g.newest.note(now, why, message, args)
	g.log.info(now, message, why, args...)
}

// address is what a peer is counted by: its IP address, or with IPv6 the network of 64 bits that a household has. It is
// empty if the peer is not counted: on this machine, and for a proxy, which stands for others.
func (g *guard) address(ip netip.Addr) string {
	switch ip = ip.Unmap(); {
	case !ip.IsValid() || ip.IsLoopback() || g.isProxy(ip):
		return ""
	case ip.Is6():
		network, _ := ip.Prefix(64)
		return network.Masked().String()
	}
	return ip.String()
}

// addressText is the address of a peer for the log; empty on a Unix socket, where it has none.
func addressText(remote netip.AddrPort) string {
	if !remote.IsValid() {
		return ""
	}
	return remote.String()
}

// tooMuch counts a refusal, unless it is a dry run, and returns its reason.
func (g *guard) tooMuch(why, who string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tooMuchLocked(why, who)
}

func (g *guard) tooMuchLocked(why, who string) string {
	if g.limits.DryRun {
		g.wouldRefuse.add(why)
		g.log.info(time.Now(), "a limit would refuse", why, "who", who)
		return ""
	}
	return why
}

// accept takes a slot for the connection of a page, which has not logged in yet, and reports whether it may stay. If it
// got a spare slot only, its login has the refusal.
func (g *guard) accept(p *page, remote netip.AddrPort) bool {
	p.ip = g.address(remote.Addr())
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.login.refusal = g.admitLocked(p.ip); p.login.refusal == "" || g.takeSpareLocked(p.ip) {
		return true
	}
	g.refuseLocked(p.login.refusal, "a connection was refused", "remote", addressText(remote))
	return false
}

// readmit counts a page by the address that a proxy tells for it, in place of the proxy's own, and tells why it may not
// come.
func (g *guard) readmit(p *page, remote netip.AddrPort) (why string) {
	ip := g.address(remote.Addr())
	if p.login.refusal == "" && ip == p.ip {
		return ""
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leaveLocked(p)
	p.ip = ip
	if p.login.refusal = g.admitLocked(ip); p.login.refusal != "" {
		g.spares.taken.add(ip, 1) // until it has gone
		g.refuseLocked(p.login.refusal, "a connection was refused", "remote", addressText(remote))
	}
	return p.login.refusal
}

// admitLocked takes a slot for a page that waits, or tells why there is none.
func (g *guard) admitLocked(ip string) (why string) {
	switch pages, waiting := g.pages.full(ip), g.waiting.full(ip); {
	case pages != "":
		return pages
	case waiting != "":
		return waiting
	case ip != "" && !g.handshakes.allow(ip, time.Now()):
		if why := g.tooMuchLocked("handshakes_per_ip", ip); why != "" {
			return why
		}
	}
	g.pages.taken.add(ip, 1)
	g.waiting.taken.add(ip, 1)
	return ""
}

// known counts a page as no longer waiting.
func (g *guard) known(p *page) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting.taken.add(p.ip, -1)
}

// leave counts a page's connection out, and tells how many are left.
func (g *guard) leave(p *page) (left int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leaveLocked(p)
	return g.pages.taken[""]
}

func (g *guard) leaveLocked(p *page) {
	switch {
	case p.login != nil && p.login.refusal != "":
		g.spares.taken.add(p.ip, -1)
		return
	case p.login != nil:
		g.logoutLocked(p.login)
		g.waiting.taken.add(p.ip, -1)
	}
	g.pages.taken.add(p.ip, -1)
}

// pageCount is how many pages there are.
func (g *guard) pageCount() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pages.taken[""]
}

// pagesToDrain is how many pages all loops have to send away: the same for each of them.
func (g *guard) pagesToDrain() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining == 0 {
		g.draining = g.pages.taken[""]
	}
	return g.draining
}

// crowded reports whether more connections are told that there is no slot than there are spare ones.
func (g *guard) crowded() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return over(g.spares.taken[""]-1, g.spares.most)
}

// command reports whether a key may be used once more.
func (g *guard) command(key string) bool {
	if g.commands.allow(key, time.Now()) || g.tooMuch("commands_per_key", key) == "" {
		return true
	}
	g.refuse("commands_per_key", "a back end has to wait", "name", key)
	return false
}

// message reports whether a page may say something more.
func (g *guard) message(a *tokenBucket) bool {
	perSecond := float32(g.limits.MessagesPerConnection)
	return perSecond <= 0 || a.allow(perSecond, time.Now()) || g.tooMuch("messages_per_connection", "") == ""
}
