package server

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push/token"
)

// guard bounds what others can take. What it is asked about and refuses it gives a reason for, which is counted; in a
// dry run it refuses nothing for a rate, and counts and logs all the same. Owned by the loop.
type guard struct {
	limits       config.Limits
	log          paced
	proxies      []netip.Prefix // whose own addresses count for nobody
	pages        room           // with those that are members
	waiting      room           // of these, connections that are nobody yet
	backends     room           // at the port for lines
	keylessLines keyless        // of these, those that have said no key, where one is wanted
	api          room
	keylessCalls keyless // of these, likewise
	operators    room

	keylessOperators keyless // of these, likewise

	spares     room  // connections that are there to be told that there is no room
	tellings   rates // of these
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
		// of a handshake
		"origin", "handshake", "connections", "waiting", "connections_per_ip", "waiting_per_ip", "handshakes_per_ip",
		// of a page that would be somebody
		"late", "credential", "channel", "places", "connections_per_uid", "logins_per_uid",
		"messages_per_connection", "slow", "memory", // of one that is
		"key", "page", "stray", "commands_per_key", // of a back end
		"keyless", "keyless_per_ip", "text.connections", "text.connections_per_ip", // likewise
		"api.connections", "api.connections_per_ip", // likewise
		"admin.connections", "admin.connections_per_ip", // of an operator
	}
}

// rateReasons are those of them that a dry run lets pass.
func rateReasons() []string {
	return []string{"handshakes_per_ip", "logins_per_uid", "messages_per_connection", "commands_per_key"}
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
	return nil
}

func newGuard(c config.Config, s config.Shares, log *slog.Logger) *guard {
	l := c.Limits
	anew := func(name string, most, perIP int) room { return room{name, most, perIP, name != adminRoom, counter{}} }
	return &guard{
		limits: l, log: newPaced(log), proxies: prefixes(c.Proxies),
		pages:        anew("connections", s.Pages, l.ConnectionsPerIP),
		waiting:      anew("waiting", s.Waiting, someOf(l.WaitingPerIP, s.Waiting)),
		backends:     anew("text.connections", s.Text, orHalf(c.Text.ConnectionsPerIP, s.Text)),
		keylessLines: newKeyless(l, s.Text), keylessCalls: newKeyless(l, s.API),
		keylessOperators: newKeyless(l, s.Admin),
		api:              anew("api.connections", s.API, orHalf(c.API.ConnectionsPerIP, s.API)),
		operators:        anew(adminRoom, s.Admin, orHalf(c.Admin.ConnectionsPerIP, s.Admin)),
		spares:           anew("spare", s.Spare, sparePerIP), tellings: newRates(tellingsPerIP),
		handshakes: newRates(l.HandshakesPerIP), logins: newRates(l.LoginsPerUID), commands: newRates(l.CommandsPerKey),
		refused: newTally(reasons()), wouldRefuse: newTally(rateReasons()), credentials: newTally(token.Reasons()),
	}
}

// adminRoom is that of a port whose requests are answered elsewhere: who finds no place there is not told.
const adminRoom = "admin.connections"

const (
	sparePerIP    = 4 // connections of an address that are told at a time that there is no room for them
	tellingsPerIP = 5 // and how many a second: TLS is done for each
)

// half is how many of a room may be nobody: a limit, and no more than half of it.
func half(limit, most int) int {
	if most > 0 && (limit == 0 || limit > most/2) {
		return max(1, most/2)
	}
	return limit
}

// someOf is what an address may have of a room: a limit, and no more than half of it, so that others find a place; 0 is
// no limit.
func someOf(limit, most int) int {
	if limit == 0 {
		return 0
	}
	return half(limit, most)
}

// orHalf is what an address may have of a room: what was set, else half of it.
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

// forget drops what has nothing left to remember. A map that was once large keeps its memory: an empty one takes its
// place.
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

// allowance is how much somebody has taken of late: it leaks away at the rate that is allowed. It is small, for there
// is one for each connection, and for each uid that has just come.
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
	for _, r := range []*rates{&g.handshakes, &g.tellings, &g.logins, &g.commands} {
		r.forget(now)
	}
	g.log.tell(now)
}

// refuse counts a refusal, and logs it.
func (g *guard) refuse(why, message string, args ...any) {
	g.refused.add(why)
	g.log.info(time.Now(), message, why, args...)
}

// address is what a peer is counted by: its IP address, of IPv6 the network of 64 bits that a household has. Empty
// means that it is not counted: this machine, and a proxy, which stands for others.
func (g *guard) address(a net.Addr) string {
	ip := addressOf(a)
	switch {
	case !ip.IsValid() || ip.IsLoopback() || g.isProxy(ip):
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

// arrive counts a connection of a page that was accepted, as one that waits, and reports whether it may be there. If
// there is a spare place for it only, v.entry.spare tells why.
func (g *guard) arrive(v *visitor, remote net.Addr) bool {
	v.ip = g.address(remote)
	if v.entry.spare = g.seat(v.ip); v.entry.spare == "" || g.spare(v.ip) {
		return true
	}
	g.refuse(v.entry.spare, "a connection was refused", "remote", remote)
	return false
}

// knock counts a page that asks for its WebSocket by the address that a proxy tells, and tells why it may not come.
func (g *guard) knock(v *visitor, remote net.Addr) (why string) {
	ip := g.address(remote)
	if v.entry.spare == "" && ip == v.ip {
		return ""
	}
	g.leave(v)
	v.ip = ip
	if v.entry.spare = g.seat(ip); v.entry.spare != "" {
		g.spares.taken.add(ip, 1) // until it has gone
		g.refuse(v.entry.spare, "a connection was refused", "remote", remote)
	}
	return v.entry.spare
}

// seat takes a place for a page that waits, or tells why there is none.
func (g *guard) seat(ip string) (why string) {
	switch pages, waiting := g.pages.full(ip), g.waiting.full(ip); {
	case pages != "":
		return pages
	case waiting != "":
		return waiting
	case ip != "" && !g.handshakes.spend(ip, time.Now()):
		if why := g.tooMuch("handshakes_per_ip", ip); why != "" {
			return why
		}
	}
	g.pages.taken.add(ip, 1)
	g.waiting.taken.add(ip, 1)
	return ""
}

// known counts a page as no longer waiting.
func (g *guard) known(v *visitor) { g.waiting.taken.add(v.ip, -1) }

// leave counts a page's connection out.
func (g *guard) leave(v *visitor) {
	switch {
	case v.entry != nil && v.entry.spare != "":
		g.spares.taken.add(v.ip, -1)
		return
	case v.entry != nil:
		g.known(v)
	}
	g.pages.taken.add(v.ip, -1)
}

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
