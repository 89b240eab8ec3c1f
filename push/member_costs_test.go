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

// TestRemoveCost removes connections with many channels of their own: ten times as many take ten times as long, and not
// a hundred times. Else one page that goes would hold the loop.
func TestRemoveCost(t *testing.T) {
	remove := func(channels int) time.Duration {
		o := options()
		o.MaxPlaces = channels
		h := newHub(t, o)
		m, _ := add(t, h, 1, "ann")
		for n := range channels {
			if err := m.Subscribe(strconv.Itoa(n)); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		h.Remove(m)
		return time.Since(began)
	}
	few, many := time.Hour, time.Hour
	for round := 0; round < 3 || round < 20 && many > 40*few; round++ { // what else runs can only add to a time
		few, many = min(few, remove(2000)), min(many, remove(20_000))
	}
	if many > 40*few {
		t.Errorf("with 2,000 channels it takes %v, with 20,000 %v", few, many)
	}
}
