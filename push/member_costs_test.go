package push_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
)

// TestMemberSize holds what each connection pays: a class of sizes in which memory is given out.
func TestMemberSize(t *testing.T) {
	if size := push.MemberSize[*conn](); size > 64 {
		t.Errorf("a Member takes %d bytes, want 64 at most", size)
	}
}

// TestValueGone has a connection that the Hub no longer knows hold no value, and take none.
func TestValueGone(t *testing.T) {
	h := newHub(t, options())
	m, _ := add(t, h, 1, "ann")
	m.SetValue("kept")
	if m.Value() != "kept" {
		t.Errorf("%v, want what was stored", m.Value())
	}
	h.Remove(m)
	if m.SetValue("late"); m.Value() != nil {
		t.Errorf("%v of a connection that is no member", m.Value())
	}
}

// TestLoginGarbage has a login leave nothing behind: what is allocated for a Member of a uid is the Member, the set of
// its uid, and the list in that. Garbage of the same sizes would be holes between what stays.
func TestLoginGarbage(t *testing.T) {
	kept := options()
	kept.Followers, kept.Namespaces = &recorder{}, map[string]push.Namespace{
		"default": {History: push.Retention{Size: 10}}, // of channels, and not of uids
	}
	for name, o := range map[string]push.Options[*conn]{"no history": options(), "history of channels": kept} {
		h := newHub(t, o)
		c := &conn{id: 1}
		if n := testing.AllocsPerRun(1000, func() {
			if push.UID("ann").Check() != nil {
				t.Error("the uid is wrong")
			}
			m, err := h.Add(c, "ann")
			if err != nil {
				t.Error(err)
			}
			h.Remove(m)
		}); n > 3 && !linemantest.Raced() {
			t.Errorf("%s: a login takes %v allocations, want 3", name, n)
		}
	}
}

// TestPeek walks through the connections of a Target.
func TestPeek(t *testing.T) {
	h := newHub(t, options())
	for id := range uint64(100) {
		add(t, h, id+1, "ann")
	}
	seen := make(map[uint64]bool)
	for m := range h.Peek(push.UID("ann")) {
		seen[m.Conn().ID()] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d connections, want 100", len(seen))
	}
}

// TestRemoveCost removes connections with many channels of their own: one with ten times as many takes as long as ten,
// and not as a hundred. Else one page that goes would hold the loop. What else runs adds as much to the one as to the
// ten.
func TestRemoveCost(t *testing.T) {
	remove := func(connections, channels int) time.Duration {
		var removals []func()
		for range connections {
			o := options()
			o.MaxPlaces = channels
			h := newHub(t, o)
			m, _ := add(t, h, 1, "ann")
			for n := range channels {
				if err := m.Subscribe(strconv.Itoa(n)); err != nil {
					t.Fatal(err)
				}
			}
			removals = append(removals, func() { h.Remove(m) })
		}
		began := time.Now()
		for _, remove := range removals {
			remove()
		}
		return time.Since(began)
	}
	ten, one := time.Hour, time.Hour
	for round := 0; round < 3 || round < 20 && one > 4*ten; round++ {
		ten, one = min(ten, remove(10, 2000)), min(one, remove(1, 20_000))
	}
	if one > 4*ten {
		t.Errorf("ten with 2,000 channels take %v, one with 20,000 %v", ten, one)
	}
}
