//go:build unix

package master

import (
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// lends is a process that lends connections, and borrows them.
func lends(f *fake) {
	able(f)
	f.handover = lendsFrom
}

// TestLend has a predecessor lend before it stands still. Whatever becomes of that, the connections cross, and it takes
// no longer than its limits.
func TestLend(t *testing.T) {
	const most = lendTime + callTime
	for _, c := range []struct {
		name        string
		lend, takes func(*fake) error // of the predecessor, of the successor
		took        time.Duration
	}{
		{"both", obey, obey, 0},
		{"both are slow", after(time.Second, obey), after(time.Second, obey), time.Second},
		{"it lends nothing", refuse, refuse, 0},
		{"it is borrowed by nobody", after(time.Second, refuse), refuse, time.Second},
		{"the predecessor is silent", never, refuse, most},
		{"the successor is silent", refuse, never, most},
		{"both are silent", never, never, most},
	} {
		try(t, one(), func(t *trial) {
			t.next(lends)
			t.next(op(channel.Lend, c.lend))
			t.start()
			t.next(op(channel.Borrow, c.takes))
			began := time.Now()
			r, err := t.s.Reload(t.image(), Manner{}, noHook)
			if err != nil || r.Kept() != 7 || t.serving()["a/0"] != 2 {
				t.Errorf("%s: %v serve, %+v, %v", c.name, t.serving(), r, err)
			}
			if took := time.Since(began); took != c.took {
				t.Errorf("%s: it took %v, want %v", c.name, took, c.took)
			}
			seen := t.seen()
			if lent := slices.Index(seen, "lend a/0 1"); lent > slices.Index(seen, "freeze a/0 1") {
				t.Errorf("%s: asked were %q", c.name, seen)
			}
		})
	}
}

// TestLendMany has who lends many connections take longer for it.
func TestLendMany(t *testing.T) {
	const conns = 1_000_000
	try(t, one(), func(t *trial) {
		t.next(lends)
		t.next(op(channel.Lend, never))
		t.start()
		t.next(op(channel.Borrow, refuse))
		p := t.s.slots()[0].serves()
		p.mu.Lock()
		p.heartbeat.Conns = conns
		p.mu.Unlock()
		began := time.Now()
		if _, err := t.s.Reload(t.image(), Manner{}, noHook); err != nil {
			t.Error(err)
		}
		if took, most := time.Since(began), lendTime+conns*lendEach+callTime; took != most {
			t.Errorf("it took %v, want %v", took, most)
		}
	})
}

// TestLendDies has a process die while it lends or borrows. A successor that has died ends the reload, a predecessor
// does not.
func TestLendDies(t *testing.T) {
	for _, ofOld := range []bool{true, false} {
		try(t, one(), func(t *trial) {
			t.next(lends)
			if ofOld {
				t.next(op(channel.Lend, perish))
			}
			t.start()
			t.next(lends)
			if !ofOld {
				t.next(op(channel.Borrow, perish))
			}
			r, err := t.s.Reload(t.image(), Manner{}, noHook)
			switch {
			case ofOld && (err != nil || r.Slots[0].Drains != NobodyIs):
				t.Errorf("the predecessor has died: %+v, %v", r, err)
			case !ofOld && (err == nil || t.serving()["a/0"] != 1):
				t.Errorf("the successor has died: %v serve, %v", t.serving(), err)
			}
		})
	}
}

// TestLendNot lends nothing to or by a program of before, nor where nothing crosses, nor without a pair.
func TestLendNot(t *testing.T) {
	for _, c := range []struct {
		old, next int
		how       Manner
	}{{lendsFrom - 1, lendsFrom, Manner{}}, {lendsFrom, lendsFrom, Manner{Drain: true}}} {
		try(t, one(), func(t *trial) {
			t.next(able)
			t.next(func(f *fake) { f.handover = c.old })
			t.start()
			t.next(func(f *fake) { f.handover = c.next })
			if _, err := t.s.Reload(t.image(), c.how, noHook); err != nil {
				t.Error(err)
			}
			if seen := t.seen(); slices.Contains(seen, "lend a/0 1") || slices.Contains(seen, "borrow a/0 2") {
				t.Errorf("%+v: asked were %q", c, seen)
			}
		})
	}
}
