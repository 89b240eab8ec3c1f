package simulation

import (
	"cmp"
	"container/heap"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// world is the time and the chance of a simulation: what happens, happens one after the other, in an order that the
// seed says. It runs in a bubble of synctest, so that clocks show the time of the world.
type world struct {
	t      *testing.T
	seed   uint64
	random *rand.Rand
	odds   *rand.Rand // what a network alone draws: the seeds of others are not changed by it
	events events
	number int // of the last event
	trace  uint64
	lines  []string // the newest steps, for a failure
}

// event is something that happens at an instant.
type event struct {
	at     time.Time
	number int
	run    func()
}

// events are those to come, the next one first.
type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, k int) bool {
	return cmp.Or(e[i].at.Compare(e[k].at), cmp.Compare(e[i].number, e[k].number)) < 0
}
func (e events) Swap(i, k int) { e[i], e[k] = e[k], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	all := *e
	last := all[len(all)-1]
	all[len(all)-1] = event{}
	*e = all[:len(all)-1]
	return last
}

func newWorld(t *testing.T, seed uint64) *world {
	return &world{
		t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 0x11e3a2)), odds: rand.New(rand.NewPCG(seed, 0x5eed)),
	}
}

// after has something happen after a time.
func (w *world) after(d time.Duration, run func()) { w.at(time.Now().Add(d), run) }

func (w *world) at(at time.Time, run func()) {
	w.number++
	heap.Push(&w.events, event{at, w.number, run})
}

// run lets time pass until an instant.
func (w *world) run(until time.Time) {
	for len(w.events) > 0 && !w.events[0].at.After(until) {
		next := heap.Pop(&w.events).(event)
		time.Sleep(time.Until(next.at))
		next.run()
		synctest.Wait() // what has begun on another goroutine ends, or waits
	}
	time.Sleep(time.Until(until))
}

// between draws a time.
func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.random.Int64N(int64(most-least)+1))
}

// chance is true once in so many times.
func (w *world) chance(in int) bool { return w.random.IntN(in) == 0 }

// soon draws a time from the odds.
func (w *world) soon(most time.Duration) time.Duration {
	return time.Duration(w.odds.Int64N(int64(most) + 1))
}

// maxLines is how many steps a failure shows.
const maxLines = 400

// note writes a step down. Runs of one seed have the same steps.
func (w *world) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	h := fnv.New64a()
	fmt.Fprint(h, w.trace, line)
	w.trace = h.Sum64()
	if w.lines = append(w.lines, line); len(w.lines) > 2*maxLines {
		w.lines = append(w.lines[:0], w.lines[len(w.lines)-maxLines:]...)
	}
}

// fail ends the simulation with what is wrong.
func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.lines[max(0, len(w.lines)-maxLines):] {
		w.t.Log(line)
	}
	w.t.Fatalf("seed %d: %s", w.seed, fmt.Sprintf(format, args...))
}

// wire carries things in their order, each after a while, until it is cut: what is under way then is lost.
type wire struct {
	world *world
	last  time.Time // when the last one arrives
	slow  time.Duration
	cut   *bool
}

func newWire(w *world, slow time.Duration) *wire { return &wire{world: w, slow: slow, cut: new(bool)} }

// carry has something arrive.
func (l *wire) carry(arrive func()) {
	at := time.Now().Add(l.world.between(0, l.slow))
	if at.Before(l.last) {
		at = l.last
	}
	l.last = at
	cut := l.cut
	l.world.at(at, func() {
		if !*cut {
			arrive()
		}
	})
}

// lose loses what is under way.
func (l *wire) lose() {
	*l.cut = true
	l.cut, l.last = new(bool), time.Time{}
}
