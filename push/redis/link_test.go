package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
	"github.com/lineman-go/lineman/push/redis"
)

// TestCrossesOnce has a node get a publication once, whatever it has subscribed to, and a node without takers nothing
// at all.
func TestCrossesOnce(t *testing.T) {
	s := startServer(t)
	o := redis.Options{Addresses: []string{s.address()}}
	a, b, idle := join(t, "a", o), join(t, "b", o), join(t, "idle", o)
	var many []push.Target
	for i := range 1000 {
		many = append(many, push.UID(fmt.Sprint(i)))
	}
	b.subscribe(many...)
	settle(a, b, idle)
	before, quiet := b.broker.Stats(), idle.broker.Stats()
	a.reaches(1, many[7])
	if got := b.broker.Stats().MessagesIn - before.MessagesIn; got != 1 {
		t.Errorf("a publication for one target came in %d messages", got)
	}
	if got := idle.broker.Stats().MessagesIn - quiet.MessagesIn; got != 0 {
		t.Errorf("a node that wants nothing got %d messages", got)
	}
	before = b.broker.Stats()
	a.reaches(1, many...)
	if got := b.broker.Stats().MessagesIn - before.MessagesIn; got != 1 {
		t.Errorf("a publication for 1000 targets came in %d messages", got)
	}
	a.reaches(1, many[:16]...)
	b.wants("u:7 x", "u:0 x", "u:0 x")
}

// TestAnswersTogether has a node answer what came together by one message.
func TestAnswersTogether(t *testing.T) {
	m := miniredis.RunT(t)
	o := redis.Options{Addresses: []string{m.Addr()}}
	a, b := join(t, "a", o), join(t, "b", o)
	b.subscribe("x")
	settle(a, b)
	goOn := b.standsStill()
	var done []<-chan outcome
	for range 100 {
		done = append(done, a.publish("1", "x"))
	}
	linemantest.Until(t, "not all 100 have come", func() bool { return redis.Waiting(b.link, "lineman.{0}.x") == 100 })
	if n := b.broker.Stats().Waiting; n == 0 {
		t.Error("nothing waits for the loop")
	}
	before := b.broker.Stats()
	goOn()
	for _, d := range done {
		if o := <-d; o.others != 1 || o.err != nil {
			t.Errorf("it reached %d others, %v", o.others, o.err)
		}
	}
	if n := b.broker.Stats().MessagesOut - before.MessagesOut; n != 1 {
		t.Errorf("it was answered in %d messages", n)
	}
}

// TestUnanswered ends in time what somebody does not answer, with what is known.
func TestUnanswered(t *testing.T) {
	m := miniredis.RunT(t)
	o := redis.Options{Addresses: []string{m.Addr()}, Answer: 50 * time.Millisecond}
	a, b := join(t, "a", o), join(t, "b", o)
	b.subscribe("x")
	subscriber(t, m.Addr(), "lineman.{0}.x") // which is no node
	if o := <-a.publish("1", "x"); o.others != 1 || !errors.Is(o.err, push.ErrUnanswered) {
		t.Errorf("it reached %d others, %v", o.others, o.err)
	}
	done := make(chan struct{})
	a.loop.Await(func() {
		a.link.Ask([]push.Target{"x"}, []byte("?"), func(answers [][]byte, err error) {
			if len(answers) != 1 || string(answers[0]) != "b: ?" || !errors.Is(err, push.ErrUnanswered) {
				t.Errorf("it was answered by %q, %v", answers, err)
			}
			close(done)
		})
	})
	<-done
	if n := a.broker.Stats().Unanswered; n != 2 {
		t.Errorf("%d are counted as unanswered, want 2", n)
	}
}

// TestMalformed counts what cannot be read, and goes on.
func TestMalformed(t *testing.T) {
	m := miniredis.RunT(t)
	o := redis.Options{Addresses: []string{m.Addr()}}
	a, b := join(t, "a", o), join(t, "b", o)
	b.subscribe("x")
	for _, text := range []string{"", "hello", "\x02\x01", "\x01\x01\x7f"} {
		m.Publish("lineman.{0}.x", text)
	}
	m.Publish("lineman.{0}:all", "\x01\x01\x02zz\x01\x01data") // for a topic, which this is not
	a.reaches(1, "x")
	b.wants("x x")
	if n := b.broker.Stats().Malformed; n != 5 {
		t.Errorf("%d messages could not be read, want 5", n)
	}
}

// TestOverflow breaks the link of a node whose loop stands still, so that it knows that it missed something.
func TestOverflow(t *testing.T) {
	s := startServer(t)
	o := redis.Options{Addresses: []string{s.address()}}
	a, b := join(t, "a", o), join(t, "b", o)
	b.subscribe("x")
	goOn := b.standsStill()
	data := strings.Repeat("x", 1<<20)
	for sent := 0; b.broker.Stats().Dropped == 0; sent++ {
		if sent > 3*redis.MaxWaiting>>20 {
			t.Fatal("nothing is ever dropped")
		}
		<-a.publish(data, "nobody") // keeps in step with the server
		a.publish(data, "x")
	}
	goOn()
	b.until("it knows", func() bool { return b.downs > 0 && b.ups == b.downs+1 })
	if b.broker.Stats().Overflows == 0 {
		t.Error("no overflow is counted")
	}
	a.reaches(1, "x")
}

// TestRestart has everything be as before when the server comes back with nothing.
func TestRestart(t *testing.T) {
	s := startServer(t)
	log := &journal{}
	o := redis.Options{Addresses: []string{s.address()}, Log: log.logger()}
	a, b := join(t, "a", o), join(t, "b", o)
	b.subscribe("x")
	s.kill()
	for _, n := range []*node{a, b} {
		n.until("the link is down", func() bool { return n.downs == 1 })
	}
	if o := <-a.publish("lost", "x"); !errors.Is(o.err, push.ErrUnlinked) {
		t.Errorf("without a server: %v", o.err)
	}
	if !s.start() {
		t.Fatal("redis-server does not start again")
	}
	for _, n := range []*node{a, b} {
		n.until("the link is up", func() bool { return n.ups == 2 })
	}
	a.reaches(1, "x")
	linemantest.Until(t, "the registry has not both", func() bool {
		m := do(t, s.address(), "HLEN", "lineman.{0}:nodes")
		n, _ := m.ToInt64()
		return n == 2
	})
	if text := log.String(); strings.Count(text, "is down") != 2 || strings.Count(text, "is up again") != 2 {
		t.Errorf("the log has\n%s", text)
	}
	if n := a.broker.Stats().Reconnects; n != 1 {
		t.Errorf("%d reconnects, want 1", n)
	}
}

// TestAway joins while there is no server, and is linked when there is one.
func TestAway(t *testing.T) {
	s := startServer(t)
	s.kill()
	log := &journal{}
	n := enter(t, "a", redis.Options{Addresses: []string{s.address()}, Log: log.logger()})
	linemantest.Until(t, "the log does not say it", func() bool { return strings.Contains(log.String(), "refused") })
	if o := <-n.publish("early", "x"); !errors.Is(o.err, push.ErrUnlinked) {
		t.Errorf("before there is a link: %v", o.err)
	}
	if _, err := n.broker.Revocations(context.Background()); !errors.Is(err, push.ErrUnlinked) {
		t.Errorf("revocations before there is a link: %v", err)
	}
	n.loop.Await(func() { n.link.Subscribe([]push.Target{"x"}, func(error) {}) })
	if !s.start() {
		t.Fatal("redis-server does not start again")
	}
	n.until("the link is up", func() bool { return n.ups == 1 })
	<-n.publish("late", "x")
	n.wants("x late")
}

// TestReplica leaves a server that has become a replica, and is back when it no longer is.
func TestReplica(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	log := &journal{}
	o := redis.Options{Addresses: []string{s.address()}, Log: log.logger()}
	a, b := join(t, "a", o), join(t, "b", o)
	b.subscribe("x")
	do(t, s.address(), "REPLICAOF", "127.0.0.1", "1")
	for _, n := range []*node{a, b} {
		n.until("the link is down", func() bool { return n.downs == 1 })
	}
	do(t, s.address(), "REPLICAOF", "NO", "ONE")
	for _, n := range []*node{a, b} {
		n.until("the link is up", func() bool { return n.ups == n.downs+1 })
	}
	a.reaches(1, "x")
}

// TestSilence gives up a connection over which nothing comes any more, and ends what the server has left of it.
func TestSilence(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProxy(t, s.address())
	a, b := join(t, "a", redis.Options{Addresses: []string{s.address()}}),
		join(t, "b", redis.Options{Addresses: []string{p.address()}})
	b.subscribe("x")
	p.Mute()
	began := time.Now()
	out := b.publish("?", "x")
	b.until("it notices", func() bool { return b.downs == 1 })
	if took := time.Since(began); took > 15*time.Second { // it takes 5, and the machine may be busy
		t.Errorf("it took %v", took)
	}
	if o := <-out; !errors.Is(o.err, push.ErrUnanswered) {
		t.Errorf("what was under way: %v", o.err)
	}
	b.until("it is back", func() bool { return b.ups == 2 })
	linemantest.Until(t, "not one connection is subscribed",
		func() bool { return subscribers(t, s, "lineman.{0}.x") == 1 })
	// The server ends the connection before b has the answer that it did.
	linemantest.Until(t, "not one connection was ended", func() bool { return b.broker.Stats().Stale == 1 })
	a.reaches(1, "x")
}

// subscribers are how many connections have subscribed to a channel.
func subscribers(t testing.TB, s *server, channel string) int64 {
	t.Helper()
	m := do(t, s.address(), "PUBSUB", "NUMSUB", channel)
	parts, err := m.AsMap()
	if err != nil {
		t.Fatal(err)
	}
	of := parts[channel]
	n, _ := of.ToInt64()
	return n
}

// TestApps keeps two apps apart, whatever is in names and contents.
func TestApps(t *testing.T) {
	s := startServer(t)
	one := redis.Options{Addresses: []string{s.address()}, Prefix: "one"}
	two := redis.Options{Addresses: []string{s.address()}, Prefix: "two"}
	a, b, c := join(t, "a", one), join(t, "b", one), join(t, "a", two)
	hostile := []push.Target{"*", "two.{0}.x", "}.x", ":all", "x\" EX \r\nFLUSHALL", "{0}:nodes"}
	for _, n := range []*node{b, c} {
		n.subscribe(append(hostile, "x")...)
	}
	keys := func() int { m := do(t, s.address(), "KEYS", "two*"); all, _ := m.AsStrSlice(); return len(all) }
	if n := keys(); n != 1 {
		t.Fatalf("the other app has %d keys", n)
	}
	var want []string
	for _, to := range hostile {
		a.reaches(1, to)
		want = append(want, string(to)+" x")
	}
	a.reaches(1, hostile...)
	b.wants(append(want, string(hostile[0])+" x")...)
	c.reaches(0, "y")
	c.wants()
	if n := keys(); n != 1 {
		t.Errorf("the other app has %d keys now", n)
	}
}

// TestLoopEnds has a link leave whose loop ends without closing it.
func TestLoopEnds(t *testing.T) {
	m := miniredis.RunT(t)
	b := newBroker(t, redis.Options{Addresses: []string{m.Addr()}})
	t.Run("loop", func(t *testing.T) {
		up := make(chan bool, 1)
		l := pushtest.NewLoop(t)
		l.Await(func() {
			link, err := b.Join(push.Node{ID: "a", Do: l.Do, Linked: func(is bool) { up <- is }})
			if err != nil {
				t.Fatal(err)
			}
			link.Subscribe([]push.Target{"x"}, func(error) {})
		})
		<-up
	})
	m.Publish("lineman.{0}.x", "anything")
	b.Wait()
}

// subscriber makes a connection that has subscribed and does nothing else. ended is closed when the server has ended
// it.
func subscriber(t testing.TB, address, channel string) (c rueidis.DedicatedClient, ended <-chan error) {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{address}, ForceSingleClient: true, DisableCache: true, PipelineMultiplex: -1,
		DisableRetry: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	c, _ = client.Dedicate()
	t.Cleanup(c.Close)
	ended = c.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: func(rueidis.PubSubMessage) {}})
	if err := c.Do(context.Background(), c.B().Subscribe().Channel(channel).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	return c, ended
}
