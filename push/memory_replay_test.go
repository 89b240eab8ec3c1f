package push_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// back has a connection of a uid, in a group, log in on a node's loop, and get what it has missed. On the loop.
func (s *site) back(uid, group string) *conn {
	s.last++
	m, c := add(s.t, s.hub, s.last, uid)
	if err := m.Join(group); err != nil {
		s.t.Error(err)
	}
	s.hub.Replay(m)
	return c
}

func reconnecting(o *push.Options[*conn]) { o.Reconnect = time.Hour }

// TestReplayBesideMeets has a connection come back while a message is on its way to its node: it gets it once, whether
// that was published just before or just after.
func TestReplayBesideMeets(t *testing.T) {
	_, all := beside(t, 2, reconnecting)
	all[1].add("ann") // so the node is visited
	var before, after *conn
	all[1].loop.Await(func() { // which cannot be visited meanwhile
		all[0].begin("x", time.Minute, "u:ann")
		before = all[1].back("ann", "staff")
		after = all[1].back("bob", "staff")
		all[0].begin("y", time.Minute, "u:bob")
	})
	all[0].publish(message{To: []push.Target{"*"}, Data: []byte("end")})
	if got := all[1].got(before); !slices.Equal(got, []string{"x", "end"}) {
		t.Errorf("of what was published before: %v", got)
	}
	if got := all[1].got(after); !slices.Equal(got, []string{"y", "end"}) {
		t.Errorf("of what was published after: %v", got)
	}
}

// TestReplayBesidePlaces has a connection get what was published for its groups.
func TestReplayBesidePlaces(t *testing.T) {
	_, all := beside(t, 2, reconnecting)
	all[0].begin("x", time.Minute, "g:staff")
	var c *conn
	all[1].loop.Await(func() { c = all[1].back("", "staff") })
	if got := all[1].got(c); !slices.Equal(got, []string{"x"}) {
		t.Errorf("it got %v", got)
	}
}

// TestReplayBesideMissed has a message be refused that was on its way to a node when the process was succeeded, and
// that nobody has got there: the successor's connections are to get it.
func TestReplayBesideMissed(t *testing.T) {
	_, all := beside(t, 2, reconnecting)
	m, _ := all[1].add("ann")
	var done <-chan push.Outcome
	all[1].loop.Await(func() {
		done = all[0].begin("x", time.Minute, "u:ann")
		all[1].hub.Leaving()
		all[1].hub.Remove(m)
	})
	select {
	case o := <-done:
		if !errors.Is(o.Err, push.ErrClosed) {
			t.Errorf("the outcome is %+v", o)
		}
	case <-time.After(time.Minute):
		t.Error("there is no outcome")
	}
}

// TestReplayBesideBounds bounds what is kept, by number and by bytes. What nobody came for in time makes room.
func TestReplayBesideBounds(t *testing.T) {
	const messages, large, bytes = 10_000, 64 << 10, 16 << 20
	_, all := beside(t, 2, reconnecting)
	var late []<-chan push.Outcome
	for range messages {
		late = append(late, all[0].begin("late", time.Millisecond, "u:nobody"))
	}
	for _, done := range late {
		<-done
	}
	for range messages + 1 {
		all[0].begin("x", time.Hour, "u:ann")
	}
	if n := len(all[1].got(all[1].comeBack("ann"))); n != messages {
		t.Errorf("%d messages are kept, want %d", n, messages)
	}
	_, all = beside(t, 2, reconnecting)
	for range bytes/large + 1 {
		all[0].begin(string(make([]byte, large)), time.Hour, "u:ann")
	}
	if n := len(all[1].got(all[1].comeBack("ann"))); n != bytes/large {
		t.Errorf("%d large messages are kept, want %d", n, bytes/large)
	}
}
