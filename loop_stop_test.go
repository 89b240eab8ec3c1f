package lineman_test

import (
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
			ticks, told := 0, map[int]int{} // goodbyes by tick
			w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet, Events: lineman.Events{OnMessage: echo}}
			w.OnClosing = func(*lineman.Conn) {
				told[ticks]++
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
					ticks++
					l.Do(count)
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
			all, largest := 0, 0
			for _, n := range told {
				all, largest = all+n, max(largest, n)
			}
			if all != conns || largest > most {
				t.Errorf("%d goodbyes, %d of them in one tick, want %d and at most %d", all, largest, conns, most)
			}
		})
	}
}
