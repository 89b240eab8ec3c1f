//go:build linux

package main

import (
	"errors"
	"testing"
	"time"
)

const near = 60 * time.Nanosecond

var usual = tolerance{foreign: mostForeign, trip: farApart}

func TestDisturbance(t *testing.T) {
	for _, c := range []struct {
		name string
		disturbance
		isBad bool
		says  string
	}{
		{"quiet", disturbance{foreign: 3, trip: near}, false, ""},
		{"as much as may be", disturbance{foreign: mostForeign, trip: farApart}, false, ""},
		{"not known how near", disturbance{foreign: 3}, false, ""},
		{"other work", disturbance{foreign: 14.2, trip: near}, true, "disturbed, 14 %"},
		{"another die", disturbance{trip: 320}, true, "cores far apart, 320 ns"},
		{"both", disturbance{foreign: 9, trip: 320}, true, "disturbed, 9 %; cores far apart, 320 ns"},
	} {
		if bad := usual.exceeded(c.disturbance) > 1; bad != c.isBad || usual.note(c.disturbance) != c.says {
			t.Errorf("%s: %v, %q; want %v, %q", c.name, bad, usual.note(c.disturbance), c.isBad, c.says)
		}
	}
}

// TestSteadily has a run that is disturbed measured again, but not for ever, and the least disturbed one count.
func TestSteadily(t *testing.T) {
	quiet, busy, busier := disturbance{foreign: 1}, disturbance{foreign: 20}, disturbance{foreign: 40}
	far := disturbance{trip: 400}
	for _, c := range []struct {
		name string
		runs []disturbance
		want int // which of them counts
		made int // how many there were
	}{
		{"at once", []disturbance{quiet, busy}, 0, 1},
		{"then", []disturbance{busy, quiet}, 1, 2},
		{"never", []disturbance{busier, busy, busier, quiet}, 1, 3},
		{"busy rather than far apart", []disturbance{far, busier, far}, 1, 3},
	} {
		made := 0
		figures, d, err := usual.steadily(2, func() ([]float64, disturbance, error) {
			made++
			return []float64{float64(made - 1)}, c.runs[made-1], nil
		})
		if err != nil || int(figures[0]) != c.want || d != c.runs[c.want] || made != c.made {
			t.Errorf("%s: run %v of %d, %v, %v; want run %d of %d", c.name, figures, made, d, err, c.want, c.made)
		}
	}
}

func TestSteadilyFails(t *testing.T) {
	want := errors.New("gone")
	made := 0
	_, _, err := usual.steadily(2, func() ([]float64, disturbance, error) {
		made++
		return nil, disturbance{foreign: 50}, want
	})
	if err != want || made != 1 {
		t.Errorf("%v after %d runs; want %v after one", err, made, want)
	}
}

func TestTypical(t *testing.T) {
	d := usual.typical([]disturbance{{foreign: 90}, {foreign: 2}, {foreign: 5}})
	if d.foreign != 5 {
		t.Errorf("%v, want the round in the middle", d)
	}
}

func TestBusyTime(t *testing.T) {
	const stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 100 1 20 5000 7 3 4 5 0 0\ncpu10 1 1 1 1 1 1 1 1 1 1\n"
	busy, err := busyTime([]byte(stat), 0)
	if err != nil || busy != 133*clockTick {
		t.Errorf("%v, %v; want 133 ticks: not those idle or waiting for a disk", busy, err)
	}
	if _, err := busyTime([]byte(stat), 1); err == nil {
		t.Error("a core that is not there is busy")
	}
}

func TestParseProcess(t *testing.T) {
	const stat = "4711 (a (b) c) S 17 4711 4711 0 -1 4194304 100 0 0 0 250 50 7 8 20 0 1 0 100 1 1"
	p, err := parseProcess(stat)
	if want := (process{4711, 17, "a (b) c", 3 * time.Second}); err != nil || p != want {
		t.Errorf("%+v, %v; want %+v", p, err, want)
	}
	for _, bad := range []string{"", "1", "1 (x", ") 1 (", "1 (x) S 2", "1 (x) S y 3 4 5 6 7 8 9 0 1 2 3 4"} {
		if p, err := parseProcess(bad); err == nil {
			t.Errorf("%q is %+v", bad, p)
		}
	}
}

// TestUsedBelow counts children, grandchildren and the kernel's thread of the core, and nobody else.
func TestUsedBelow(t *testing.T) {
	all := []process{
		{1, 0, "init", 1}, {10, 1, "measure", 2}, {11, 10, "master", 4}, {12, 11, "worker", 8},
		{13, 1, "other", 16}, {5, 2, "ksoftirqd/0", 32}, {6, 2, "ksoftirqd/1", 64}, {2, 0, "kthreadd", 128},
	}
	if sum := usedBelow(all, 10, 0); sum != 4+8+32 {
		t.Errorf("%d, want 44", sum)
	}
}

func TestForeignShare(t *testing.T) {
	for _, c := range []struct {
		busy, servers time.Duration
		want          float64
	}{{time.Second, 800 * time.Millisecond, 10}, {time.Second, time.Second, 0}, {time.Second, 2 * time.Second, 0}} {
		if got := foreignShare(c.busy, c.servers, 2*time.Second); got != c.want {
			t.Errorf("%v busy, %v of the servers: %v %%, want %v", c.busy, c.servers, got, c.want)
		}
	}
}

// TestRoundTrip measures, where there are two cores.
func TestRoundTrip(t *testing.T) {
	trip := roundTrip(serverCore, clientCore)
	if trip < 0 || trip > time.Second {
		t.Errorf("a cache line takes %v", trip)
	}
	t.Logf("a cache line takes %v", trip)
}
