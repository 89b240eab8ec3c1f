package figures_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
	"github.com/lineman-go/lineman/push"
)

// TestTallyTruth finds the busiest of 100,000 targets in a stream of which they have a part each, with their rates.
func TestTallyTruth(t *testing.T) {
	tally := figures.NewTally()
	rnd := rand.New(rand.NewPCG(1, 2))
	const perSecond = 2000
	for range 300 {
		for i := range perSecond {
			switch {
			case i < 400: // 8 busy uids, of 50 + 10 n a second
				uid := i % 8
				for range 1 + uid/4 {
					tally.Add(push.UID(fmt.Sprint("busy", uid)), 1, 3)
				}
			case i < 500:
				tally.Add("news", 1, 200)
			case i < 510:
				tally.Add(push.Group("staff"), 1, 0)
			default:
				tally.Add(push.UID(fmt.Sprint("quiet", rnd.IntN(100_000))), 1, 1)
			}
		}
		tally.Pass()
	}
	counts := tally.Counts()
	top := counts.Top()
	near := func(got, want float64) bool { return math.Abs(got-want) < 0.05*want }
	for i, b := range top.UIDs[:8] {
		want := 100.0
		if i >= 4 {
			want = 50
		}
		if !strings.HasPrefix(b.Name, "busy") || !near(b.Published, want) || !near(b.Delivered, 3*want) {
			t.Errorf("uid %d is %+v, want about %v publications a second", i, b, want)
		}
	}
	if len(top.UIDs) != 10 {
		t.Errorf("%d uids are told", len(top.UIDs))
	}
	if b := top.Channels; len(b) != 1 || b[0].Name != "news" || !near(b[0].Delivered, 20_000) {
		t.Errorf("the channels are %+v", b)
	}
	if b := top.Groups; len(b) != 1 || b[0].Name != "staff" || !near(b[0].Published, 10) {
		t.Errorf("the groups are %+v", b)
	}
}

// TestTallyStart tells the rate of what has begun just now, and forgets what has ended.
func TestTallyStart(t *testing.T) {
	tally := figures.NewTally()
	for range 3 {
		tally.Add("news", 7, 0)
		tally.Pass()
	}
	counts := tally.Counts()
	if got := counts.Top().Channels[0].Published; math.Abs(got-7) > 0.01 {
		t.Errorf("after three seconds the rate is %v, want 7", got)
	}
	for range 600 {
		tally.Pass()
	}
	counts = tally.Counts()
	if got := counts.Top().Channels; len(got) != 0 {
		t.Errorf("ten minutes later there is %v", got)
	}
}

// TestTallyLoops adds up what several loops have counted.
func TestTallyLoops(t *testing.T) {
	a, b := figures.NewTally(), figures.NewTally()
	for range 60 {
		a.Add("news", 1, 4)
		b.Add("news", 0, 6)
		b.Add("chat", 0, 20)
		a.Pass()
		b.Pass()
	}
	counts := a.Counts()
	counts.Add(b.Counts())
	got := ""
	for _, b := range counts.Top().Channels {
		got += fmt.Sprintf("%s %.1f %.1f, ", b.Name, b.Published, b.Delivered)
	}
	if want := "chat 0.0 20.0, news 1.0 10.0, "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestTallyBound takes no more than 256 KiB, and nothing for each name, however long and however many.
func TestTallyBound(t *testing.T) {
	const most = 256 << 10
	before := heap()
	tally := figures.NewTally()
	long := strings.Repeat("x", 240)
	for i := range 200_000 {
		for _, target := range []push.Target{push.UID(fmt.Sprint(i, long)), push.Group(fmt.Sprint(i, long)),
			push.Channel(fmt.Sprint(i, long))} {
			tally.Add(target, 1, 1)
		}
	}
	if took := heap() - before; took > most {
		t.Errorf("it takes %d bytes, want at most %d", took, most)
	} else {
		t.Logf("it takes %d KiB", took>>10)
	}
	runtime.KeepAlive(tally)
}

// BenchmarkTally is what it costs to count a delivery: to a target that has a slot, and to one that takes another's.
func BenchmarkTally(b *testing.B) {
	for name, targets := range map[string]int{"known": 100, "new": 100_000} {
		b.Run(name, func(b *testing.B) {
			tally := figures.NewTally()
			all := make([]push.Target, targets)
			for i := range all {
				all[i] = push.UID(fmt.Sprint("user", i))
			}
			b.ReportAllocs()
			for i := range b.N {
				tally.Add(all[i%targets], 0, 1)
			}
		})
	}
}
