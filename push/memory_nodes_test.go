package push_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// beside are nodes of one process.
func beside(t *testing.T, n int, change func(*push.Options[*conn])) (*push.Memory, []*site) {
	t.Helper()
	broker := push.NewMemory()
	o := options()
	o.Broker = broker
	change(&o)
	return broker, sites(t, n, o)
}

// begin publishes a message that may wait, and gives what becomes of it.
func (s *site) begin(data string, wait time.Duration, to ...push.Target) <-chan push.Outcome {
	done := make(chan push.Outcome, 1)
	s.loop.Await(func() {
		m := message{To: to, Data: []byte(data), Wait: wait}
		if err := s.hub.Publish(m, func(o push.Outcome) { done <- o }); err != nil {
			s.t.Error(err)
		}
	})
	return done
}

// comeBack has a connection log in that may have missed something.
func (s *site) comeBack(uid string) (c *conn) {
	s.loop.Await(func() {
		s.last++
		var m *member
		m, c = add(s.t, s.hub, s.last, uid)
		s.hub.Replay(m)
	})
	return c
}

// TestReplayBeside has a connection that comes back to any node of a process get what was published for it meanwhile by
// any other: once, in order, and before anything newer.
func TestReplayBeside(t *testing.T) {
	_, all := beside(t, 3, func(o *push.Options[*conn]) { o.Reconnect = time.Hour })
	first := all[0].begin("1", time.Minute, "u:ann")
	second := all[1].begin("2", time.Minute, "u:ann", "*")
	if o := all[2].publish(message{To: []push.Target{"u:ann"}, Data: []byte("lost")}); o.Reached != 0 {
		t.Errorf("somebody has it: %+v", o)
	}
	c := all[2].comeBack("ann")
	all[0].publish(message{To: []push.Target{"u:ann"}, Data: []byte("3")})
	if got := all[2].got(c); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("it got %v", got)
	}
	for _, done := range []<-chan push.Outcome{first, second} {
		select {
		case o := <-done:
			if o.Reached != 1 || o.Err != nil {
				t.Errorf("the outcome is %+v", o)
			}
		case <-time.After(time.Minute):
			t.Fatal("who has published is not told")
		}
	}
	if got := all[1].got(all[1].comeBack("ann")); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("a second one got %v", got)
	}
	if got := all[0].got(all[0].comeBack("bob")); !slices.Equal(got, []string{"2"}) {
		t.Errorf("another uid got %v", got)
	}
}

// TestReplayBesideOnce has nobody get twice what is on its way to him by itself, however the two meet.
func TestReplayBesideOnce(t *testing.T) {
	const rounds = 200
	_, all := beside(t, 2, func(o *push.Options[*conn]) { o.Reconnect = time.Hour })
	for i := range rounds {
		uid := fmt.Sprint("u", i)
		all[1].add(uid) // so the node is visited
		done := all[0].begin("x", time.Minute, push.UID(uid))
		c := all[1].comeBack(uid)
		<-done
		if got := all[1].got(c); !slices.Equal(got, []string{"x"}) {
			t.Fatalf("round %d: it got %v", i, got)
		}
	}
}

// TestReplayBesideEnds has a back end be told when nobody has come, in time or because the process has a successor.
func TestReplayBesideEnds(t *testing.T) {
	_, all := beside(t, 2, func(o *push.Options[*conn]) { o.Reconnect = time.Hour })
	if o := <-all[0].begin("1", time.Millisecond, "u:ann"); o.Reached != 0 || o.Err != nil {
		t.Errorf("nobody has come: %+v", o)
	}
	if got := all[1].got(all[1].comeBack("ann")); len(got) > 0 {
		t.Errorf("it got %v, too late", got)
	}
	waiting := all[0].begin("2", time.Hour, "u:bob")
	all[1].loop.Await(all[1].hub.Leaving)
	if o := <-waiting; !errors.Is(o.Err, push.ErrClosed) {
		t.Errorf("a successor takes over: %+v", o)
	}
}

// TestSeatsBeside bounds the subscribers of a channel on all nodes together.
func TestSeatsBeside(t *testing.T) {
	_, all := beside(t, 3, func(o *push.Options[*conn]) {
		o.Namespaces = map[string]push.Namespace{"small": {MaxSubscribers: 2}}
	})
	subscribe := func(s *site, uid string) (m *member, err error) {
		m, _ = s.add(uid)
		s.loop.Await(func() { err = m.Subscribe("small:x") })
		return m, err
	}
	first, err := subscribe(all[0], "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := subscribe(all[1], "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := subscribe(all[2], "c"); !errors.Is(err, push.ErrLimit) {
		t.Errorf("a third one: %v", err)
	}
	all[0].loop.Await(func() { all[0].hub.Remove(first) })
	if _, err := subscribe(all[2], "d"); err != nil {
		t.Errorf("in place of one that has gone: %v", err)
	}
	all[1].loop.Await(all[1].hub.Close)
	if _, err := subscribe(all[0], "e"); err != nil {
		t.Errorf("in place of those of a node that has left: %v", err)
	}
}

// TestNamesBeside counts each name once, on however many nodes it is.
func TestNamesBeside(t *testing.T) {
	broker, all := beside(t, 2, func(*push.Options[*conn]) {})
	want := func(uids, groups, channels int) {
		t.Helper()
		if u, g, c := broker.Names(); u != uids || g != groups || c != channels {
			t.Errorf("%d uids, %d groups, %d channels; want %d, %d, %d", u, g, c, uids, groups, channels)
		}
	}
	phone, _ := all[0].add("ann")
	laptop, _ := all[1].add("ann")
	all[1].add("bob")
	all[0].loop.Await(func() { _ = phone.Join("staff") })
	all[1].loop.Await(func() { _ = laptop.Join("staff") })
	all[1].loop.Await(func() { _ = laptop.Subscribe("news") })
	all[0].ask(push.Question{Verb: push.Count, To: []push.Target{"*"}})
	all[1].ask(push.Question{Verb: push.Count, To: []push.Target{"*"}})
	want(2, 1, 1)
	all[1].loop.Await(all[1].hub.Close)
	want(1, 1, 0)
}

// TestMemoryFull has a broker refuse more nodes than it can tell apart, and take one in place of one that has left.
func TestMemoryFull(t *testing.T) {
	broker := push.NewMemory()
	node := push.Node{Do: func(f func()) bool { f(); return true }, Linked: func(bool) {}}
	var links []push.Link
	for range 64 {
		l, err := broker.Join(node)
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, l)
	}
	if _, err := broker.Join(node); !errors.Is(err, push.ErrLimit) {
		t.Errorf("the error is %v", err)
	}
	links[7].Close()
	if _, err := broker.Join(node); err != nil {
		t.Errorf("in place of one that has left: %v", err)
	}
	broker.Close()
}

// TestReplayBesideLeaves has no message be refused that a connection gets all the same, though the process is succeeded
// while it is on its way: who has published it would do so again.
func TestReplayBesideLeaves(t *testing.T) {
	const rounds = 100
	for range rounds {
		_, all := beside(t, 2, func(o *push.Options[*conn]) { o.Reconnect = time.Hour })
		_, c := all[1].add("ann")
		done := all[0].begin("x", time.Minute, "u:ann")
		all[0].loop.Await(all[0].hub.Leaving)
		o := <-done
		got := all[1].got(c)
		if told := o.Err == nil && o.Reached == 1; told != slices.Equal(got, []string{"x"}) {
			t.Fatalf("it got %v, and the outcome is %+v", got, o)
		}
	}
}
