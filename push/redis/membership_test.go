package redis_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/redis"
)

// asks asks everybody who has subscribed to a topic, and waits for the answers.
func (n *node) asks(to push.Target) (answers int, err error) {
	n.t.Helper()
	done := make(chan error, 1)
	n.loop.Await(func() {
		n.link.Ask([]push.Target{to}, []byte("?"), func(all [][]byte, err error) { answers = len(all); done <- err })
	})
	err = <-done
	return answers, err
}

// TestMissing says that something is missing from the moment that the server has lost a node until it is back: what is
// published for all of a target, and what is asked. What is for connections of a node that is there is not concerned.
func TestMissing(t *testing.T) {
	s := startServer(t)
	p := newProxy(t, s.address())
	o := redis.Options{Addresses: []string{s.address()}}
	a, b := join(t, "a", o), join(t, "b", o)
	c := join(t, "c", redis.Options{Addresses: []string{p.address()}})
	b.subscribe("x", "c:b")
	c.subscribe("x")
	a.reaches(2, "x")
	b.reaches(1, "x") // it knows c too
	p.Cut()
	linemantest.Until(t, "the server has noticed", func() bool { return subscribers(t, s, "lineman.{0}.x") == 1 })
	for range 50 {
		for _, n := range []*node{a, b} {
			if o := <-n.publish("x", "x"); !errors.Is(o.err, push.ErrUnanswered) {
				t.Fatalf("%s: published without c: it reached %d others, %v", n.id, o.others, o.err)
			}
			if o := <-n.publish("x", "x", "u:7"); !errors.Is(o.err, push.ErrUnanswered) {
				t.Fatalf("%s: published for several without c: %v", n.id, o.err)
			}
			if answers, err := n.asks("x"); answers != 1 || !errors.Is(err, push.ErrUnanswered) {
				t.Fatalf("%s: asked without c: %d answers, %v", n.id, answers, err)
			}
		}
		a.reaches(1, "c:b.1")
	}
	p.Mend()
	c.until("c is back", func() bool { return c.ups == 2 })
	linemantest.Until(t, "nothing is missing",
		func() bool { o := <-a.publish("x", "x"); return o.err == nil && o.others == 2 })
	b.reaches(1, "x")
}

// TestMissingLeft misses nobody who has said that he leaves, and gives up who says nothing any more.
func TestMissingLeft(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProxy(t, s.address())
	o := redis.Options{Addresses: []string{s.address()}}
	a, b := join(t, "a", o), join(t, "b", o)
	c := join(t, "c", redis.Options{Addresses: []string{p.address()}})
	c.subscribe("x")
	a.reaches(1, "x")
	b.close()
	linemantest.Until(t, "b has left", func() bool { o := <-a.publish("x", "x"); return o.err == nil && o.others == 1 })
	began := time.Now()
	p.Cut()
	linemantest.Until(t, "c is missed",
		func() bool { o := <-a.publish("x", "x"); return errors.Is(o.err, push.ErrUnanswered) })
	linemantest.Until(t, "c is given up", func() bool { o := <-a.publish("x", "x"); return o.err == nil })
	if took := time.Since(began); took < 2*time.Second || took > 18*time.Second { // it takes 6
		t.Errorf("it took %v", took)
	}
}

// TestMissingAfterRestart misses nodes that are not back yet when the server is.
func TestMissingAfterRestart(t *testing.T) {
	s := startServer(t)
	p := newProxy(t, s.address())
	a := join(t, "a", redis.Options{Addresses: []string{s.address()}})
	c := join(t, "c", redis.Options{Addresses: []string{p.address()}})
	c.subscribe("x")
	a.reaches(1, "x")
	p.Cut()
	s.kill()
	a.until("the link is down", func() bool { return a.downs == 1 })
	if !s.start() {
		t.Fatal("redis-server does not start again")
	}
	a.until("the link is up", func() bool { return a.ups == 2 })
	if o := <-a.publish("x", "x"); !errors.Is(o.err, push.ErrUnanswered) {
		t.Errorf("published before c is back: %v", o.err)
	}
	p.Mend()
	c.until("c is back", func() bool { return c.ups == 2 })
	linemantest.Until(t, "nothing is missing",
		func() bool { o := <-a.publish("x", "x"); return o.err == nil && o.others == 1 })
}

// TestEmptied connects anew to a server that has forgotten everything, and has kept its connections.
func TestEmptied(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	log := &journal{}
	a := join(t, "a", redis.Options{Addresses: []string{s.address()}, Log: log.logger()})
	linemantest.Until(t, "the registry knows a's connection", func() bool {
		m := do(t, s.address(), "HGET", registryKey, "a")
		text, _ := m.ToString()
		return strings.Contains(text, `"id"`)
	})
	a.until("it was noted", func() bool { return a.ups == 1 })
	do(t, s.address(), "FLUSHALL")
	a.until("the link is made again", func() bool { return a.downs == 1 && a.ups == 2 })
	if text := log.String(); !strings.Contains(text, "come back empty") {
		t.Errorf("the log has\n%s", text)
	}
}
