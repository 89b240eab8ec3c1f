package push_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// rollHub is a Hub alone in virtual time that writes down what is told of its rolls.
type rollHub struct {
	*hub
	t      *testing.T
	told   []string
	timers []func()
	delays []time.Duration
	last   uint64
}

func newRollHub(t *testing.T, change func(*push.Options[*conn])) *rollHub {
	h := &rollHub{t: t}
	o := options()
	o.RollChanged = func(r push.Roll, name string, here bool) {
		h.told = append(h.told, fmt.Sprintf("%s%s %s", map[bool]string{true: "+", false: "-"}[here], r, name))
	}
	o.After = func(d time.Duration, f func()) {
		h.delays = append(h.delays, d)
		h.timers = append(h.timers, f)
	}
	if change != nil {
		change(&o)
	}
	h.hub = newHub(t, o)
	return h
}

// comes adds a connection.
func (h *rollHub) comes(uid string, channels ...string) *member {
	h.t.Helper()
	h.last++
	m, err := h.Add(&conn{id: h.last}, uid)
	for _, name := range channels {
		err = errors.Join(err, m.Subscribe(name))
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}

// pass runs all timers that have been set.
func (h *rollHub) pass() {
	timers := h.timers
	h.timers = nil
	for _, f := range timers {
		f()
	}
}

// hears wants what was told since, and what is listed.
func (h *rollHub) hears(r push.Roll, list []string, told ...string) {
	h.t.Helper()
	if !slices.Equal(h.told, told) {
		h.t.Errorf("told %q, want %q", h.told, told)
	}
	h.told = nil
	done := false
	h.ListRoll(r, func(names []string, err error) {
		done = true
		if err != nil || !slices.Equal(names, list) {
			h.t.Errorf("%v are %q, %v; want %q", r, names, err, list)
		}
	})
	if !done {
		h.t.Error("the list is not told")
	}
}

// TestRollUIDs tells of the first connection of a uid, and of the last one when none has come back for a while.
func TestRollUIDs(t *testing.T) {
	h := newRollHub(t, nil)
	first := h.comes("ann")
	h.comes("")
	h.Roll(push.RollUIDs, true)
	h.hears(push.RollUIDs, []string{"ann"})
	second := h.comes("ann", "news")
	bob := h.comes("bob")
	h.hears(push.RollUIDs, []string{"ann", "bob"}, "+uids bob")
	h.Remove(first)
	h.Remove(bob)
	h.comes("bob")
	h.pass()
	h.Remove(second)
	h.hears(push.RollUIDs, []string{"ann", "bob"})
	if h.pass(); !slices.Equal(h.delays, []time.Duration{5 * time.Second, 5 * time.Second}) {
		t.Errorf("timers of %v", h.delays)
	}
	h.hears(push.RollUIDs, []string{"bob"}, "-uids ann")
	h.Roll(push.RollUIDs, false)
	h.comes("eve")
	if h.ListRoll(push.RollUIDs, func(_ []string, err error) {
		if !errors.Is(err, push.ErrRollOff) {
			t.Errorf("a roll that is off is told: %v", err)
		}
	}); len(h.told) > 0 {
		t.Errorf("told %q of a roll that is off", h.told)
	}
	h.Roll(push.RollUIDs, true)
	h.hears(push.RollUIDs, []string{"bob", "eve"})
}

// TestRollLeftAgain counts the delay from the last time that a name has gone.
func TestRollLeftAgain(t *testing.T) {
	h := newRollHub(t, nil)
	h.Roll(push.RollUIDs, true)
	h.Remove(h.comes("ann"))
	early := h.timers
	h.timers = nil
	h.Remove(h.comes("ann"))
	for _, f := range early {
		f()
	}
	h.hears(push.RollUIDs, []string{"ann"}, "+uids ann")
	h.pass()
	h.hears(push.RollUIDs, nil, "-uids ann")
}

// TestRollChannels tells of the first subscriber of a channel and of the last one, whoever they are.
func TestRollChannels(t *testing.T) {
	h := newRollHub(t, func(o *push.Options[*conn]) { o.RollDelay = time.Second })
	h.Roll(push.RollChannels, true)
	nobody, ann := h.comes("", "news"), h.comes("ann", "news", "room:1")
	h.hears(push.RollChannels, []string{"news", "room:1"}, "+channels news", "+channels room:1")
	nobody.Unsubscribe("news")
	h.Remove(ann)
	h.pass()
	h.hears(push.RollChannels, nil, "-channels room:1", "-channels news")
	if !slices.Equal(h.delays, []time.Duration{time.Second, time.Second}) {
		t.Errorf("timers of %v", h.delays)
	}
}

// TestRollClosed tells nothing of a Hub that was closed.
func TestRollClosed(t *testing.T) {
	h := newRollHub(t, nil)
	h.Roll(push.RollUIDs, true)
	h.Remove(h.comes("ann"))
	h.Close()
	h.told = nil
	h.pass()
	h.ListRoll(push.RollUIDs, func(_ []string, err error) {
		if !errors.Is(err, push.ErrClosed) {
			t.Errorf("a closed Hub tells a roll: %v", err)
		}
	})
	if len(h.told) > 0 {
		t.Errorf("a closed Hub tells %q", h.told)
	}
}

// TestRollOptions wants what rolls need.
func TestRollOptions(t *testing.T) {
	o := options()
	o.RollChanged = func(push.Roll, string, bool) {}
	if _, err := push.New(o); err == nil {
		t.Error("rolls without After")
	}
}

// TestRollCosts has a Hub whose rolls are off allocate nothing for them.
func TestRollCosts(t *testing.T) {
	allocations := func(change func(*push.Options[*conn])) float64 {
		h := newRollHub(t, change)
		h.comes("ann", "news")
		c := &conn{id: 7}
		return testing.AllocsPerRun(100, func() {
			m, err := h.Add(c, "bob")
			if err == nil {
				err = m.Subscribe("room")
			}
			if err != nil {
				t.Fatal(err)
			}
			h.Remove(m)
		})
	}
	without := allocations(func(o *push.Options[*conn]) { o.RollChanged = nil })
	if off := allocations(nil); off != without {
		t.Errorf("%v allocations with rolls that are off, %v without rolls", off, without)
	}
}
