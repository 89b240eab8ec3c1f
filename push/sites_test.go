package push_test

import (
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
)

// site is a node: a Hub on a loop of its own.
type site struct {
	t    *testing.T
	loop *pushtest.Loop
	hub  *hub
	last uint64 // connection
}

// sites are nodes of one cluster.
func sites(t *testing.T, n int, o push.Options[*conn]) (all []*site) {
	t.Helper()
	for range n {
		s := &site{t: t, loop: pushtest.NewLoop(t)}
		o.Do = s.loop.Do
		o.After = func(d time.Duration, f func()) { time.AfterFunc(d, func() { s.loop.Do(f) }) }
		s.loop.Await(func() { s.hub = newHub(t, o) })
		t.Cleanup(func() { s.loop.Do(s.hub.Close) })
		s.until(s.hub.Linked)
		all = append(all, s)
	}
	return all
}

// until waits until something holds on the loop.
func (s *site) until(holds func() bool) {
	s.t.Helper()
	linemantest.Until(s.t, "it does not hold on the loop", func() (held bool) {
		s.loop.Await(func() { held = holds() })
		return held
	})
}

// add makes a connection a member that all nodes know.
func (s *site) add(uid string) (m *member, c *conn) {
	s.t.Helper()
	s.loop.Await(func() {
		s.last++
		m, c = add(s.t, s.hub, s.last, uid)
	})
	// comes behind the subscription
	if _, err := s.ask(push.Question{Verb: push.Count, To: []push.Target{push.UID(uid)}}); err != nil {
		s.t.Error(err)
	}
	return m, c
}

// ask waits for the answer of all nodes.
func (s *site) ask(q push.Question) (a push.Answer, err error) {
	s.t.Helper()
	done := make(chan error, 1)
	s.loop.Await(func() {
		if err := s.hub.Ask(q, func(got push.Answer, err error) { a = got; done <- err }); err != nil {
			done <- err
		}
	})
	return a, s.wait(done)
}

// publish waits for the outcome.
func (s *site) publish(m message) (o push.Outcome) {
	s.t.Helper()
	done := make(chan error, 1)
	s.loop.Await(func() {
		if err := s.hub.Publish(m, func(got push.Outcome) { o = got; done <- nil }); err != nil {
			done <- err
		}
	})
	if err := s.wait(done); err != nil {
		s.t.Error(err)
	}
	return o
}

func (s *site) wait(done chan error) error {
	s.t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		s.t.Fatal("it is never done")
		return nil
	}
}

// got is what a connection of this node was sent since.
func (s *site) got(c *conn) (got []string) {
	s.loop.Await(func() { got = c.take() })
	return got
}

func (s *site) closed(c *conn) (why string) {
	s.loop.Await(func() { why = c.closed })
	return why
}

// overBrokers runs a test over each broker that there is here. cut and mend are nil where nothing can break.
func overBrokers(t *testing.T, test func(t *testing.T, o push.Options[*conn], cut, mend func())) {
	t.Run("memory", func(t *testing.T) {
		o := options()
		o.Broker = push.NewMemory()
		test(t, o, nil, nil)
	})
	t.Run("network", func(t *testing.T) {
		w := pushtest.NewNetwork()
		t.Cleanup(w.End)
		o := options()
		o.Broker = w
		test(t, o, w.Cut, w.Mend)
	})
}
