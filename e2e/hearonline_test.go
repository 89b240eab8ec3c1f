package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// bustle is how pages come and go.
type bustle struct {
	users, reloads int // users, and how often a page of them is loaded again, in all
	debounce       time.Duration
}

// The short one is for every run; LINEMAN_E2E_LONG asks for the long one.
func bustleOfThisRun() bustle {
	if told["LINEMAN_E2E_LONG"] != "" {
		return bustle{80, 10_000, 2 * time.Second}
	}
	return bustle{100, 1000, 2 * time.Second}
}

// TestOnlineList has the pages of many users be loaded again and again, their networks be cut, and the server be
// reloaded, killed, and stopped and started, while a back end keeps the list of who is online. At the end the list is
// right, and at no time was a user shown offline while connected for longer than the debounce, or told to have left
// who had not been away for so long.
func TestOnlineList(t *testing.T) {
	besideOthers(t)
	b := bustleOfThisRun()
	m := newMortalOf(t, b.settings())
	restart := func() { m.stop(); m.start() }
	b.run(t, []*mortal{m}, m.reload, m.kill, restart, m.killServing, m.reload)
}

// TestOnlineListNodes is the same with three nodes, of which the back end hears by any one.
func TestOnlineListNodes(t *testing.T) {
	besideOthers(t)
	r := startLastingRedis(t)
	b := bustleOfThisRun()
	var nodes []*mortal
	for range 3 {
		nodes = append(nodes, newMortalOf(t, b.settings(), "--redis-addresses", r.addr))
	}
	restart := func() { nodes[2].stop(); nodes[2].start() }
	b.run(t, nodes, nodes[0].reload, nodes[0].kill, restart, nodes[1].killServing, nodes[2].reload)
}

// settings allow more logins than there are.
func (b bustle) settings() string {
	return fmt.Sprintf("limits: {logins_per_uid: 1000}\nevents: {debounce: %v}\n", b.debounce)
}

// run has something happen to servers, one thing after the other, while pages come and go. Between that, networks and
// the connection of the back end break.
func (b bustle) run(t *testing.T, servers []*mortal, happens ...func()) {
	network := newCable(t, servers[0].pages)
	a := newAttendance(b.debounce)
	w := newWatchman(anyOf(servers, func(m *mortal) string { return m.backend }), "list", a)
	ctx, cancel := context.WithCancel(context.Background())
	var reloads atomic.Int64
	reloads.Store(int64(b.reloads))
	visitors, left := b.visitors(ctx, a, &reloads, anyOf(servers, func(m *mortal) string { return m.pages }),
		func() (net.Conn, error) { return net.DialTimeout("tcp", network.addr, patience) })
	var listening sync.WaitGroup
	listening.Go(func() { w.live(ctx) })
	t.Cleanup(func() { cancel(); left(); listening.Wait() })

	for i, what := range happens {
		b.wait(t, &reloads, 2*i+1, 2*len(happens)+1)
		what()
		b.wait(t, &reloads, 2*i+2, 2*len(happens)+1)
		network.cut()
		if i%2 == 1 {
			w.hangUp()
		}
	}
	b.wait(t, &reloads, 1, 1)
	right := func() bool { return len(a.connected()) == b.users/2 && slices.Equal(w.online(), a.connected()) }
	linemantest.Until(t, "the list is not right at the end", right)
	late := newWatchman(w.dial, "late", newAttendance(time.Hour))
	listening.Go(func() { late.live(ctx) })
	linemantest.Until(t, "who listens late is not told who is there", func() bool {
		return slices.Equal(late.online(), a.connected())
	})
	<-time.After(b.debounce + inFlight)
	if !right() || !slices.Equal(late.online(), a.connected()) {
		t.Errorf("the lists have %q and %q, and %q are there", w.online(), late.online(), a.connected())
	}
	a.end(time.Now())
	cancel()
	left()
	listening.Wait()
	b.verdict(t, a, w, visitors)
}

// wait waits until a part of the reloads has begun.
func (b bustle) wait(t *testing.T, left *atomic.Int64, part, of int) {
	t.Helper()
	until := int64(b.reloads - b.reloads*part/of)
	for late := time.Now().Add(5 * time.Minute); left.Load() > until; {
		if time.Now().After(late) {
			t.Fatal("the pages are not loaded often enough")
		}
		<-time.After(20 * time.Millisecond)
	}
}

// visitors are one or two pages of each user, that reach the servers in one of some ways. Half of the users stay.
func (b bustle) visitors(ctx context.Context, a *attendance, reloads *atomic.Int64, ways ...func() (net.Conn, error)) (
	all []*visitor, wait func()) {
	var running sync.WaitGroup
	for user := range b.users {
		for range 1 + user%2 {
			v := &visitor{
				uid: fmt.Sprint("uid", user), attendance: a, debounce: b.debounce, left: reloads, stays: user/2%2 == 0,
				dial: ways[user/4%len(ways)], random: rand.New(rand.NewPCG(uint64(len(all)), 5)),
			}
			all = append(all, v)
			running.Go(func() { v.live(ctx) })
		}
	}
	return all, running.Wait
}

// verdict prints what happened.
func (b bustle) verdict(t *testing.T, a *attendance, w *watchman, visitors []*visitor) {
	t.Helper()
	var sum visits
	for _, v := range visitors {
		sum.connections += v.counts.connections
		sum.reloads += v.counts.reloads
		sum.long += v.counts.long
		sum.ended += v.counts.ended
	}
	t.Logf("%d users, %d connections, %d reloads, %d of them longer than %v, %d connections were cut or left by the "+
		"server; the back end got %v; shown offline while connected for %v at most, online while away for %v",
		b.users, sum.connections, sum.reloads, sum.long, b.debounce, sum.ended, w.events, a.offline, a.online)
	for _, complaint := range append(a.complaints, w.complaints...) {
		t.Error(complaint)
	}
	if sum.reloads < b.reloads/2 || sum.ended == 0 || w.events["leave"] == 0 {
		t.Error("that was no ordeal")
	}
}
