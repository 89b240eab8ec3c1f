//go:build unix

package master

import (
	"maps"
	"testing"
	"testing/synctest"

	"github.com/lineman-go/lineman/internal/channel"
)

// TestTurns has a reload come to a slot in the instant in which its keeper has put another process there: that one
// leaves, like any predecessor.
func TestTurns(t *testing.T) {
	for name, replace := range map[string]func(t *trial){
		"recycled":  func(t *trial) { t.recycle("a/0") },
		"restarted": func(t *trial) { t.kill("a/0") },
	} {
		try(t, two(1), func(t *trial) {
			t.start()
			plain := t.behave
			for range 200 { // the instant is short
				before := t.serving()
				slow := make(chan struct{})
				t.behaveLike(plain, op(channel.Start, func(*fake) error { <-slow; return nil }))
				replace(t)
				synctest.Wait()
				t.behaveLike(plain)
				reloaded := make(chan error)
				go func() { reloaded <- t.tryReload() }()
				synctest.Wait() // it waits for its turn
				close(slow)
				if err := <-reloaded; err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				after := t.serving()
				maps.DeleteFunc(before, func(name string, pid int) bool { return after[name] != pid })
				if len(after) != 2 || len(before) > 0 || t.Failed() {
					t.Fatalf("%s: %v serve, of them before: %v", name, after, before)
				}
			}
		})
	}
}
