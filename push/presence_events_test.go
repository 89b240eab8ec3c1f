package push_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// attentive is a script that knows who is present, or says so.
type attentive struct {
	*script
	lists []func(push.Presence, error)
}

func (a *attentive) Join(n push.Node) (push.Link, error) {
	a.node = n
	return a, nil
}

func (a *attentive) Enter(push.Target, string, json.RawMessage)     {}
func (a *attentive) Leave(push.Target, string)                      {}
func (a *attentive) CountPresent([]push.Target, func([]int, error)) {}
func (a *attentive) PresenceStats(func(push.PresenceStats, error))  {}
func (a *attentive) Present(_ push.Target, _ int, f func(push.Presence, error)) {
	a.lists = append(a.lists, f)
}

// TestPresenceBegun tells who comes and goes to those who have begun with the channel: not before, and also while they
// begin anew.
func TestPresenceBegun(t *testing.T) {
	a := &attentive{script: &script{}}
	o := rooms()
	o.Broker, o.Do = a, func(f func()) bool { f(); return true }
	h := &hall{t: t, hub: newHub(t, o)}
	a.node.Linked(true)
	m, c := h.comes("ann", "room:1")
	event := push.PresenceEvent{UID: "bob", Here: true, N: 2}
	a.node.Presence("room:1", event)
	h.got(c)
	a.confirm()
	a.node.Presence("room:1", event)
	h.got(c, "room:1 +bob 2")
	if err := m.Follow("room:1"); err != nil {
		t.Fatal(err)
	}
	a.node.Presence("room:1", event)
	h.got(c, "room:1 +bob 2")
	if err := m.Follow("room:1"); err != nil { // again, before it has begun
		t.Fatal(err)
	}
	a.node.Presence("room:1", event)
	h.got(c, "room:1 +bob 2")
}

// TestPresenceRenewed tells those who follow who is there when the link is up again, one channel after the other, until
// it breaks.
func TestPresenceRenewed(t *testing.T) {
	a := &attentive{script: &script{}}
	o := rooms()
	o.Broker, o.Do = a, func(f func()) bool { f(); return true }
	h := &hall{t: t, hub: newHub(t, o)}
	a.node.Linked(true)
	_, c := h.comes("ann", "room:1", "room:2", "hall:1")
	add(t, h.hub, 100, "plain")
	a.confirm()
	c.take()
	a.node.Linked(false)
	a.node.Linked(true)
	told := 0
	for len(a.lists) > 0 {
		if len(a.lists) > 1 {
			t.Errorf("%d channels are asked about at once", len(a.lists))
		}
		done := a.lists[0]
		a.lists = nil
		if told++; told == 1 {
			done(push.Presence{}, push.ErrUnanswered)
			continue
		}
		done(push.Presence{N: 1, Users: map[string]json.RawMessage{"ann": nil}}, nil)
	}
	if got := c.take(); told != 2 || len(got) != 1 {
		t.Errorf("%d channels are asked about, and it is told %q", told, got)
	}
	a.node.Linked(false)
	a.node.Linked(true)
	a.node.Linked(false)
	a.lists[0](push.Presence{}, push.ErrUnlinked)
	if len(a.lists) != 1 || c.take() != nil {
		t.Error("it goes on though the link has broken")
	}
}

// TestPresenceOneProcess tells nobody who is there when the link of a process without other nodes comes up: it has been
// known all the time. So it is after a handover.
func TestPresenceOneProcess(t *testing.T) {
	for name, broker := range map[string]push.Broker{"alone": nil, "memory": push.NewMemory()} {
		var queue []func()
		o := rooms()
		o.Broker, o.Do = broker, func(f func()) bool { queue = append(queue, f); return true }
		h := newHall(t, o)
		_, c := h.comes("ann", "room:1")
		for len(queue) > 0 {
			f := queue[0]
			queue = queue[1:]
			f()
		}
		if !h.Linked() {
			t.Errorf("%s: the link is not up", name)
		}
		for _, told := range c.take() {
			if strings.Contains(told, " is ") {
				t.Errorf("%s: it is told %q", name, told)
			}
		}
	}
}
