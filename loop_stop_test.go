package lineman_test

import (
	"context"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestGoodbyesInTurns says goodbye to many connections, each of which takes a millisecond: one tick says only some of
// them, and what is ready comes between.
func TestGoodbyesInTurns(t *testing.T) {
	const conns, most = 60, 10 // in a tick: four when it is due, and four that the last one has left
	for _, how := range []string{"leave", "stop"} {
		t.Run(how, func(t *testing.T) {
			var now *clock
			ticks, all, told := 0, 0, map[int]int{} // goodbyes, and these by tick
			w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet, Events: lineman.Events{OnMessage: echo}}
			w.OnClosing = func(*lineman.Conn) {
				told[ticks]++
				all++
				now.mu.Lock()
				now.ahead += time.Millisecond
				now.mu.Unlock()
			}
			s, jumping, end := startLeaver(t, w)
			now = jumping
			clients := make([]*linemantest.Client, conns)
			for i := range clients {
				clients[i] = s.Dial(w)
				clients[i].Send("here")
				clients[i].Receive()
			}
			s.Do(w, func(l *lineman.Loop) {
				var count func()
				count = func() {
					if ticks++; all < conns { // who asks for ever keeps a loop from its end
						l.Do(count)
					}
				}
				count()
			})
			if how == "leave" {
				s.Do(w, func(l *lineman.Loop) { l.Leave(0, 20*second, false) })
				now.jump(s, w, 2*second)
			} else {
				go func() { _ = s.Stop() }()
			}
			for _, c := range clients {
				goneBy(t, c, "it")
				c.Close()
			}
			end()
			largest := 0
			for _, n := range told {
				largest = max(largest, n)
			}
			if all != conns || largest > most {
				t.Errorf("%d goodbyes, %d of them in one tick, want %d and at most %d", all, largest, conns, most)
			}
		})
	}
}

// TestGo has a loop go on while something is done beside it, and not be over before that is.
func TestGo(t *testing.T) {
	linemantest.NoLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	w := &lineman.Worker{Name: "w", Logger: quiet}
	w.OnStart = func(*lineman.Loop) error { cancel(); return nil }
	went, done := make(chan struct{}), false
	w.OnStop = func(l *lineman.Loop) {
		l.Go(func() {
			<-went
			<-time.After(50 * time.Millisecond) // the loop has ended meanwhile, but for this
			done = true
		})
		l.Do(func() { close(went) })
	}
	if err := lineman.Run(ctx, w); err != nil || !done {
		t.Errorf("it was over before what it waits for: %v, %v", done, err)
	}
}
