package server

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// TestLoginsOfLoops lets a uid have no more connections than the limit, though it logs in on several loops at once.
func TestLoginsOfLoops(t *testing.T) {
	const loops, rounds, most = 4, 2000, 2
	for range rounds {
		g := guarding(config.Limits{ConnectionsPerUID: most}, nil)
		g.countUIDs(true)
		var passed atomic.Int64
		var all sync.WaitGroup
		for range loops {
			all.Go(func() {
				if g.login("ann", 0, &login{}) == "" {
					passed.Add(1)
				}
			})
		}
		if all.Wait(); passed.Load() != most {
			t.Fatalf("%d have logged in, want %d", passed.Load(), most)
		}
	}
}

// TestLogout gives the place of a uid back, once.
func TestLogout(t *testing.T) {
	g := guarding(config.Limits{ConnectionsPerUID: 1}, nil)
	g.countUIDs(true)
	failed, member := &login{}, &login{}
	if why := g.login("ann", 0, failed); why != "" {
		t.Fatal(why)
	}
	g.logout(failed)
	g.logout(failed)
	if why := g.login("ann", 0, member); why != "" {
		t.Errorf("in place of one that has failed: %q", why)
	}
	member.joined()
	g.logout(member)
	if why := g.login("ann", 0, &login{}); why != "connections_per_uid" {
		t.Errorf("beside a member: %q", why)
	}
	g.uncount("ann")
	if why := g.login("ann", 0, &login{}); why != "" || len(g.uids) != 1 {
		t.Errorf("in place of a member that has gone: %q, %v", why, g.uids)
	}
}
