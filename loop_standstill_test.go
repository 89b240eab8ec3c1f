package lineman_test

import (
	"context"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// startInNoTime starts workers for which no time passes.
func startInNoTime(t *testing.T, workers ...*lineman.Worker) *linemantest.Server {
	t.Helper()
	now := time.Now()
	return linemantest.StartBy(t, func(ctx context.Context, workers ...*lineman.Worker) error {
		return lineman.RunByClock(ctx, func() time.Time { return now }, workers...)
	}, workers...)
}

// TestStandstillLeavesNothing has three loops pass values on to each other when they are told to stand still: all of
// them have arrived, and what they have caused, when they do. What the loops own is read without a lock then, and
// changed by them afterwards: the race detector looks on.
func TestStandstillLeavesNothing(t *testing.T) {
	const loops, values, hops = 3, 50, 20
	var passed lineman.Bus[int]
	received := make([]int, loops) // each element is of one loop
	all := make([]*lineman.Loop, loops)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Loops: loops, PerLoop: func(w *lineman.Worker) {
		w.OnStart = func(l *lineman.Loop) error {
			all[l.Index()] = l
			passed.Join(l, func(hop int) {
				received[l.Index()]++
				if hop > 0 && hop%loops == l.Index() {
					passed.Publish(hop - 1)
				}
			})
			return nil
		}
	}}
	s := startInNoTime(t, w)
	for round := range 10 {
		for range values {
			passed.Publish(hops)
		}
		thaw := lineman.StandStill(all...)
		for i, n := range received {
			if want := (round + 1) * values * (hops + 1); n != want {
				t.Errorf("round %d: loop %d has received %d values, want %d", round, i, n, want)
			}
			if all[i].HasWork() {
				t.Errorf("round %d: loop %d has something to do", round, i)
			}
		}
		thaw()
	}
	s.DoEach(w, func(*lineman.Loop) {})
}

// TestStandstillWrites has what callbacks have sent with the kernel, and their connections told what follows, when the
// loop stands still.
func TestStandstillWrites(t *testing.T) {
	var loop *lineman.Loop
	closed := 0
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnStart = func(l *lineman.Loop) error { loop = l; return nil }
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		_ = c.Send(msg)
		c.Do(func() { c.Do(func() { c.Abort() }) })
		c.Loop().Do(func() {}) // stands behind the request to stand still, or before it
	}
	w.OnClose = func(*lineman.Conn, error) { closed++ }
	s := startInNoTime(t, w)
	c := s.Dial(w)
	c.Send("x")
	linemantest.Until(t, "the message did not come", func() (came bool) {
		s.Do(w, func(l *lineman.Loop) { came = l.Stats().MessagesIn > 0 })
		return came
	})
	thaw := lineman.StandStill(loop)
	if closed != 1 {
		t.Errorf("OnClose has run %d times", closed)
	}
	thaw()
}

// TestStandstillEnds has a loop that gets something to do without end stand still nevertheless.
func TestStandstillEnds(t *testing.T) {
	var loop *lineman.Loop
	turns := 0
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnStart = func(l *lineman.Loop) error {
		loop = l
		var again func()
		again = func() { turns++; l.Do(again) }
		again()
		return nil
	}
	startInNoTime(t, w)
	thaw := lineman.StandStill(loop)
	before := turns
	thaw()
	linemantest.Until(t, "the loop does not go on", func() bool {
		thaw := lineman.StandStill(loop)
		defer thaw()
		return turns > before
	})
}
