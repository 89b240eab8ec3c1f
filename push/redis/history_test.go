package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/redis"
)

// keepsAll keeps of every target what a test can publish.
func keepsAll(push.Target) push.Retention { return push.Retention{Size: 1000, TTL: time.Hour} }

// keeping makes a node that keeps history, and waits until it is linked.
func keeping(t testing.TB, id, address string) *node {
	t.Helper()
	n := enterKeeping(t, id, redis.Options{Addresses: []string{address}}, keepsAll)
	n.until("the link is up", func() bool { return n.ups == 1 })
	return n
}

// places publishes what is kept, and returns the position of the last one. Other nodes may be missing.
func (n *node) places(to push.Target, all ...string) (at push.Position) {
	n.t.Helper()
	for _, data := range all {
		o := <-n.publish(data, to)
		if o.err != nil && !errors.Is(o.err, push.ErrUnanswered) || len(o.positions) != 1 {
			n.t.Fatalf("%s: %s has the positions %v, %v", n.id, data, o.positions, o.err)
		}
		at = o.positions[0]
	}
	return at
}

// history reads what is kept of a target.
func (n *node) history(of push.Target, r push.Range) (h push.History, err error) {
	n.t.Helper()
	done := make(chan error, 1)
	n.loop.Await(func() {
		n.link.(push.HistoryLink).History(of, r, func(read push.History, err error) {
			h = read
			done <- err
		})
	})
	return h, <-done
}

// recalls checks what came after a position, with a word for the gap behind it, and returns the top.
func (n *node) recalls(of push.Target, since push.Position, want string) (top push.Position) {
	n.t.Helper()
	h, err := n.history(of, push.Range{Since: since, Limit: 1000})
	var words []string
	for _, m := range h.Messages {
		words = append(words, string(m.Data))
	}
	if h.Gap != "" {
		words = append(words, "gap:"+string(h.Gap))
	}
	if got := strings.Join(words, " "); got != want || err != nil {
		n.t.Errorf("%s: the history of %s since %q is %q, %v; want %q", n.id, of, since, got, err, want)
	}
	return h.Top
}

// restarts kills a server, has something happen to what it has written, and starts it again.
func (s *server) restarts(nodes ...*node) {
	s.t.Helper()
	s.kill()
	for _, n := range nodes {
		n.until("the link breaks", func() bool { return n.downs > 0 })
	}
	if !s.start() {
		s.t.Fatal("redis-server does not start again")
	}
}

// isBack waits until the link of a node is up for the second time.
func (n *node) isBack() {
	n.t.Helper()
	n.until("the link is up again", func() bool { return n.ups == 2 })
}

// TestHistoryRestart has positions go on when a server comes back with its data, and none be told twice when it comes
// back empty.
func TestHistoryRestart(t *testing.T) {
	t.Run("with its data", func(t *testing.T) {
		s := startServer(t, "--appendonly", "yes", "--appendfsync", "always")
		n := keeping(t, "a", s.address())
		first := n.places("x", "1")
		second := n.places("x", "2")
		s.restarts(n)
		n.isBack()
		n.recalls("x", first, "2")
		if third := n.places("x", "3"); third.Epoch != second.Epoch || third.Offset != second.Offset+1 {
			t.Errorf("%v comes after %v", third, second)
		}
	})
	t.Run("empty", func(t *testing.T) {
		s := startServer(t)
		n := keeping(t, "a", s.address())
		first := n.places("x", "1", "2")
		s.restarts(n)
		n.isBack()
		if top := n.recalls("x", first, "gap:epoch"); top.Epoch == first.Epoch {
			t.Errorf("the top is %v, and was %v", top, first)
		}
		third := n.places("x", "3")
		n.recalls("x", push.Position{}, "3")
		n.recalls("x", third, "")
	})
}

// TestHistoryRolledBack has a server come back without the last publications, as one does that takes over and was
// behind. A node that has seen them notices, though another one was linked before it and has published more than was
// lost.
func TestHistoryRolledBack(t *testing.T) {
	for name, later := range map[string][]string{
		"nothing is published": {}, "less than was lost": {"new1"}, "more than was lost": {"new1", "new2", "new3"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			p := newProxy(t, s.address())
			a, b := keeping(t, "a", p.address()), keeping(t, "b", s.address())
			a.subscribe("x")
			kept := b.places("x", "1", "2")
			do(t, s.address(), "SAVE")
			if len(later) == 1 {
				keeping(t, "d", s.address()).close() // so the term is lost too
			}
			lost := b.places("x", "3", "4")
			a.until("all is delivered", func() bool { return len(a.placed) == 4 })
			b.close()
			p.Cut()
			s.restarts(a)
			c := keeping(t, "c", s.address())
			c.places("y", "whatever")
			if top := c.recalls("x", kept, ""); top != kept {
				t.Errorf("the top is %v, want %v: nobody knows yet that something was lost", top, kept)
			}
			if len(later) > 0 {
				c.places("x", later...)
			}
			p.Mend()
			a.isBack()
			for _, n := range []*node{a, c} {
				top := n.recalls("x", lost, "gap:epoch")
				n.recalls("x", kept, "gap:epoch")
				n.recalls("x", top, "")
			}
			next := c.places("x", "next")
			a.recalls("x", push.Position{}, strings.Join(append(append([]string{"1", "2"}, later...), "next"), " "))
			if next.Epoch == lost.Epoch {
				t.Errorf("%v is told again as %v", lost, next)
			}
		})
	}
}

// TestHistoryLinks has what several nodes begin, and what they publish at other nodes' terms, be no loss.
func TestHistoryLinks(t *testing.T) {
	s := startServer(t)
	p := newProxy(t, s.address())
	a := keeping(t, "a", p.address())
	first := a.places("x", "1")
	for i := range 5 {
		n := keeping(t, fmt.Sprint("b", i), s.address())
		n.places("x", n.id)
		if i%2 == 0 {
			n.close()
		}
	}
	p.Cut()
	a.until("the link breaks", func() bool { return a.downs == 1 })
	p.Mend()
	a.isBack()
	a.recalls("x", first, "b0 b1 b2 b3 b4")
}

// TestHistoryKeys has every key of a target have an end, if its messages have.
func TestHistoryKeys(t *testing.T) {
	s := startServer(t)
	n := enterKeeping(t, "a", redis.Options{Addresses: []string{s.address()}}, func(of push.Target) push.Retention {
		ttl := map[push.Target]time.Duration{"hour": time.Hour, "month": 30 * 24 * time.Hour}
		return push.Retention{Size: 10, TTL: ttl[of]}
	})
	n.until("the link is up", func() bool { return n.ups == 1 })
	ends := func(key string) time.Duration {
		m := do(t, s.address(), "PTTL", "lineman.{0}:"+key)
		ms, _ := m.ToInt64()
		return time.Duration(ms) * time.Millisecond
	}
	for _, to := range []push.Target{"hour", "month", "ever"} {
		n.places(to, "x")
	}
	n.recalls("read", push.Position{}, "")
	for key, want := range map[string]time.Duration{
		"kept:hour": time.Hour, "top:hour": 7 * 24 * time.Hour, "kept:month": 30 * 24 * time.Hour,
		"top:month": 30 * 24 * time.Hour, "kept:ever": -time.Millisecond, "top:ever": -time.Millisecond,
	} {
		if got := ends(key); got > want || got < want-time.Minute {
			t.Errorf("%s ends in %v, want %v", key, got, want)
		}
	}
	do(t, s.address(), "PEXPIRE", "lineman.{0}:top:hour", "1000000")
	n.recalls("hour", push.Position{}, "x")
	if got := ends("top:hour"); got < 6*24*time.Hour {
		t.Errorf("the offset of who is read ends in %v", got)
	}
}

// TestHistoryForgottenTop has a target whose offset has expired go on from where none of its positions was.
func TestHistoryForgottenTop(t *testing.T) {
	s := startServer(t)
	n := keeping(t, "a", s.address())
	n.places("y", "1", "2", "3")
	before := n.places("x", "1", "2")
	do(t, s.address(), "DEL", "lineman.{0}:top:x")
	n.places("y", "4")
	after := n.places("x", "3")
	if after.Epoch != before.Epoch || after.Offset <= before.Offset {
		t.Errorf("%v comes after %v", after, before)
	}
	n.recalls("x", before, "gap:expired")
	n.recalls("x", push.Position{}, "3")
	do(t, s.address(), "DEL", "lineman.{0}:top:x")
	n.places("y", "5")
	n.recalls("x", push.Position{}, "")
	next := n.places("x", "4")
	n.recalls("x", push.Position{}, "4")
	n.recalls("x", push.Position{Epoch: next.Epoch, Offset: next.Offset - 1}, "4")
}

// TestHistoryFull has a server without memory refuse what is to be kept, and nothing else.
func TestHistoryFull(t *testing.T) {
	s := startServer(t)
	log := &journal{}
	o := redis.Options{Addresses: []string{s.address()}, Log: log.logger()}
	n := enterKeeping(t, "a", o, func(of push.Target) push.Retention {
		return push.Retention{Size: strings.Count(string(of), "x"), TTL: time.Hour}
	})
	n.until("the link is up", func() bool { return n.ups == 1 })
	n.subscribe("x", "plain")
	first := n.places("x", "1")
	do(t, s.address(), "CONFIG", "SET", "maxmemory", "1")
	if o := <-n.publish("2", "x"); !errors.Is(o.err, push.ErrJournal) || o.positions != nil {
		t.Errorf("it is published to %v, %v", o.positions, o.err)
	}
	n.recalls("x", push.Position{}, "1")
	n.recalls("xx", push.Position{}, "")
	if o := <-n.publish("3", "plain"); o.err != nil {
		t.Errorf("what is not kept: %v", o.err)
	}
	do(t, s.address(), "CONFIG", "SET", "maxmemory", "0")
	if at := n.places("x", "4"); at.Offset != first.Offset+1 {
		t.Errorf("%v comes after %v", at, first)
	}
	n.wants("x 1", "plain 3", "x 4")
	if text := log.String(); !strings.Contains(text, "OOM") {
		t.Errorf("the log does not say it:\n%s", text)
	}
}

// TestHistoryScripts makes the link again when the server has forgotten the scripts.
func TestHistoryScripts(t *testing.T) {
	s := startServer(t)
	n := keeping(t, "a", s.address())
	first := n.places("x", "1")
	do(t, s.address(), "SCRIPT", "FLUSH")
	if o := <-n.publish("2", "x"); !errors.Is(o.err, push.ErrUnanswered) {
		t.Errorf("it is published, %v", o.err)
	}
	n.isBack()
	n.places("x", "3")
	n.recalls("x", first, "3")
}

// TestHistorySettings does not link a node that keeps no history with those that do: it would publish without
// positions.
func TestHistorySettings(t *testing.T) {
	s := startServer(t)
	keeping(t, "a", s.address())
	log := &journal{}
	n := enter(t, "b", redis.Options{Addresses: []string{s.address()}, Log: log.logger()})
	const want = "node a format=1,partitions=1,cluster=false,history=true"
	linemantest.Until(t, "the log does not say it", func() bool { return strings.Contains(log.String(), want) })
	n.loop.Await(func() {
		if n.ups > 0 {
			t.Error("it is linked")
		}
	})
}

// TestHistoryMemory tells what it costs a server to keep messages.
func TestHistoryMemory(t *testing.T) {
	const targets, each, size = 20, 50, 200
	s := startServer(t)
	n := keeping(t, "a", s.address())
	used := func() (bytes int64) {
		for i := range targets {
			for _, key := range []string{"top", "kept"} {
				m := do(t, s.address(), "MEMORY", "USAGE", "lineman.{0}:"+key+":u:"+fmt.Sprint(1_000_000+i))
				n, err := m.ToInt64()
				if err != nil {
					t.Fatal(err)
				}
				bytes += n
			}
		}
		return bytes
	}
	fill := func(messages int) {
		var outcomes []<-chan outcome
		for i := range targets {
			for range messages {
				outcomes = append(outcomes, n.publish(strings.Repeat("x", size), push.UID(fmt.Sprint(1_000_000+i))))
			}
		}
		for _, o := range outcomes {
			if got := <-o; got.err != nil {
				t.Fatal(got.err)
			}
		}
	}
	fill(1)
	one := used()
	fill(each - 1)
	all := used()
	first, more := one/targets-size, (all-one)/(targets*(each-1))-size
	t.Logf("a message of %d bytes costs %d more, and the first one of a target %d", size, more, first)
	if more > 100 || first > 600 {
		t.Errorf("a message costs %d bytes more than its own, and the first one of a target %d", more, first)
	}
}

// TestHistoryBounds tells no more at once than fits into an answer, the last ones or the first ones.
func TestHistoryBounds(t *testing.T) {
	s := startServer(t)
	n := keeping(t, "a", s.address())
	const large = 1 << 20
	var at push.Position
	for i := range 20 {
		at = n.places("x", fmt.Sprint(i%10)+strings.Repeat("x", large))
	}
	last, err := n.history("x", push.Range{Limit: 1000})
	if err != nil || len(last.Messages) != 15 || last.Messages[14].Position != at {
		t.Errorf("the last ones are %d, %v", len(last.Messages), err)
	}
	first, err := n.history("x", push.Range{Since: push.Position{Epoch: at.Epoch, Offset: at.Offset - 20}, Limit: 1000})
	if err != nil || len(first.Messages) != 15 || first.Messages[0].Position.Offset != at.Offset-19 || first.Top != at {
		t.Errorf("the first ones are %d, %v", len(first.Messages), err)
	}
	inOrder := func(a, b push.Stored) int { return int(a.Position.Offset) - int(b.Position.Offset) }
	if !slices.IsSortedFunc(last.Messages, inOrder) {
		t.Error("the last ones are not in order")
	}
}
