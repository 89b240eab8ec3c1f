package push_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// handover is what crosses from the Hubs of a process to those of another one.
type handover struct {
	t       *testing.T
	broker  [][]byte // parts
	hubs    [][]byte
	members []memberState
}

// memberState is a connection that crosses.
type memberState struct {
	hub  int // of the predecessor
	conn *conn
	is   []byte
}

// save saves Hubs, without a change, and the connections of them that cross.
func save(t *testing.T, hubs []*hub, crosses func(*conn) bool) *handover {
	t.Helper()
	var err error
	x := &handover{t: t}
	if err = hubs[0].SaveBrokerState(func(part []byte) error {
		x.broker = append(x.broker, slices.Clone(part))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for i, h := range hubs {
		state, err := h.AppendState(nil)
		if err != nil {
			t.Fatal(err)
		}
		x.hubs = append(x.hubs, state)
		for m := range h.Members(push.Everyone) {
			if !crosses(m.Conn()) {
				continue
			}
			is, err := h.AppendMember(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			x.members = append(x.members, memberState{i, m.Conn(), is})
		}
	}
	return x
}

// restore has other Hubs have all that, and returns the members by the connections.
func (x *handover) restore(hubs []*hub) map[*conn]*member {
	x.t.Helper()
	for _, part := range x.broker {
		lent := slices.Clone(part)
		if err := hubs[0].RestoreBrokerState(lent); err != nil {
			x.t.Fatal(err)
		}
		clear(lent)
	}
	for i, state := range x.hubs {
		if err := hubs[i%len(hubs)].RestoreState(state); err != nil {
			x.t.Fatal(err)
		}
	}
	members := make(map[*conn]*member)
	for _, m := range x.members {
		restored, err := hubs[m.hub%len(hubs)].RestoreMember(m.conn, m.is)
		if err != nil {
			x.t.Fatal(err)
		}
		members[m.conn] = restored
	}
	return members
}

// everybody crosses.
func everybody(*conn) bool { return true }

// handOver hands the one Hub over to another, with all its connections.
func handOver(t *testing.T, from *hub, to *hub) map[*conn]*member {
	t.Helper()
	members := save(t, []*hub{from}, everybody).restore([]*hub{to})
	from.HandedOver(everybody)
	to.Restored()
	return members
}

// alarms are functions that run after a time, on the goroutine of the test, which is in a bubble.
type alarms struct{ all []alarm }

type alarm struct {
	at  time.Time
	run func()
}

func (s *alarms) after(d time.Duration, f func()) { s.all = append(s.all, alarm{time.Now().Add(d), f}) }

// due takes out the next one, if its time has come.
func (s *alarms) due() (run func()) {
	next := -1
	for i, t := range s.all {
		if !t.at.After(time.Now()) && (next < 0 || t.at.Before(s.all[next].at)) {
			next = i
		}
	}
	if next < 0 {
		return nil
	}
	run = s.all[next].run
	s.all = slices.Delete(s.all, next, next+1)
	return run
}

// pass lets time go by.
func (s *alarms) pass(d time.Duration) {
	for end := time.Now().Add(d); ; {
		for run := s.due(); run != nil; run = s.due() {
			run()
		}
		next := end
		for _, t := range s.all {
			if t.at.Before(next) {
				next = t.at
			}
		}
		if time.Sleep(time.Until(next)); next.Equal(end) && !slices.ContainsFunc(s.all, func(t alarm) bool {
			return !t.at.After(end)
		}) {
			return
		}
	}
}

// tasks wait for a loop, which the test runs.
type tasks struct {
	mu      sync.Mutex // guards the following
	waiting []func()
}

func (q *tasks) do(f func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, f)
	return true
}

func (q *tasks) take() []func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.waiting
	q.waiting = nil
	return waiting
}
