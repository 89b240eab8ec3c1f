package simulation

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/push"
)

var (
	seeds = flag.Int("seeds", 200, "how many seeds TestSimulation tries")
	seed  = flag.Uint64("seed", 0, "the only seed that TestSimulation tries, again")
)

// TestSimulation has clients that follow channels miss nothing silently, get nothing twice and nothing out of order,
// whatever breaks. A seed that has failed is tried again by -seed; those of testdata have found faults.
func TestSimulation(t *testing.T) {
	if *seed != 0 {
		simulate(t, *seed)
		return
	}
	all := faults(t)
	for n := range *seeds {
		all = append(all, uint64(n+1))
	}
	gaps := make(map[push.Gap]int)
	got := 0
	for _, n := range all {
		g := simulate(t, n)
		for why, times := range g.gaps {
			gaps[why] += times
		}
		for _, c := range g.clients {
			got += c.got
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d seeds, %d messages processed, gaps that were told: %v", len(all), got, gaps)
}

// TestReplayed has two runs of a seed be the same, step by step.
func TestReplayed(t *testing.T) {
	for n := range uint64(40) {
		if one, two := simulate(t, n+1).world.trace, simulate(t, n+1).world.trace; one != two {
			t.Errorf("seed %d has two traces", n+1)
		}
	}
}

// faults are the seeds that have found faults.
func faults(t *testing.T) (all []uint64) {
	text, err := os.ReadFile(filepath.Join("testdata", "seeds.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		n, err := strconv.ParseUint(line, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// simulate runs one seed.
func simulate(t *testing.T, seed uint64) (g *cluster) {
	t.Helper()
	return simulateWith(t, seed, func(*cluster) {})
}

// simulateWith runs one seed, with something that others do not have.
func simulateWith(t *testing.T, seed uint64, equip func(*cluster)) (g *cluster) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed)
		g = newCluster(w, equip)
		until := time.Now().Add(w.between(10*time.Second, 40*time.Second))
		var publish, mishap func()
		rate := w.between(5*time.Millisecond, 300*time.Millisecond)
		trouble := w.between(50*time.Millisecond, 2*time.Second)
		publish = func() {
			if time.Now().Before(until) {
				g.publish()
				if g.guests != nil {
					g.guests.act()
				}
				w.after(w.between(0, 2*rate), publish)
			}
		}
		mishap = func() {
			if time.Now().Before(until) {
				g.mishap()
				w.after(w.between(0, 2*trouble), mishap)
			}
		}
		publish()
		mishap()
		w.run(until)
		g.lastBlow()
		g.heal()
	})
	return g
}

// heal has everything work again: then all clients get all that there is.
func (g *cluster) heal() {
	w := g.world
	if g.disk != nil {
		g.disk.full = false
	}
	w.run(time.Now().Add(20 * time.Second))
	for _, c := range g.clients {
		if c.conn == nil {
			w.fail("%s does not come back", c.name)
		}
	}
	tops := make(map[push.Target]push.Position)
	for _, of := range g.channels {
		tops[of] = g.top(of)
	}
	for of, all := range g.acknowledged {
		if last := all[len(all)-1]; last.Epoch == tops[of].Epoch && last.Offset > tops[of].Offset {
			w.fail("%v of %s was acknowledged, and the top is %v", last, of, tops[of])
		}
	}
	for _, c := range g.clients {
		for _, of := range c.channels {
			if !c.began[of] || c.at[of] != tops[of] {
				w.fail("%s stands at %v of %s, and the top is %v", c.name, c.at[of], of, tops[of])
			}
		}
	}
	g.checkPresence()
	if g.guests != nil {
		g.guests.check()
	}
	g.publish()
	w.run(time.Now().Add(5 * time.Second))
	w.note("%d published, gaps %v", g.published, fmt.Sprint(maps.Collect(maps.All(g.gaps))))
	for _, n := range g.nodes {
		n.die()
		n.hub.Close()
	}
}

// checkPresence checks that everybody sees those that are there.
func (g *cluster) checkPresence() {
	for _, of := range g.channels {
		want := make(map[string]bool)
		for _, c := range g.clients {
			if slices.Contains(c.channels, of) {
				want[c.name] = true
			}
		}
		for _, c := range g.clients {
			if want[c.name] && !maps.Equal(c.sees[of], want) {
				g.world.fail("%s sees %v in %s, and there are %v", c.name, c.sees[of], of, want)
			}
		}
	}
}

// top is where a channel stands.
func (g *cluster) top(of push.Target) (top push.Position) {
	n := g.nodes[0]
	told := false
	n.later(func() {
		err := n.hub.History(of, push.Range{}, func(h push.History, err error) {
			if err != nil {
				g.world.fail("the top of %s: %v", of, err)
			}
			top, told = h.Top, true
		})
		if err != nil {
			g.world.fail("the top of %s: %v", of, err)
		}
	})
	g.world.run(time.Now().Add(time.Second))
	if !told {
		g.world.fail("the top of %s is not told", of)
	}
	return top
}
