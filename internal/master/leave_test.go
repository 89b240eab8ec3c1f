//go:build unix

package master

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// relaying has the processes of a trial relay so many connections when they have left, and not end by themselves.
func (t *trial) relaying(count *atomic.Int64) {
	t.next(func(f *fake) {
		f.deaf = true
		f.heartbeat = func() channel.Heartbeat { return channel.Heartbeat{Relays: int(count.Load())} }
	})
}

// endedAfter is how long the process of a pid goes on, to the second, or an hour and more.
func (t *trial) endedAfter(pid int, most time.Duration) time.Duration {
	began := time.Now()
	select {
	case <-t.process(pid).exited:
	case <-time.After(most):
	}
	return time.Since(began).Round(time.Second)
}

// TestRelay has a predecessor that relays stay, until its last relay has ended and some time for its own end, or until
// the limit for that: then it is told to end, and killed if it does not.
func TestRelay(t *testing.T) {
	for _, c := range []struct {
		name  string
		until time.Duration // that it relays; 0: not at all
		limit time.Duration
		took  time.Duration
		told  int // to stop
	}{
		{"nothing", 0, time.Hour, 2 * time.Second, 0},
		{"for a while", 10 * time.Minute, time.Hour, 10*time.Minute + 2*time.Second, 0},
		{"for too long", 2 * time.Hour, time.Hour, time.Hour + 5*time.Second, 1},
		{"without a limit", 2 * time.Hour, -1, 2*time.Hour + 2*time.Second, 0},
	} {
		try(t, one(), func(t *trial) {
			t.s.config.Relay = c.limit
			var relays atomic.Int64
			t.relaying(&relays)
			t.start()
			stops := 0
			t.change(1, op(channel.Stop, func(*fake) error { stops++; return nil }))
			t.reload()
			parts := 0
			t.change(2, op(channel.Part, func(*fake) error { parts++; return nil }))
			if c.until > 0 {
				relays.Store(3)
				time.AfterFunc(c.until, func() { relays.Store(0) })
			}
			took := t.endedAfter(1, 3*time.Hour)
			if late := took - c.took; late < 0 || late > 2*time.Second || stops != c.told || parts != c.told {
				t.Errorf("%s: it ended after %v, want %v, and was told %d times, its successor %d times", c.name, took,
					c.took, stops, parts)
			}
			if got := t.serving()["a/0"]; got != 2 {
				t.Errorf("%s: pid %d serves", c.name, got)
			}
		})
	}
}

// TestRelayMost has the oldest process that relays end when there are more than may be; those of other slots do not
// count.
func TestRelayMost(t *testing.T) {
	try(t, []channel.Worker{{Name: "a", Count: 2}}, func(t *trial) {
		t.s.config.Relay, t.s.config.Relays = time.Hour, 2
		var relays atomic.Int64
		relays.Store(3)
		t.relaying(&relays)
		t.start()
		for range 3 { // of each slot
			t.relaying(&relays)
			t.reload()
			time.Sleep(10 * time.Second)
		}
		for pid, ends := range map[int]bool{1: true, 2: true, 3: false, 4: false, 5: false, 6: false} {
			select {
			case <-t.process(pid).exited:
				if !ends {
					t.Errorf("process %d has ended", pid)
				}
			case <-time.After(20 * time.Second):
				if ends {
					t.Errorf("process %d goes on", pid)
				}
			}
		}
		if n := t.logged("relays 3 connections, and 2 processes after it relay, too"); n != 2 {
			t.Errorf("it is told %d times: %s", n, t.log.String())
		}
	})
}

// TestRelayEnds has a predecessor end with its last relay, which nobody says.
func TestRelayEnds(t *testing.T) {
	try(t, one(), func(t *trial) {
		var relays atomic.Int64
		relays.Store(1)
		t.relaying(&relays)
		t.start()
		t.reload()
		time.Sleep(time.Minute)
		if got := t.stateOf(1); got != "leaving" {
			t.Fatalf("it is %s", got)
		}
		t.process(1).exit(Status{})
		if t.logged("level=WARN")+t.logged("level=ERROR") != 0 {
			t.Errorf("the log: %s", t.log.String())
		}
	})
}

// TestRelayHangs kills a predecessor that relays and stands still, as one that serves.
func TestRelayHangs(t *testing.T) {
	try(t, one(), func(t *trial) {
		var relays atomic.Int64
		relays.Store(1)
		t.relaying(&relays)
		t.start()
		t.reload()
		time.Sleep(10 * time.Second)
		t.change(1, op(channel.Beat, never))
		if took := t.endedAfter(1, time.Hour); took < time.Minute || took > 70*time.Second {
			t.Errorf("it ended after %v", took)
		}
		if t.logged("it is killed, and the connections that it relays end") != 1 || t.serving()["a/0"] != 2 {
			t.Errorf("the log: %s", t.log.String())
		}
	})
}

// TestRelayStop has no relay hold a stop up.
func TestRelayStop(t *testing.T) {
	try(t, one(), func(t *trial) {
		var relays atomic.Int64
		relays.Store(1)
		t.relaying(&relays)
		t.start()
		t.reload()
		time.Sleep(time.Minute)
		began := time.Now()
		t.s.Stop(Prompt)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the stop took %v", took)
		}
	})
}

// TestRelayHanded knows of relays by the answer to Hand, where no heartbeat tells: the process answers none in time.
func TestRelayHanded(t *testing.T) {
	try(t, one(), func(t *trial) {
		t.next(able)
		t.next(func(f *fake) { f.deaf, f.handed.Relays = true, 2 })
		t.start()
		t.change(1, op(channel.Leave, func(f *fake) error {
			f.machine.mu.Lock()
			f.answers[channel.Beat] = never
			f.machine.mu.Unlock()
			return nil
		}))
		t.reload()
		if took := t.endedAfter(1, time.Hour); took < time.Minute {
			t.Errorf("it ended after %v", took)
		}
	})
}
