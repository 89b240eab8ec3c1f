package push_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
)

// history reads what is kept of a target, and writes it down: the data, and the reason of a gap.
func (s *site) history(of push.Target, r push.Range) (text string, top push.Position) {
	s.t.Helper()
	done := make(chan error, 1)
	s.loop.Await(func() {
		err := s.hub.History(of, r, func(h push.History, err error) {
			for _, m := range h.Messages {
				text += string(m.Data) + " "
			}
			text += string(h.Gap)
			top = h.Top
			done <- err
		})
		if err != nil {
			done <- err
		}
	})
	if err := s.wait(done); err != nil {
		s.t.Error(err)
	}
	return text, top
}

// TestHistory keeps what the options say, of uids, groups and channels by their namespaces, whichever node publishes
// it.
func TestHistory(t *testing.T) {
	test := func(t *testing.T, o push.Options[*conn], nodes int) {
		o.UIDHistory, o.GroupHistory = push.Retention{Size: 2}, push.Retention{Class: push.Latest}
		o.Namespaces = map[string]push.Namespace{"chat": {History: push.Retention{Size: 10}}}
		all := sites(t, nodes, o)
		a, b := all[0], all[nodes-1]
		_, c := b.add("ann")
		first := a.publish(message{To: []push.Target{"u:ann"}, Data: []byte("1")})
		if first.Reached != 1 || len(first.Positions) != 1 || len(b.got(c)) != 1 {
			t.Errorf("the first became %+v", first)
		}
		both := a.publish(message{To: []push.Target{"news", "chat:7", "u:ann", "*"}, Data: []byte("2")})
		if at := both.Positions; len(at) != 4 || at[0] != (push.Position{}) || at[1] == at[0] || at[3] != at[0] ||
			at[2] != (push.Position{Epoch: first.Positions[0].Epoch, Offset: first.Positions[0].Offset + 1}) {
			t.Errorf("the second has the positions %v", at)
		}
		a.publish(message{To: []push.Target{"u:ann", "g:room"}, Data: []byte("3")})
		a.publish(message{To: []push.Target{"g:room"}, Data: []byte("4")})
		if o := a.publish(message{To: []push.Target{"news"}, Data: []byte("5")}); o.Positions != nil {
			t.Errorf("what is not kept has the positions %v", o.Positions)
		}
		everything := push.Range{Limit: 100}
		for of, want := range map[push.Target]string{"u:ann": "2 3 ", "chat:7": "2 ", "g:room": "4 ", "u:bob": ""} {
			if got, top := b.history(of, everything); got != want || top.Epoch == "" {
				t.Errorf("the history of %s is %q up to %v, want %q", of, got, top, want)
			}
		}
		if got, _ := b.history("u:ann", push.Range{Since: both.Positions[2], Limit: 9}); got != "3 " {
			t.Errorf("since the second: %q", got)
		}
		done := make(chan error, 1)
		b.loop.Await(func() {
			if err := b.hub.Forget([]push.Target{"u:ann", "chat:7"}, func(err error) { done <- err }); err != nil {
				done <- err
			}
		})
		if err := b.wait(done); err != nil {
			t.Error(err)
		}
		if got, _ := a.history("u:ann", push.Range{Since: both.Positions[2], Limit: 9}); got != "expired" {
			t.Errorf("what was forgotten: %q", got)
		}
	}
	t.Run("alone", func(t *testing.T) { test(t, options(), 1) })
	overBrokers(t, func(t *testing.T, o push.Options[*conn], _, _ func()) { test(t, o, 2) })
}

// TestHistoryRefused tells what no history can be of.
func TestHistoryRefused(t *testing.T) {
	o := options()
	o.Namespaces = map[string]push.Namespace{"chat": {History: push.Retention{Size: 10}}}
	h := newHub(t, o)
	for _, of := range []push.Target{"u:ann", "g:room", "news", "*", "c:node.1"} {
		read := h.History(of, push.Range{}, func(push.History, error) { t.Errorf("%s was read", of) })
		forgot := h.Forget([]push.Target{"chat:7", of}, func(error) { t.Errorf("%s was forgotten", of) })
		if !errors.Is(read, push.ErrNoHistory) || !errors.Is(forgot, push.ErrNoHistory) {
			t.Errorf("%s: %v, %v", of, read, forgot)
		}
	}
	if err := h.History("chat:\x00", push.Range{}, nil); err == nil || errors.Is(err, push.ErrNoHistory) {
		t.Errorf("a name that cannot be: %v", err)
	}
	many := make([]push.Target, push.MaxTargets+1)
	for i := range many {
		many[i] = push.Target(fmt.Sprint("chat:", i))
	}
	if err := h.Forget(many, nil); err == nil {
		t.Error("too many targets are forgotten")
	}
	if err := newHub(t, options()).History("chat:7", push.Range{}, nil); !errors.Is(err, push.ErrNoHistory) {
		t.Errorf("without any history: %v", err)
	}
	h.Close()
	err := h.History("chat:7", push.Range{}, func(_ push.History, err error) {
		if !errors.Is(err, push.ErrClosed) {
			t.Errorf("read after Close: %v", err)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// TestHistoryless refuses options of history over a broker that keeps none.
func TestHistoryless(t *testing.T) {
	p := &parted{}
	o := options()
	o.Broker, o.Do = p, func(f func()) bool { f(); return true }
	newHub(t, o)
	if p.node.Retain != nil || p.closed {
		t.Error("a Hub without history asks for some")
	}
	o.GroupHistory = push.Retention{Size: 1}
	if _, err := push.New(o); err == nil || !p.closed {
		t.Errorf("over a broker without history: %v", err)
	}
}

// TestHistoryOfWaiting has a message that waits for connections that come back have a position all the same.
func TestHistoryOfWaiting(t *testing.T) {
	var later []func()
	o := options()
	o.Reconnect, o.UIDHistory = time.Hour, push.Retention{Size: 10}
	o.After = func(_ time.Duration, f func()) { later = append(later, f) }
	h := newHub(t, o)
	var outcomes []push.Outcome
	for range 2 {
		m := message{To: []push.Target{"u:ann"}, Data: []byte("x"), Wait: time.Second}
		if err := h.Publish(m, func(o push.Outcome) { outcomes = append(outcomes, o) }); err != nil {
			t.Fatal(err)
		}
	}
	later[0]()
	m, _ := add(t, h, 1, "ann")
	h.Replay(m)
	if len(outcomes) != 2 || outcomes[0].Reached != 0 || outcomes[1].Reached != 1 ||
		len(outcomes[0].Positions) != 1 || len(outcomes[1].Positions) != 1 {
		t.Errorf("they became %+v", outcomes)
	}
}

// TestHistoryCosts has a publication without history allocate as before there was any: in a Hub that keeps none, and
// for a target of which none is kept.
func TestHistoryCosts(t *testing.T) {
	if linemantest.Raced() {
		t.Skip("the race detector allocates")
	}
	cost := func(broker push.Broker, retention push.Retention, to ...push.Target) float64 {
		o := options()
		o.Fanout, o.UIDHistory = count, retention
		o.Broker, o.Do = broker, func(f func()) bool { f(); return true }
		h := newHub(t, o)
		add(t, h, 1, "ann")
		m := message{To: to, Data: []byte("x")}
		return testing.AllocsPerRun(500, func() {
			if err := h.Publish(m, nil); err != nil {
				t.Error(err)
			}
		})
	}
	for _, to := range []push.Target{"*", "u:ann", "g:room"} {
		if n := cost(nil, push.Retention{}, to); n != 2 {
			t.Errorf("%s: %v allocations in a Hub without history, want 2", to, n)
		}
	}
	if n := cost(push.NewMemory(), push.Retention{}, "u:ann"); n != 2 {
		t.Errorf("%v allocations over a Memory without history, want 2", n)
	}
	if n := cost(nil, push.Retention{Size: 100}, "g:room"); n != 2 {
		t.Errorf("%v allocations for a target without history, want 2", n)
	}
	if n := cost(nil, push.Retention{Size: 100}, "u:ann"); n > 7 {
		t.Errorf("%v allocations with history, want at most 7: the positions, the data and the message", n)
	}
}

// BenchmarkPublishHistory is what a publication costs with history, beside BenchmarkPublish.
func BenchmarkPublishHistory(b *testing.B) {
	o := options()
	o.Fanout, o.UIDHistory = count, push.Retention{Size: 100, TTL: time.Hour}
	benchmarkPublish(b, o)
}
