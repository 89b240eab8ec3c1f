package server

import (
	"log/slog"
	"net"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push/token"
)

// guard bounds what others can take. What it is asked about and refuses it gives a reason for, which is counted; in a dry run it refuses
// nothing for a rate, and counts and logs all the same. Owned by the loop.
type guard struct {
	limits     config.Limits
	log        paced
	pages      counter // connections that have come, with those that are members
	waiting    counter // of these, connections that are nobody yet
	handshakes rates
	logins     rates
	commands   rates

	refused     tally
	wouldRefuse tally // in a dry run
	credentials tally // that were refused
}

// reasons are those for which something can be refused.
func reasons() []string {
	return []string{
		"connections", "waiting", "connections_per_ip", "waiting_per_ip", "handshakes_per_ip", // of a handshake
		"late", "credential", "channel", "places", "connections_per_uid", "logins_per_uid", // of a page that would be somebody
		"messages_per_connection", "slow", "memory", // of one that is
		"key", "page", "commands_per_key", // of a back end
	}
}

// rateReasons are those of them that a dry run lets pass.
func rateReasons() []string {
	return []string{"handshakes_per_ip", "logins_per_uid", "messages_per_connection", "commands_per_key"}
}

func newGuard(l config.Limits, log *slog.Logger) *guard {
	return &guard{
		limits: l, log: newPaced(log), pages: counter{}, waiting: counter{},
		handshakes: newRates(l.HandshakesPerIP), logins: newRates(l.LoginsPerUID), commands: newRates(l.CommandsPerKey),
		refused: newTally(reasons()), wouldRefuse: newTally(rateReasons()), credentials: newTally(token.Reasons()),
	}
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

// rates are how often something happens, by a name.
type rates struct {
	limit rate.Limit
	burst int
	by    map[string]*rate.Limiter
}

// burstTime is how long a rate may have been saved up.
const burstTime = 5

func newRates(perSecond float64) rates {
	return rates{rate.Limit(perSecond), max(1, int(perSecond*burstTime)), map[string]*rate.Limiter{}}
}

// spend reports whether something may happen once more.
func (r rates) spend(name string) bool {
	if r.limit <= 0 {
		return true
	}
	l := r.by[name]
	if l == nil {
		l = rate.NewLimiter(r.limit, r.burst)
		r.by[name] = l
	}
	return l.Allow()
}

// forget drops what has nothing left to remember.
func (r rates) forget(now time.Time) {
	for name, l := range r.by {
		if l.TokensAt(now) >= float64(r.burst) {
			delete(r.by, name)
		}
	}
}

func (g *guard) forget() {
	now := time.Now()
	for _, r := range []rates{g.handshakes, g.logins, g.commands} {
		r.forget(now)
	}
	g.log.tell(now)
}

// refuse counts a refusal, and logs it.
func (g *guard) refuse(why, message string, args ...any) {
	g.refused.add(why)
	g.log.info(time.Now(), message, why, args...)
}

// address is what a peer is counted by: its IP address, of IPv6 the network of 64 bits that a household has. Empty means that it is not
// counted: this machine.
func (g *guard) address(a net.Addr) string {
	at, err := netip.ParseAddrPort(a.String())
	ip := at.Addr().Unmap()
	if err != nil {
		if ip, err = netip.ParseAddr(a.String()); err != nil {
			return ""
		}
	}
	switch {
	case ip.IsLoopback():
		return ""
	case ip.Is6():
		network, _ := ip.Prefix(64)
		return network.Masked().String()
	}
	return ip.String()
}

// tooMuch counts a refusal, unless it is a dry run, and returns its reason.
func (g *guard) tooMuch(why, who string) string {
	if g.limits.DryRun {
		g.wouldRefuse.add(why)
		g.log.info(time.Now(), "a limit would refuse", why, "who", who)
		return ""
	}
	return why
}

// arrive counts a page's connection, and tells why it may not come.
func (g *guard) arrive(ip string) (why string) {
	l := g.limits
	over := func(n, limit int) bool { return limit > 0 && n >= limit }
	switch {
	case over(g.pages[""], l.Connections):
		why = "connections"
	case over(g.waiting[""], l.Waiting):
		why = "waiting"
	case ip != "" && over(g.pages[ip], l.ConnectionsPerIP):
		why = "connections_per_ip"
	case ip != "" && over(g.waiting[ip], l.WaitingPerIP):
		why = "waiting_per_ip"
	case ip != "" && !g.handshakes.spend(ip):
		why = g.tooMuch("handshakes_per_ip", ip)
	}
	if why != "" {
		g.refused.add(why)
		return why
	}
	g.pages.add(ip, 1)
	g.waiting.add(ip, 1)
	return ""
}

// known counts a page's connection as no longer waiting.
func (g *guard) known(ip string) { g.waiting.add(ip, -1) }

// leave counts a page's connection out.
func (g *guard) leave(ip string) { g.pages.add(ip, -1) }

// login tells why a uid that has so many connections may not have another one.
func (g *guard) login(uid string, connections int) (why string) {
	switch {
	case g.limits.ConnectionsPerUID > 0 && connections >= g.limits.ConnectionsPerUID:
		return "connections_per_uid"
	case !g.logins.spend(uid):
		return g.tooMuch("logins_per_uid", uid)
	}
	return ""
}

// command reports whether a key may be used once more.
func (g *guard) command(key string) bool {
	if g.commands.spend(key) || g.tooMuch("commands_per_key", key) == "" {
		return true
	}
	g.refuse("commands_per_key", "a back end has to wait", "name", key)
	return false
}

// allowance is how many messages a connection has sent of late: they leak away at the rate that is allowed. It is 8 bytes, for there is
// one for each connection.
type allowance struct {
	level float32
	at    uint32 // in seconds since some time
}

// message reports whether a page may say something more.
func (g *guard) message(a *allowance) bool {
	perSecond := float32(g.limits.MessagesPerConnection)
	if perSecond <= 0 {
		return true
	}
	now := uint32(time.Now().Unix())
	a.level = max(0, a.level-float32(now-a.at)*perSecond)
	a.at = now
	if a.level++; a.level <= max(1, perSecond*burstTime) {
		return true
	}
	return g.tooMuch("messages_per_connection", "") == ""
}
