package server

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// TestAddress counts by IP address, by the network of a household with IPv6, and not at all on this machine.
func TestAddress(t *testing.T) {
	g := newGuard(config.Limits{}, nil)
	for addr, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1", "127.0.0.1:80": "", "[::1]:80": "", "127.9.9.9:1": "",
		"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64", "[2001:db8:1:2:ffff::1]:80": "2001:db8:1:2::/64",
	} {
		if got := g.address(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))); got != want {
			t.Errorf("%s is counted by %q, want %q", addr, got, want)
		}
	}
	for addr, want := range map[net.Addr]string{
		&net.UnixAddr{Name: "@", Net: "unix"}:        "",
		&net.IPAddr{IP: net.ParseIP("192.0.2.9")}:    "192.0.2.9",
		&net.TCPAddr{IP: net.ParseIP("192.0.2.7")}:   "192.0.2.7",
		&net.IPAddr{IP: net.ParseIP("2001:db8::77")}: "2001:db8::/64",
	} {
		if got := g.address(addr); got != want {
			t.Errorf("%v is counted by %q, want %q", addr, got, want)
		}
	}
}

// TestArrive bounds connections in all and by address, waiting ones apart, and what has left counts no more.
func TestArrive(t *testing.T) {
	const a, b, here = "192.0.2.1", "192.0.2.2", ""
	for name, c := range map[string]struct {
		limits config.Limits
		come   []string
		want   []string
	}{
		"no limits":     {config.Limits{}, []string{a, a, a, here}, []string{"", "", "", ""}},
		"in all":        {config.Limits{Connections: 2}, []string{a, b, a, here}, []string{"", "", "connections", "connections"}},
		"waiting":       {config.Limits{Waiting: 2}, []string{a, here, b}, []string{"", "", "waiting"}},
		"per IP":        {config.Limits{ConnectionsPerIP: 1}, []string{a, a, b, here, here}, []string{"", "connections_per_ip", "", "", ""}},
		"waiting, IP":   {config.Limits{WaitingPerIP: 1}, []string{a, a, b, here, here}, []string{"", "waiting_per_ip", "", "", ""}},
		"handshakes":    {config.Limits{HandshakesPerIP: 0.4}, []string{a, a, a, b, here, here, here}, []string{"", "", "handshakes_per_ip", "", "", "", ""}},
		"dry run, rate": {config.Limits{HandshakesPerIP: 0.4, DryRun: true}, []string{a, a, a, a}, []string{"", "", "", ""}},
		"dry run, room": {config.Limits{Connections: 1, DryRun: true}, []string{a, a}, []string{"", "connections"}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			g := newGuard(c.limits, slog.New(slog.NewTextHandler(&log, nil)))
			refused := 0
			for i, ip := range c.come {
				why := g.arrive(ip)
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
			if name == "dry run, rate" && (g.wouldRefuse["handshakes_per_ip"] != 2 || strings.Count(log.String(), "handshakes_per_ip") != 2) {
				t.Errorf("a dry run counted %v, and logged %s", g.wouldRefuse, log.String())
			}
			for i, ip := range c.come {
				if c.want[i] == "" {
					g.known(ip)
					g.leave(ip)
				}
			}
			if len(g.pages) > 0 || len(g.waiting) > 0 {
				t.Errorf("when all have left, there are %v, of whom wait %v", g.pages, g.waiting)
			}
		})
	}
}

// TestRates lets a burst through, then as much as leaks away, by name, and forgets who has been still.
func TestRates(t *testing.T) {
	r := newRates(2)
	now := time.Unix(1_800_000_000, 0)
	take := func(name string, n int) (taken int) {
		for range n {
			if r.spend(name, now) {
				taken++
			}
		}
		return taken
	}
	if got := take("a", 20); got != 10 {
		t.Errorf("%d came at once, want 10", got)
	}
	if got := take("b", 1); got != 1 {
		t.Error("another name has nothing left")
	}
	now = now.Add(3 * time.Second)
	if got := take("a", 20); got != 6 {
		t.Errorf("after three seconds %d came, want 6", got)
	}
	if r.forget(now); len(r.by) != 1 {
		t.Errorf("%d names are known, want 1", len(r.by))
	}
	if r.forget(now.Add(burstTime * time.Second)); len(r.by) != 0 {
		t.Errorf("after the time of a burst %d names are known", len(r.by))
	}
	slow := newRates(0.1)
	if !slow.spend("a", now) || slow.spend("a", now) || !slow.spend("a", now.Add(10*time.Second)) {
		t.Error("once in ten seconds is not that")
	}
}

// TestMessages bounds what a page says.
func TestMessages(t *testing.T) {
	g := newGuard(config.Limits{MessagesPerConnection: 2}, nil)
	var a allowance
	for i := range 12 {
		if got := g.message(&a); got != (i < 10) && i != 10 { // a second may have passed
			t.Errorf("message %d: %v", i, got)
		}
	}
	a.at -= 60
	if !g.message(&a) {
		t.Error("a minute later it may still say nothing")
	}
	g = newGuard(config.Limits{}, nil)
	for range 10_000 {
		if !g.message(&a) {
			t.Fatal("without a limit there is one")
		}
	}
}

// TestLogin bounds the connections of a uid, and how often it comes.
func TestLogin(t *testing.T) {
	g := newGuard(config.Limits{ConnectionsPerUID: 3, LoginsPerUID: 0.4}, nil)
	for i, want := range []string{"", "", "logins_per_uid"} {
		if got := g.login("ann", 0); got != want {
			t.Errorf("login %d: %q, want %q", i, got, want)
		}
	}
	if got := g.login("bob", 2); got != "" {
		t.Errorf("the third connection: %q", got)
	}
	if got := g.login("bob", 3); got != "connections_per_uid" {
		t.Errorf("the fourth connection: %q", got)
	}
}
