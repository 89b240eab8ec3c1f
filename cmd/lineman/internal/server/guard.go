package server

import (
	"log/slog"
	"net"
	"net/netip"
	"time"

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
		"origin", "handshake", "connections", "waiting", "connections_per_ip", "waiting_per_ip", "handshakes_per_ip", // of a handshake
		"late", "credential", "channel", "places", "connections_per_uid", "logins_per_uid", // of a page that would be somebody
		"messages_per_connection", "slow", "memory", // of one that is
		"key", "page", "stray", "commands_per_key", // of a back end
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
	perSecond float32 // 0 means no limit
	by        map[string]allowance
}

func newRates(perSecond float64) rates { return rates{float32(perSecond), map[string]allowance{}} }

// spend reports whether something may happen once more.
func (r rates) spend(name string, now time.Time) bool {
	if r.perSecond <= 0 {
		return true
	}
	a := r.by[name]
	may := a.spend(r.perSecond, now)
	r.by[name] = a
	return may
}

// forget drops what has nothing left to remember. A map that was once large keeps its memory: an empty one takes its place.
func (r *rates) forget(now time.Time) {
	for name, a := range r.by {
		if a.leak(r.perSecond, now); a.level == 0 {
			delete(r.by, name)
		}
	}
	if len(r.by) == 0 {
		r.by = map[string]allowance{}
	}
}

// burstTime is how many seconds' worth of a rate may come at once.
const burstTime = 5

// allowance is how much somebody has taken of late: it leaks away at the rate that is allowed. It is small, for there is one for each
// connection, and for each uid that has just come.
type allowance struct {
	level float32
	at    uint32 // Unix time
}

// spend reports whether one more may be taken.
func (a *allowance) spend(perSecond float32, now time.Time) bool {
	a.leak(perSecond, now)
	if a.level+1 > max(1, perSecond*burstTime) {
		return false
	}
	a.level++
	return true
}

func (a *allowance) leak(perSecond float32, now time.Time) {
	second := uint32(now.Unix())
	a.level = max(0, a.level-float32(second-a.at)*perSecond)
	a.at = second
}

func (g *guard) forget() {
	now := time.Now()
	for _, r := range []*rates{&g.handshakes, &g.logins, &g.commands} {
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
	ip := addressOf(a)
	switch {
	case !ip.IsValid() || ip.IsLoopback():
		return ""
	case ip.Is6():
		network, _ := ip.Prefix(64)
		return network.Masked().String()
	}
	return ip.String()
}

// addressOf is the IP address of a peer; invalid if it has none.
func addressOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.IPAddr:
		ip, _ := netip.AddrFromSlice(a.IP)
		return ip.Unmap()
	}
	return netip.Addr{}
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

// wait counts a connection that is nobody yet, of a page or a back end, and tells why it may not come. known takes it out again.
func (g *guard) wait(ip string) (why string) {
	switch {
	case over(g.waiting[""], g.limits.Waiting):
		return "waiting"
	case ip != "" && over(g.waiting[ip], g.limits.WaitingPerIP):
		return "waiting_per_ip"
	}
	g.waiting.add(ip, 1)
	return ""
}

func over(n, limit int) bool { return limit > 0 && n >= limit }

// arrive counts a page's connection, and tells why it may not come.
func (g *guard) arrive(ip string) (why string) {
	l := g.limits
	switch {
	case over(g.pages[""], l.Connections):
		why = "connections"
	case ip != "" && over(g.pages[ip], l.ConnectionsPerIP):
		why = "connections_per_ip"
	case ip != "" && !g.handshakes.spend(ip, time.Now()):
		why = g.tooMuch("handshakes_per_ip", ip)
	}
	if why == "" {
		why = g.wait(ip)
	}
	if why != "" {
		g.refused.add(why)
		return why
	}
	g.pages.add(ip, 1)
	return ""
}

// known counts a connection as no longer waiting.
func (g *guard) known(ip string) { g.waiting.add(ip, -1) }

// leave counts a page's connection out.
func (g *guard) leave(ip string) { g.pages.add(ip, -1) }

// login tells why a uid that has so many connections may not have another one.
func (g *guard) login(uid string, connections int) (why string) {
	switch {
	case g.limits.ConnectionsPerUID > 0 && connections >= g.limits.ConnectionsPerUID:
		return "connections_per_uid"
	case !g.logins.spend(uid, time.Now()):
		return g.tooMuch("logins_per_uid", uid)
	}
	return ""
}

// command reports whether a key may be used once more.
func (g *guard) command(key string) bool {
	if g.commands.spend(key, time.Now()) || g.tooMuch("commands_per_key", key) == "" {
		return true
	}
	g.refuse("commands_per_key", "a back end has to wait", "name", key)
	return false
}

// message reports whether a page may say something more.
func (g *guard) message(a *allowance) bool {
	perSecond := float32(g.limits.MessagesPerConnection)
	return perSecond <= 0 || a.spend(perSecond, time.Now()) || g.tooMuch("messages_per_connection", "") == ""
}
