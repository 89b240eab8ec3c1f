package push_test

import (
	"math"
	"strconv"
	"testing"
	"time"
)

// TestRemoveCost removes connections with many channels of their own: ten times as many take ten times as long, and not
// a hundred times. Else one page that goes would hold the loop.
func TestRemoveCost(t *testing.T) {
	remove := func(channels int) time.Duration {
		least := time.Duration(math.MaxInt64)
		for range 5 { // what else runs on the machine can only add to it
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
			least = min(least, time.Since(began))
		}
		return least
	}
	if few, many := remove(2000), remove(20_000); many > 40*few {
		t.Errorf("with 2,000 channels it takes %v, with 20,000 %v", few, many)
	}
}
