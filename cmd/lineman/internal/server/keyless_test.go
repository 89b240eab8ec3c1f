package server

import (
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// TestKeylessByAddress has addresses of which many wait give way to others, however often they come.
func TestKeylessByAddress(t *testing.T) {
	const a, b, d, local = "192.0.2.1", "192.0.2.2", "192.0.2.3", ""
	now := time.Now()
	for name, c := range map[string]struct {
		wait  []string // from whom, in the order in which they came
		since time.Duration
		comes string
		why   string
		goes  int // who; len(wait) is the one that comes
	}{
		"most of all":           {[]string{b, a, a, a}, 0, d, "keyless", 1},
		"most, uncounted":       {[]string{b, local, local, local}, 0, d, "keyless", 1},
		"most, to uncounted":    {[]string{b, a, a}, 0, local, "keyless", 1},
		"the one that comes":    {[]string{b, a, a, a}, 0, a, "keyless", 4},
		"no more than others":   {[]string{b, a, a}, 0, b, "keyless", 3},
		"all alike, new":        {[]string{a, b}, 0, d, "keyless", 2},
		"all alike, old":        {[]string{a, b}, keyTime, d, "keyless", 0},
		"of one address, new":   {[]string{a, b, b}, 0, b, "keyless_per_ip", 3},
		"of one address, old":   {[]string{a, b, b}, keyTime, b, "keyless_per_ip", 1},
		"of another one, alone": {[]string{a, a, a, b}, 0, b, "keyless_per_ip", 4},
	} {
		k := newKeyless(config.Limits{}, 0)
		for _, ip := range c.wait {
			k.waiting = append(k.waiting, &admission{slot: slot{ip: ip}, since: now.Add(-c.since)})
		}
		comes := &admission{slot: slot{ip: c.comes}, since: now}
		if got, want := k.victim(comes, c.why), append(k.waiting, comes)[c.goes]; got != want {
			t.Errorf("%s: one of %q goes, which is not number %d", name, got.slot.ip, c.goes)
		}
	}
	if k := newKeyless(config.Limits{WaitingPerIP: 200}, 64); k.most != 32 || k.perIP != 16 {
		t.Errorf("of 64 slots %d are for who has no key, of an address %d: want 32 and 16", k.most, k.perIP)
	}
}
