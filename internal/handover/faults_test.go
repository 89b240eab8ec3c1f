//go:build unix

package handover

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"
)

// A fault is what happens to a message.
type fault int

const (
	cut       fault = iota // who writes it dies when half of it is written
	corrupted              // a bit is another one
	doubled                // it comes twice
	pieces                 // it comes byte by byte
	late                   // it comes when somebody has given up
	before                 // who was to write it dies instead
	after                  // who has written it dies
)

var faultNames = []string{"cut", "corrupted", "doubled", "pieces", "late", "death before", "death after"}

func (f fault) String() string { return faultNames[f] }

// kills reports whether somebody dies of the fault.
func (f fault) kills() bool { return f == cut || f == before || f == after }

// do is what a middleman does with a frame.
func (f fault) do(frame []byte) action {
	switch f {
	case cut:
		return action{bytes: frame[:len(frame)/2], ends: true}
	case corrupted:
		damaged := bytes.Clone(frame)
		damaged[len(damaged)-1] ^= 1
		return action{bytes: damaged}
	case doubled:
		return action{bytes: slices.Concat(frame, frame)}
	case pieces:
		return action{bytes: frame, pieces: true}
	case late:
		return action{bytes: frame, late: true}
	case before:
		return action{ends: true}
	}
	return action{bytes: frame, ends: true}
}

// An ending is who serves in the end what was to cross.
type ending string

const (
	from   ending = "predecessor"
	to     ending = "successor"
	nobody ending = "nobody"                // who had it is dead
	either ending = "predecessor or nobody" // the successor is dead
)

// endings are those of each message, for each fault in turn.
var endings = map[kind][len("cdlpxba")]ending{
	//           cut  corrupted  doubled  pieces  late  before  after
	kindHello:   {nobody, from, from, to, from, nobody, nobody},
	kindWelcome: {from, from, from, to, from, from, from},
	kindState:   {nobody, from, from, to, from, nobody, nobody},
	kindRecord:  {nobody, from, from, to, from, nobody, nobody},
	kindEnd:     {nobody, from, from, to, from, nobody, to},
	kindRefused: {from, from, from, to, from, from, from},
	kindReady:   {from, from, to, to, from, from, either},
	kindTail:    {to, from, from, to, from, to, to},
	kindKeep:    {to, from, from, to, from, to, to},
	kindYours:   {to, from, to, to, from, to, to},
	kindMine:    {nobody, to, to, to, to, nobody, nobody},
}

const crosses, isRefused, isKept = 1, 2, 3

// scene has every kind of message, a state of two frames, and a connection of every ending.
func scene(t testing.TB) (*predecessor, *successor) {
	p, s := newPredecessor(t, 3), newSuccessor()
	p.states = []State{{"lobby", 0, make([]byte, BatchBytes+1)}}
	p.tails = map[uint64]string{crosses: "hello"}
	p.kept = []uint64{isKept}
	s.refuses = map[uint64]string{isRefused: "no such worker"}
	return p, s
}

// TestFaults has each fault happen to each message. A connection is never served by both, and by none only if somebody
// has died; and no descriptor is left.
func TestFaults(t *testing.T) {
	t.Parallel()
	m, own, other := between(t)
	p, s := scene(t)
	if o := m.transfer(t, p, s, own, other, Limits{}); o.sent != nil || o.received != nil {
		t.Fatalf("without a fault: %v, %v", o.sent, o.received)
	}
	mustLeaveNothing(t, p, s)
	for k := range endings {
		if !slices.Contains(m.down.kinds, k) && !slices.Contains(m.up.kinds, k) {
			t.Errorf("%s does not cross", k)
		}
	}
	for f := range fault(len(faultNames)) {
		for n, k := range m.down.kinds {
			t.Run(fmt.Sprintf("%s of %d %s", f, n, k), func(t *testing.T) { testFault(t, f, k, n, true) })
		}
		for n, k := range m.up.kinds {
			t.Run(fmt.Sprintf("%s of %d %s", f, n, k), func(t *testing.T) { testFault(t, f, k, n, false) })
		}
	}
}

// testFault has a fault happen to one frame.
func testFault(t *testing.T, f fault, k kind, n int, down bool) {
	t.Parallel()
	m, own, other := between(t)
	c := m.up
	if down {
		c = m.down
	}
	c.fault = func(i int, frame []byte) action {
		if i != n {
			return action{bytes: frame}
		}
		return f.do(frame)
	}
	var limits Limits
	if f == late && k != kindMine {
		limits = Limits{Start: 100 * time.Millisecond, Step: 100 * time.Millisecond}
	}
	p, s := scene(t)
	o := m.transfer(t, p, s, own, other, limits)
	oldLives, newLives := !f.kills() || !down, !f.kills() || down
	for id := range p.clients {
		old, young := oldLives && p.serves(id, o.sent), newLives && s.serves(id, o.received)
		if old && young {
			t.Errorf("both serve %d", id)
		}
		if !old && !young && !f.kills() {
			t.Errorf("nobody serves %d", id)
		}
		if id != crosses {
			continue
		}
		got := map[[2]bool]ending{{true, false}: from, {false, true}: to, {false, false}: nobody}[[2]bool{old, young}]
		want := endings[k][f]
		if got != want && (want != either || got == to) {
			t.Errorf("the %s serves, want the %s; Send: %v; Receive: %v", got, want, o.sent, o.received)
		}
	}
	mustLeaveNothing(t, p, s)
}
