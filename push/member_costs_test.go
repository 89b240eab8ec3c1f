package push_test

import (
	"strconv"
	"testing"
	"time"

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
