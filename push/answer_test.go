package push_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// counting is a Broker that notes the longest answer of a node.
type counting struct {
	push.Broker
	longest atomic.Int64
}

func (b *counting) Join(n push.Node) (push.Link, error) {
	answer := n.Answer
	n.Answer = func(to []push.Target, question []byte, reply func([]byte)) {
		answer(to, question, func(text []byte) {
			b.longest.Store(max(b.longest.Load(), int64(len(text))))
			reply(text)
		})
	}
	return b.Broker.Join(n)
}

// TestAskTooMuch says so when a node's answer is too long, which does not cross the network then, and when those of all
// are too long together.
func TestAskTooMuch(t *testing.T) {
	o := options()
	broker := &counting{Broker: push.NewMemory()}
	o.Broker = broker
	all := sites(t, 2, o)
	m, _ := all[1].add("ann")
	all[1].loop.Await(func() { m.SetValue(json.RawMessage(`"` + strings.Repeat("x", 4<<20) + `"`)) })
	if _, err := all[0].ask(push.Question{Verb: push.ListSessions, To: []push.Target{"*"}}); !errors.Is(err,
		push.ErrLimit) || !strings.Contains(err.Error(), "ask about fewer") {
		t.Errorf("%v", err)
	}
	if n := broker.longest.Load(); n > 1000 {
		t.Errorf("an answer of %d bytes went to the node that asked", n)
	}
	half := json.RawMessage(`"` + strings.Repeat("x", 3<<20) + `"`)
	n, _ := all[0].add("bob")
	all[0].loop.Await(func() { n.SetValue(half) })
	all[1].loop.Await(func() { m.SetValue(half) })
	if _, err := all[0].ask(push.Question{Verb: push.ListSessions, To: []push.Target{"u:bob"}}); err != nil {
		t.Error(err)
	}
	if _, err := all[0].ask(push.Question{Verb: push.ListSessions, To: []push.Target{"*"}}); !errors.Is(err,
		push.ErrLimit) || !strings.Contains(err.Error(), "ask about fewer") {
		t.Errorf("together they are too long: %v", err)
	}
	all[1].loop.Await(func() { m.SetValue(json.RawMessage(`{`)) })
	if _, err := all[0].ask(push.Question{Verb: push.ListSessions, To: []push.Target{"*"}}); err == nil {
		t.Error("a session that is no JSON is told")
	}
}

// TestAskTooMuchAlone says so on a node without others, which makes no such answer.
func TestAskTooMuchAlone(t *testing.T) {
	h := newHub(t, options())
	for n := range 600 {
		m, _ := add(t, h, uint64(n+1), "ann")
		m.SetValue(json.RawMessage(`"` + strings.Repeat("x", 8<<10) + `"`))
	}
	for to, limited := range map[push.Target]bool{"*": true, "u:nobody": false} {
		var failed error
		err := h.Ask(push.Question{Verb: push.ListSessions, To: []push.Target{to}}, func(_ push.Answer, err error) {
			failed = err
		})
		if err != nil || errors.Is(failed, push.ErrLimit) != limited {
			t.Errorf("%s: %v, %v", to, err, failed)
		}
	}
}
