package wheel_test

import (
	"cmp"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/lineman-go/lineman/internal/wheel"
)

// call is one call of check, and an entry of the reference.
type call struct {
	id  int32
	due uint32
	on  uint32 // the tick at which it is to happen
}

// reference does what a wheel does, with a plain list.
type reference struct {
	now     uint32
	entries []call
}

func (r *reference) schedule(id int32, at uint32) {
	on := at
	if int32(at-r.now) <= 0 {
		on = r.now + 1
	}
	r.entries = append(r.entries, call{id, at, on})
}

// advance returns what is due by a tick, in order.
func (r *reference) advance(to uint32) (due []call) {
	if int32(to-r.now) <= 0 {
		return nil
	}
	r.now = to
	r.entries = slices.DeleteFunc(r.entries, func(e call) bool {
		if int32(e.on-to) > 0 {
			return false
		}
		due = append(due, e)
		return true
	})
	slices.SortFunc(due, inOrder)
	return due
}

func inOrder(a, b call) int {
	return cmp.Or(cmp.Compare(int32(a.on-b.on), 0), cmp.Compare(a.id, b.id), cmp.Compare(a.due, b.due))
}

// earliest is the first tick at which something is due.
func (r *reference) earliest() (tick uint32, ok bool) {
	for _, e := range r.entries {
		if !ok || int32(e.on-tick) < 0 {
			tick, ok = e.on, true
		}
	}
	return tick, ok
}

// advance moves a wheel on and returns the calls, each tick's in a fixed order: a wheel promises none.
func advance(w *wheel.Wheel, to uint32) (calls []call) {
	w.Advance(to, func(id int32, due uint32) { calls = append(calls, call{id, due, w.Now()}) })
	if !slices.IsSortedFunc(calls, func(a, b call) int { return cmp.Compare(int32(a.on-b.on), 0) }) {
		panic("calls are not in the order of ticks")
	}
	slices.SortStableFunc(calls, inOrder)
	return calls
}

// at is a wheel and its reference at some tick, which an empty wheel reaches at once.
func at(slots int, tick uint32) (*wheel.Wheel, *reference) {
	w := wheel.New(slots)
	w.Advance(tick/2, nil) // no more than 2^31 at a time is the future
	w.Advance(tick, nil)
	return w, &reference{now: tick}
}

func TestAgainstReference(t *testing.T) {
	for name, c := range map[string]struct {
		slots int
		start uint32
		reach int // how far ahead entries are made
	}{
		"within one turn":      {256, 0, 200},
		"many turns":           {16, 0, 1000},
		"one slot":             {1, 0, 20},
		"at the wrap of ticks": {64, 1<<32 - 500, 300},
		"at the sign of ticks": {64, 1<<31 - 500, 300},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(c.slots)))
			w, ref := at(c.slots, c.start)
			for step := range 3000 {
				for range random.IntN(4) {
					id := random.Int32N(50)
					tick := w.Now() + uint32(random.IntN(c.reach)) - 10 // a few have passed
					w.Schedule(id, tick)
					ref.schedule(id, tick)
				}
				checkNext(t, w, ref, c.slots)
				to := w.Now() + uint32(random.IntN(8)) - 1 // one in eight goes back, and does nothing
				got, want := advance(w, to), ref.advance(to)
				if !slices.Equal(got, want) {
					t.Fatalf("step %d, to tick %d:\n got %v\nwant %v", step, to, got, want)
				}
				if w.Now() != ref.now {
					t.Fatalf("step %d: at tick %d, want %d", step, w.Now(), ref.now)
				}
			}
			to := w.Now() + uint32(c.reach)
			if got, want := advance(w, to), ref.advance(to); len(want) == 0 || !slices.Equal(got, want) {
				t.Fatalf("the rest:\n got %v\nwant %v", got, want)
			}
			if tick, ok := w.Next(); ok {
				t.Errorf("an empty wheel is to look at tick %d", tick)
			}
		})
	}
}

// checkNext wants Next never to be late, and exact when nothing lies beyond one turn.
func checkNext(t *testing.T, w *wheel.Wheel, ref *reference, slots int) {
	t.Helper()
	got, ok := w.Next()
	earliest, some := ref.earliest()
	if ok != some {
		t.Fatalf("Next says %v with %d entries", ok, len(ref.entries))
	}
	if !ok {
		return
	}
	if int32(got-w.Now()) <= 0 || int32(got-earliest) > 0 {
		t.Fatalf("at tick %d Next is %d, the earliest entry %d", w.Now(), got, earliest)
	}
	beyond := slices.ContainsFunc(ref.entries, func(e call) bool { return int(e.on-w.Now()) > slots })
	if !beyond && got != earliest {
		t.Fatalf("Next is %d, want exactly %d", got, earliest)
	}
}

// TestScheduleInCheck has an entry made in check looked at by the same Advance if it is due by then, else later.
func TestScheduleInCheck(t *testing.T) {
	for name, c := range map[string]struct {
		ahead int32  // of the entry made at tick 3
		on    uint32 // when it is looked at, by Advance(10) and then Advance(100)
	}{
		"passed":               {-2, 4},
		"now":                  {0, 4},
		"within this Advance":  {5, 8},
		"in the same slot":     {8, 11},
		"a turn later":         {16, 19},
		"at the Advance's end": {7, 10},
	} {
		t.Run(name, func(t *testing.T) {
			w := wheel.New(8)
			w.Schedule(1, 3)
			var on []uint32
			look := func(id int32, due uint32) {
				on = append(on, w.Now())
				if id == 1 {
					w.Schedule(2, uint32(int32(due)+c.ahead))
				}
			}
			w.Advance(10, look)
			if early := len(on) == 2; early != (c.on <= 10) {
				t.Errorf("after Advance(10) it was looked at on %v", on)
			}
			w.Advance(100, look)
			if !slices.Equal(on, []uint32{3, c.on}) {
				t.Errorf("looked at on %v, want 3 and %d", on, c.on)
			}
		})
	}
}

// TestManyInCheck has one check make several entries for a later turn of the very slot that is being handled.
func TestManyInCheck(t *testing.T) {
	w := wheel.New(8)
	for id := range int32(3) {
		w.Schedule(id, 3)
	}
	calls := advance(w, 3)
	if len(calls) != 3 {
		t.Fatalf("got %v", calls)
	}
	for id := range int32(3) {
		w.Schedule(id, 11)
	}
	var ids []int32
	w.Advance(11, func(id int32, _ uint32) {
		ids = append(ids, id)
		for i := range int32(4) {
			w.Schedule(100+10*id+i, 19)
		}
	})
	for _, c := range advance(w, 19) {
		ids = append(ids, c.id)
	}
	if want := []int32{0, 1, 2, 100, 101, 102, 103, 110, 111, 112, 113, 120, 121, 122, 123}; !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
}

// TestEmptyMovesAtOnce would take hours if an empty wheel went tick by tick.
func TestEmptyMovesAtOnce(t *testing.T) {
	w := wheel.New(8)
	for i := range 1000 {
		w.Schedule(1, w.Now()+1)
		if calls := advance(w, w.Now()+1<<31-1); len(calls) != 1 {
			t.Fatalf("jump %d: got %v", i, calls)
		}
	}
}

func TestSlotsMustBePowerOfTwo(t *testing.T) {
	for _, slots := range []int{-4, 0, 3, 12, 100} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("New(%d) did not panic", slots)
				}
			}()
			wheel.New(slots)
		}()
	}
}

// steady is the use that a loop makes of a wheel: every entry, when it comes round, is scheduled again.
func steady(w *wheel.Wheel, entries int) func() {
	for i := range entries {
		w.Schedule(int32(i), uint32(1+i%100))
	}
	look := func(id int32, due uint32) { w.Schedule(id, due+100) }
	return func() { w.Advance(w.Now()+1, look) }
}

// TestAllocations has a wheel that turns allocate nothing, with few entries in a slot and with thousands.
func TestAllocations(t *testing.T) {
	for _, entries := range []int{1000, 100_000} {
		w := wheel.New(128)
		turn := steady(w, entries)
		for range 1000 {
			turn() // every slot gets its memory
		}
		if n := testing.AllocsPerRun(1000, turn); n != 0 {
			t.Errorf("%v allocations a tick with %d entries, want 0", n, entries)
		}
	}
}

// TestGivesBack has a wheel that was full for once keep little of its memory.
func TestGivesBack(t *testing.T) {
	const entries = 1_000_000
	w := wheel.New(128)
	before := heap()
	for i := range entries {
		w.Schedule(int32(i), uint32(1+i%100))
	}
	full := heap() - before
	w.Advance(200, func(int32, uint32) {})
	if kept := heap() - before; full < 8*entries || kept > full/100 {
		t.Errorf("%d bytes when it was full, %d when it was empty", full, kept)
	}
	runtime.KeepAlive(w)
}

// heap is how many bytes are in use.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func BenchmarkTick(b *testing.B) {
	turn := steady(wheel.New(512), 10_000)
	b.ReportAllocs()
	for range b.N {
		turn()
	}
}
