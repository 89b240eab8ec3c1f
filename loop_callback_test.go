package lineman_test

import (
	"testing"
	"time"

	"github.com/lineman-go/lineman"
)

// TestSlowNamed has one of the callbacks at the end of a connection be slow, which follow each other in one event: the
// log names that one, whichever ran last before.
func TestSlowNamed(t *testing.T) {
	for _, slow := range []string{"OnClosing", "OnClose", "OnGone"} {
		t.Run(slow, func(t *testing.T) {
			log := &journal{}
			var now *clock
			gone := make(chan bool)
			second := false
			run := func(name string) {
				if second && name == slow {
					now.mu.Lock()
					now.ahead += 150 * time.Millisecond
					now.mu.Unlock()
				}
			}
			w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: log.logger()}
			w.OnClosing = func(*lineman.Conn) { run("OnClosing") }
			w.OnClose = func(*lineman.Conn, error) { run("OnClose") }
			w.OnGone = func(*lineman.Conn) {
				run("OnGone")
				gone <- true
			}
			s, jumping := startByClock(t, w)
			now = jumping
			for range 2 { // the first end makes OnGone the callback that ran last
				c := s.Connect(w)
				c.CloseWrite()
				next(t, gone, "the end")
				s.Do(w, func(*lineman.Loop) { second = true })
				c.Close()
			}
			if log.count("slow callback") != 1 || log.count("callback="+slow+" ") != 1 {
				t.Errorf("the log does not name it: %s", log)
			}
		})
	}
}
