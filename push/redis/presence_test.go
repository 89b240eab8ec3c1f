package redis_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/redis"
)

// knowing makes a node that knows who is present, and waits until it is linked.
func knowing(t testing.TB, id, address string) *node {
	t.Helper()
	n := enterKnowing(t, id, redis.Options{Addresses: []string{address}})
	n.until("the link is up", func() bool { return n.ups == 1 })
	return n
}

// enters says that a node has somebody in the channel x.
func (n *node) enters(uid, info string) {
	n.t.Helper()
	n.loop.Await(func() {
		var said json.RawMessage
		if info != "" {
			said = json.RawMessage(info)
		}
		n.link.(push.PresenceLink).Enter("x", uid, said)
	})
}

// leaves says that it no longer has.
func (n *node) leaves(uid string) {
	n.t.Helper()
	n.loop.Await(func() { n.link.(push.PresenceLink).Leave("x", uid) })
}

// sees waits until a node sees who is in the channel x.
func (n *node) sees(want string) {
	n.t.Helper()
	got := ""
	linemantest.Until(n.t, n.id+" does not see "+want, func() bool {
		done := make(chan error, 1)
		var words []string
		n.loop.Await(func() {
			n.link.(push.PresenceLink).Present("x", 1000, func(p push.Presence, err error) {
				for _, uid := range slices.Sorted(maps.Keys(p.Users)) {
					words = append(words, uid+string(p.Users[uid]))
				}
				done <- err
			})
		})
		err := <-done
		got = strings.Join(words, " ")
		return err == nil && got == want
	})
}

// TestPresenceDead takes out what a node has said that is silent, and leaves what others have said.
func TestPresenceDead(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProxy(t, s.address())
	a, b := knowing(t, "a", s.address()), knowing(t, "b", p.address())
	a.subscribe("x")
	a.enters("ann", "")
	b.enters("ann", "")
	for i := range 150 { // more than are taken out at a time
		b.enters(fmt.Sprint("uid", i), "")
	}
	a.until("all have come", func() bool { return len(a.got) == 151 })
	p.Swallow()
	do(t, s.address(), "HDEL", registryKey, "b") // as if it had been silent for long
	a.sees("ann")
	a.until("all have gone", func() bool { return len(a.got) == 301 })
	m := do(t, s.address(), "KEYS", "lineman.{0}:seats:*")
	const own = "lineman.{0}:seats:a:"
	if left, err := m.AsStrSlice(); err != nil || len(left) != 1 || !strings.HasPrefix(left[0], own) {
		t.Errorf("what was said: %q, %v", left, err)
	}
}

// TestPresenceEmpty says everything again to a server that has come back empty.
func TestPresenceEmpty(t *testing.T) {
	s := startServer(t)
	a, b := knowing(t, "a", s.address()), knowing(t, "b", s.address())
	a.enters("ann", `{"n":1}`)
	a.enters("ann", "")
	b.enters("ann", "")
	b.enters("bob", "")
	b.enters("gone", "")
	b.leaves("gone")
	a.sees(`ann{"n":1} bob`)
	s.restarts(a, b)
	a.isBack()
	b.isBack()
	a.sees(`ann{"n":1} bob`)
}

// TestPresenceAgain has who comes back say again what it has said, so that nobody hears of it, and not what others have
// said better since.
func TestPresenceAgain(t *testing.T) {
	s := startServer(t)
	p := newProxy(t, s.address())
	a, b := knowing(t, "a", p.address()), knowing(t, "b", s.address())
	b.subscribe("x")
	a.enters("ann", "1")
	a.enters("dan", "1")
	a.sees("ann1 dan1")
	b.enters("ann", "2")
	a.sees("ann2 dan1")
	p.Cut()
	a.until("the link breaks", func() bool { return a.downs == 1 })
	a.enters("dan", "3")
	p.Mend()
	a.isBack()
	a.sees("ann2 dan3")
	b.wants("x +ann1 1", "x +dan1 2", "x +ann2 2", "x +dan3 2")
}

// TestPresenceStart takes out what nodes have said that died when nobody else lived.
func TestPresenceStart(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	a := knowing(t, "a", s.address())
	a.enters("ann", "")
	a.sees("ann")
	a.close()
	knowing(t, "b", s.address()).sees("")
}

// TestPresenceNames has names be whatever they can be.
func TestPresenceNames(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	a := knowing(t, "a:1", s.address())
	b := knowing(t, "b", s.address())
	b.subscribe("x")
	uids := []string{" ", "1 2", "\u20ac:", "%d", strings.Repeat("n", 255)}
	slices.Sort(uids)
	for _, uid := range uids {
		a.enters(uid, "")
	}
	a.sees(strings.Join(uids, " "))
	a.close()
	b.sees("")
	b.until("all have gone", func() bool { return len(b.got) == 2*len(uids) })
}

// TestPresenceUnnoted has what a node has said be left alone that the registry does not know for a moment, as where
// that was lost: nobody hears of it.
func TestPresenceUnnoted(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	a, b := knowing(t, "a", s.address()), knowing(t, "b", s.address())
	a.subscribe("x")
	b.enters("bob", "")
	a.until("he has come", func() bool { return len(a.got) == 1 })
	do(t, s.address(), "HDEL", registryKey, "b")
	for range 3 { // each has both write their heartbeats
		before := do(t, s.address(), "HGET", registryKey, "a")
		linemantest.Until(t, "the registry stands still", func() bool {
			after := do(t, s.address(), "HGET", registryKey, "a")
			return after.String() != before.String()
		})
	}
	a.sees("bob")
	a.wants("x +bob 1")
}

// TestPresenceScanned tells a list that is too long for one answer, while it changes.
func TestPresenceScanned(t *testing.T) {
	t.Parallel()
	const n = 25_000
	s := startServer(t)
	a, b := knowing(t, "a", s.address()), knowing(t, "b", s.address())
	a.subscribe("x")
	list := make(map[string]bool)
	b.loop.Await(func() {
		for i := range n {
			b.link.(push.PresenceLink).Enter("x", fmt.Sprint(i), nil)
		}
	})
	a.until("all have come", func() bool { return len(a.got) == n })
	done := make(chan error, 1)
	told := 0
	a.loop.Await(func() {
		a.link.(push.PresenceLink).Present("x", 1<<30, func(p push.Presence, err error) {
			if p.N != len(p.Users) || p.More {
				err = fmt.Errorf("%d, more %v, with %d users, %w", p.N, p.More, len(p.Users), err)
			}
			for uid := range p.Users {
				list[uid] = true
			}
			told = len(a.got)
			done <- err
		})
	})
	b.loop.Do(func() {
		for i := range n / 10 { // some go, some come, and some do both
			b.link.(push.PresenceLink).Leave("x", fmt.Sprint(i))
			b.link.(push.PresenceLink).Enter("x", fmt.Sprint(n+i), nil)
			if i%2 == 0 {
				b.link.(push.PresenceLink).Enter("x", fmt.Sprint(i), nil)
			}
		}
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	changes := n + 2*n/10 + n/20
	a.until("all changes are told", func() bool { return len(a.got) == changes })
	t.Logf("%d of %d changes were told before the list", told-n, changes-n)
	for _, text := range a.got[told:] {
		uid := strings.Fields(text)[1]
		list[uid[1:]] = uid[0] == '+'
	}
	for i := range n + n/10 {
		if here := i >= n/10 || i%2 == 0; list[fmt.Sprint(i)] != here {
			t.Fatalf("%d: here %v, want %v", i, !here, here)
		}
	}
}
