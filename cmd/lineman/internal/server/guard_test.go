package server

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/linemantest"
)

// TestAddress counts by IP address, by the network of a household with IPv6, and not at all on this machine.
func TestAddress(t *testing.T) {
	g := guarding(config.Limits{}, nil)
	for addr, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1", "127.0.0.1:80": "", "[::1]:80": "",
		"127.9.9.9:1": "", "[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1]:80": "2001:db8:1:2::/64",
	} {
		if got := g.address(netip.MustParseAddrPort(addr).Addr()); got != want {
			t.Errorf("%s is counted by %q, want %q", addr, got, want)
		}
	}
	if got := g.address(netip.Addr{}); got != "" {
		t.Errorf("who has no address is counted by %q", got)
	}
}

// guarding is a guard of limits alone, with no spare slots.
func guarding(l config.Limits, log *slog.Logger) *guard {
	g := newGuard(config.Config{Limits: l}, config.Shares{Pages: l.Connections, Waiting: l.Waiting}, log)
	g.spares.most = 2
	return g
}

// remote is a peer at an address.
func remote(ip string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(ip), 1) }

// TestAcceptGarbage has the guard leave no garbage when a page of this machine comes: between what stays of pages, that
// would be holes.
func TestAcceptGarbage(t *testing.T) {
	g, s := guarding(config.Limits{}, nil), &Server{}
	p := &page{login: &login{}}
	from, host := remote("127.0.0.1"), "localhost"
	g.accept(p, from)
	linemantest.NoAllocations(t, func() {
		if why := g.readmit(p, from); why != "" || !s.knowsHost(host) {
			t.Errorf("refused: %s", why)
		}
	})
}

// TestAcceptPages bounds connections in all and by address, waiting ones apart, and what has left counts no more.
func TestAcceptPages(t *testing.T) {
	const a, b, here = "192.0.2.1", "192.0.2.2", "127.0.0.1"
	for name, c := range map[string]struct {
		limits config.Limits
		come   []string
		want   []string // why not, of all but those that find a slot
	}{
		"no limits": {config.Limits{}, []string{a, a, a, here}, []string{"", "", "", ""}},
		"in all": {config.Limits{Connections: 2}, []string{a, b, a, here},
			[]string{"", "", "connections", "connections"}},
		"waiting": {config.Limits{Waiting: 2}, []string{a, here, b}, []string{"", "", "waiting"}},
		"per IP": {config.Limits{ConnectionsPerIP: 1}, []string{a, a, b, here, here},
			[]string{"", "connections_per_ip", "", "", ""}},
		"waiting, IP": {config.Limits{WaitingPerIP: 1}, []string{a, a, b, here, here},
			[]string{"", "waiting_per_ip", "", "", ""}},
		"half of them": {config.Limits{Waiting: 4, WaitingPerIP: 200}, []string{a, a, a, b},
			[]string{"", "", "waiting_per_ip", ""}},
		"handshakes": {config.Limits{HandshakesPerIP: 0.4}, []string{a, a, a, b, here, here, here},
			[]string{"", "", "handshakes_per_ip", "", "", "", ""}},
		"dry run, rate": {config.Limits{HandshakesPerIP: 0.4, DryRun: true}, []string{a, a, a, a},
			[]string{"", "", "", ""}},
		"dry run, slots": {config.Limits{Connections: 1, DryRun: true}, []string{a, a}, []string{"", "connections"}},
		"no spare one": {config.Limits{Connections: 1}, []string{a, a, b, a, here},
			[]string{"", "connections", "connections", "reset", "reset"}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			g := guarding(c.limits, slog.New(slog.NewTextHandler(&log, nil)))
			var there []*page
			refused := 0
			for i, ip := range c.come {
				p := &page{login: &login{}}
				why := "reset"
				if g.accept(p, remote(ip)) {
					why = g.readmit(p, remote(ip))
					there = append(there, p)
				}
				if why != c.want[i] {
					t.Errorf("connection %d from %q: %q, want %q", i, ip, why, c.want[i])
				}
				if why != "" {
					refused++
				}
			}
			counted := 0
			for _, n := range g.refused {
				counted += int(n)
			}
			if counted != refused {
				t.Errorf("%d refusals were counted of %d: %v", counted, refused, g.refused)
			}
			if name == "dry run, rate" &&
				(g.wouldRefuse["handshakes_per_ip"] != 2 || strings.Count(log.String(), "handshakes_per_ip") != 2) {
				t.Errorf("a dry run counted %v, and logged %s", g.wouldRefuse, log.String())
			}
			for i, p := range there {
				if i%2 == 0 && p.login.refusal == "" {
					p.login = nil // it has become a member
					g.known(p)
				}
				g.leave(p)
			}
			if len(g.pages.taken)+len(g.waiting.taken)+len(g.spares.taken) > 0 {
				t.Errorf("when all have left, there are %v, of whom wait %v, and %v", g.pages.taken, g.waiting.taken,
					g.spares.taken)
			}
		})
	}
}

// TestAcceptBehindProxy counts a page by the address that a proxy tells, as soon as it tells it, and the proxy by none.
func TestAcceptBehindProxy(t *testing.T) {
	l := config.Limits{ConnectionsPerIP: 1, WaitingPerIP: 1}
	g := newGuard(config.Config{Limits: l, Proxies: []string{"unix", "198.51.100.0/24", "203.0.113.7"}},
		config.Shares{}, slog.New(slog.DiscardHandler))
	var there []*page
	for i, proxy := range []string{"198.51.100.7", "198.51.100.7", "198.51.100.8", "203.0.113.7"} {
		p := &page{login: &login{}}
		if !g.accept(p, remote(proxy)) || p.login.refusal != "" {
			t.Fatalf("connection %d of a proxy has no slot of its own", i)
		}
		there = append(there, p)
	}
	for i, want := range []string{"", "connections_per_ip", "connections_per_ip", ""} {
		client := []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"}[i]
		if got := g.readmit(there[i], remote(client)); got != want {
			t.Errorf("page %d of %s: %q, want %q", i, client, got, want)
		}
	}
	for _, p := range there {
		g.leave(p)
	}
	if len(g.pages.taken)+len(g.waiting.taken)+len(g.spares.taken) > 0 {
		t.Errorf("when all have left, there are %v, of whom wait %v, and %v", g.pages.taken, g.waiting.taken,
			g.spares.taken)
	}
}

// TestSpareTime gives no time to those that proxies tell of above the spare slots.
func TestSpareTime(t *testing.T) {
	s := &Server{guard: newGuard(config.Config{
		Limits: config.Limits{ConnectionsPerIP: 1}, Proxies: []string{"198.51.100.7"},
	}, config.Shares{Spare: 2}, slog.New(slog.DiscardHandler))}
	for i, want := range []time.Duration{refusalTime, refusalTime, refusalTime, 0} { // the first has a slot of its own
		p := &page{login: &login{}}
		s.guard.accept(p, remote("198.51.100.7"))
		s.guard.readmit(p, remote("192.0.2.1"))
		if got := s.spareTime(); got != want {
			t.Errorf("connection %d has %v, want %v", i, got, want)
		}
	}
}

// TestSpare bounds who is told that there is no slot, by address too.
func TestSpare(t *testing.T) {
	g := newGuard(config.Config{Limits: config.Limits{Connections: 1}}, config.Shares{Pages: 1, Spare: 100},
		slog.New(slog.DiscardHandler))
	told := 0
	for range 100 {
		if p := (&page{login: &login{}}); g.accept(p, remote("192.0.2.1")) {
			told++
		}
	}
	if want := 1 + sparePerIP; told != want {
		t.Errorf("%d connections of one address are there, want %d", told, want)
	}
	if p := (&page{login: &login{}}); !g.accept(p, remote("192.0.2.2")) {
		t.Error("another address is not told")
	}
	told = 0
	for range 1000 {
		if p := (&page{login: &login{}}); g.accept(p, remote("192.0.2.3")) {
			told++
			g.leave(p)
		}
	}
	if told < sparePerIP || told > 100 { // at once, and what a slow machine adds
		t.Errorf("%d connections of one address that go at once were told", told)
	}
}

// TestMessages bounds what a page says.
func TestMessages(t *testing.T) {
	g := guarding(config.Limits{MessagesPerConnection: 2}, nil)
	var a tokenBucket
	for i := range 15 {
		if got := g.message(&a); got != (i < 10) && i != 10 && i != 11 { // a second may have begun, which allows two
			t.Errorf("message %d: %v", i, got)
		}
	}
	a.at -= 60
	if !g.message(&a) {
		t.Error("a minute later it may still say nothing")
	}
	g = guarding(config.Limits{}, nil)
	for range 10_000 {
		if !g.message(&a) {
			t.Fatal("without a limit there is one")
		}
	}
}

// TestLogin bounds the connections of a uid, and how often it comes.
func TestLogin(t *testing.T) {
	g := guarding(config.Limits{ConnectionsPerUID: 3, LoginsPerUID: 0.4}, nil)
	for i, want := range []string{"", "", "logins_per_uid"} {
		if got := g.login("ann", 0, &login{}); got != want {
			t.Errorf("login %d: %q, want %q", i, got, want)
		}
	}
	if got := g.login("bob", 2, &login{}); got != "" {
		t.Errorf("the third connection: %q", got)
	}
	if got := g.login("bob", 3, &login{}); got != "connections_per_uid" {
		t.Errorf("the fourth connection: %q", got)
	}
}
