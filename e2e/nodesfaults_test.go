package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// faithful is a page of level 1 that follows a channel while things break.
type faithful struct {
	*crossings
	last atomic.Int64 // number

	mu   sync.Mutex // guards the following
	got  map[int64]bool
	gaps []string // that it was told of
}

func (f *faithful) read(next func() ([]byte, error)) {
	for {
		text, err := next()
		if err != nil {
			f.complain("a page of level 1: %v", err)
			return
		}
		var frame pageFrame
		if err := json.Unmarshal(text, &frame); err != nil {
			f.complain("a page got %.100q: %v", text, err)
			return
		}
		switch n := int64(frame.Data.N); frame.Op {
		case "gap":
			f.mu.Lock()
			f.gaps = append(f.gaps, string(text))
			f.mu.Unlock()
		case "bye", "err":
			f.complain("a page was told %s", text)
		case "msg":
			if last := f.last.Swap(n); n <= last {
				f.complain("a page got %.200s behind %d", text, last)
			}
			f.mu.Lock()
			f.got[n] = true
			f.mu.Unlock()
		}
	}
}

// lacks is the first of some numbers that the page has not got; 0: it has all.
func (f *faithful) lacks(all []int64) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range all {
		if !f.got[n] {
			return n
		}
	}
	return 0
}

// toldOf are the gaps that the page was told of.
func (f *faithful) toldOf() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gaps
}

// TestNodesHandoverFaults has things break while a node over Redis is handed over, or just after it: the predecessor is
// killed, Redis is, with what it has or without. No page is disconnected, and who follows a channel gets everything
// that was published, from the history, or is told of a gap.
func TestNodesHandoverFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		redis  func(t *testing.T) *redis
		breaks func(k *crossings, r *redis, after time.Duration)
		gaps   bool // they may be told
	}{
		"the predecessor is killed": {redis: startLastingRedis, breaks: func(k *crossings, _ *redis, _ time.Duration) {
			old := k.server.serving()
			k.reload()
			_ = syscall.Kill(old, syscall.SIGKILL) // it may have gone
		}},
		"Redis is killed":                       {redis: startLastingRedis, breaks: killRedis},
		"Redis is killed, and comes back empty": {redis: startRedis, gaps: true, breaks: killRedis},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tt.redis(t)
			other := newMortalOf(t, nodesSettings, "--redis-addresses", r.addr)
			m := newMortalOf(t, nodesSettings, "--redis-addresses", r.addr)
			k := &crossings{t: t, server: m}
			all := make([]*faithful, 5)
			for i := range all {
				all[i] = &faithful{crossings: k, got: map[int64]bool{}}
				go all[i].read(texts(k.live(fmt.Sprint("live", i), "chat:1")))
			}
			plain := k.listen("plain", texts(k.plain("plain")))
			plain.mayMiss = true
			var n atomic.Int64
			stop, kept := make(chan struct{}), make(chan []int64)
			go func() { kept <- publishUntil(stop, other, &n) }()
			reaches := func(what string) {
				t.Helper()
				from := n.Load()
				linemantest.Until(t, what, func() bool {
					return k.hasComplaints() || !slices.ContainsFunc(all, func(f *faithful) bool {
						return f.last.Load() <= from+20
					})
				})
			}
			reaches("nothing is published")
			for i := range 3 {
				tt.breaks(k, r, time.Duration(i)*40*time.Millisecond)
				reaches("nothing comes any more")
			}
			close(stop)
			published := <-kept
			linemantest.Until(t, "a page of level 0 gets nothing any more", func() bool {
				last := n.Add(1)
				_, _ = askLine(other.backend, fmt.Sprintf(`{"uid":"plain","n":%d}`, last)) // it is published again
				return k.hasComplaints() || plain.has(map[string]int{"plain ": int(last)})
			})
			for _, f := range all {
				linemantest.Until(t, "a page does not get the last one", func() bool {
					return k.hasComplaints() || f.last.Load() >= published[len(published)-1]
				})
				switch lost, gaps := f.lacks(published), f.toldOf(); {
				case lost > 0 && len(gaps) == 0:
					t.Errorf("a page has not got %d, and was not told of a gap", lost)
				case len(gaps) > 0 && !tt.gaps:
					t.Errorf("a page was told %q", gaps)
				}
			}
			k.finish(nil)
			t.Logf("%d were published, in %d attempts", len(published), n.Load())
		})
	}
}

// publishUntil publishes numbers, each once, and returns those of which it is known that everybody has them. While
// somebody is away there are fewer than one may miss, which would be a gap ("limit").
func publishUntil(stop <-chan struct{}, m *mortal, n *atomic.Int64) (kept []int64) {
	for {
		select {
		case <-stop:
			return kept
		default:
		}
		next := n.Add(1)
		answer, err := askLine(m.backend, fmt.Sprintf(`{"cmd":"pub","to":"chat:1","data":{"n":%d}}`, next))
		var a reply
		if err == nil && json.Unmarshal([]byte(answer), &a) == nil && a.OK && !a.Incomplete {
			kept = append(kept, next)
			continue
		}
		<-time.After(50 * time.Millisecond)
	}
}

// killRedis has Redis be killed, and start again, some time after a reload has begun. That may not succeed then.
func killRedis(k *crossings, r *redis, after time.Duration) {
	done := make(chan string, 1)
	go func() {
		out, err := tryIn(k.t, k.server.folder, "", filepath.Join(binaries, "lineman"), "reload")
		done <- fmt.Sprint(out, err)
	}()
	<-time.After(after) // at different steps of it
	r.kill()
	r.start()
	k.t.Logf("reload says %s", <-done)
}
