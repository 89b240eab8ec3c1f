package figures_test

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/metrics"
)

// begin is when recorders begin here.
var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// TestRecorder has rates be what happened in each interval, and lists and numbers be what there is at its end.
func TestRecorder(t *testing.T) {
	r := figures.NewRecorder()
	first := &metrics.Snapshot{
		Stats: push.Stats{Published: 1000, Gaps: map[push.Gap]uint64{push.GapLimit: 5}}, Linked: true,
		Refused: map[string]uint64{"late": 7, "slow": 0},
		Hooks:   []metrics.Hook{{Name: "app", Requests: map[string]uint64{"good": 9, "lost": 1}}},
	}
	r.Record(begin, first, metrics.Durations{})
	if now := r.Now(); now.Seconds != 0 || now.Rates.Published != 0 || !now.Broker.Linked {
		t.Errorf("what was before counts: %+v", now)
	}
	second := &metrics.Snapshot{
		Stats: push.Stats{
			Published: 1010, Delivered: 40, Conns: 12, Followers: 8, UIDs: 4,
			Gaps: map[push.Gap]uint64{push.GapLimit: 6}, HistoryBytes: 70, HistoryMessages: 3,
		},
		Pusher: map[string]int{"a": 1, "b": 2}, Streams: 2, BackEnds: 3, Waiting: 1, QueuedBytes: 50, QueuedMost: 30,
		Refused:     map[string]uint64{"late": 7, "slow": 6},
		EventGroups: []metrics.Group{{Name: "chat", Listeners: 2, Events: 8, Emitted: 4, Full: 1, Late: 1}},
		Hooks: []metrics.Hook{
			{Name: "app", Open: true, Asked: 1, Requests: map[string]uint64{"good": 10, "lost": 2}, Dead: 1, Lost: 1},
		},
	}
	r.Record(begin.Add(2*time.Second), second, metrics.Durations{})
	want := figures.Figures{
		At: begin.Add(2 * time.Second).UnixMilli(), Seconds: 2,
		Conns: figures.Conns{Pages: 12, Level0: 4, Level1: 3, Streams: 2, Pusher: 3, Waiting: 1, BackEnds: 3, UIDs: 4},
		Rates: figures.Rates{
			Published: 5, Delivered: 20, Refused: 3, RefusedBy: map[string]float64{"slow": 3}, Gaps: 0.5,
		},
		Queued: figures.Queued{Bytes: 50, Most: 30}, History: figures.History{Bytes: 70, Messages: 3},
		Events: figures.Events{Listeners: 2, Waiting: 8, Emitted: 2, Dropped: 1},
		Hooks:  figures.Hooks{Open: 1, Asked: 1, Requests: 1, Failed: 0.5, Dead: 1},
	}
	if got, want := text(t, r.Now()), text(t, want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := fmt.Sprint(r.Groups(), r.Hooks()), "[{chat 2 8 0 0 2}] [{app true 1 12 2 2}]"; got != want {
		t.Errorf("the lists are %s, want %s", got, want)
	}
	kept := figures.Point{
		At: want.At, Seconds: 2, Pages: want.Conns.Pages, Queued: want.Queued, Published: 5, Delivered: 20, Refused: 3,
	}
	if s := r.Series(); len(s.Seconds) != 1 || s.Seconds[0] != kept || len(s.TenSeconds) != 0 {
		t.Errorf("the series is %+v", s)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	s, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(s)
}

// TestTenSeconds has ten seconds be what happened in them, once, and the most that was there.
func TestTenSeconds(t *testing.T) {
	r := figures.NewRecorder()
	published := uint64(0)
	for i := range 42 {
		published += uint64(i)
		r.Record(begin.Add(time.Duration(i)*time.Second), &metrics.Snapshot{
			Stats: push.Stats{Published: published, Conns: 100 - i}, QueuedBytes: i % 10,
		}, metrics.Durations{})
	}
	tens := r.Series().TenSeconds
	if len(tens) != 4 {
		t.Fatalf("%d tens in 41 seconds", len(tens))
	}
	counted := 0.0
	for i, f := range tens {
		counted += f.Published * f.Seconds
		if f.Seconds != 10 || f.Queued.Bytes != 9 || f.Pages != 99-10*i {
			t.Errorf("ten seconds %d: %+v", i, f)
		}
	}
	if want := 40.0 * 41 / 2; math.Abs(counted-want) > 1e-6 {
		t.Errorf("%v were published by the tens, want %v", counted, want)
	}
}

// TestSeriesBound keeps five minutes and an hour, in no more than 128 KiB though all is refused for all reasons.
func TestSeriesBound(t *testing.T) {
	const most, reasons = 128 << 10, 33
	before := heap()
	r := figures.NewRecorder()
	n := 2 * 3600
	for i := range n {
		refused := map[string]uint64{}
		for reason := range reasons {
			refused[fmt.Sprint("reason", reason)] = uint64(i)
		}
		r.Record(begin.Add(time.Duration(i)*time.Second), &metrics.Snapshot{Refused: refused}, metrics.Durations{})
	}
	s := r.Series()
	if len(s.Seconds) != 300 || len(s.TenSeconds) != 360 {
		t.Fatalf("%d seconds and %d tens are kept", len(s.Seconds), len(s.TenSeconds))
	}
	last := begin.Add(time.Duration(n-1) * time.Second).UnixMilli()
	for _, all := range [][]figures.Point{s.Seconds, s.TenSeconds} {
		for i := range all[1:] {
			if all[i].At >= all[i+1].At {
				t.Fatalf("%d comes before %d", all[i].At, all[i+1].At)
			}
		}
		if left := last - all[len(all)-1].At; left >= 10_000 {
			t.Errorf("the newest is %d ms old", left)
		}
	}
	s = figures.Series{}
	if took := float64(heap() - before); took > most {
		t.Errorf("it takes %.0f bytes, want at most %.0f", took, float64(most))
	} else {
		t.Logf("it takes %.0f KiB", took/1024)
	}
	runtime.KeepAlive(r)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestRecorderBack has counters that go back, as in no server, be no rates below 0.
func TestRecorderBack(t *testing.T) {
	r := figures.NewRecorder()
	for i, published := range []uint64{5, 3} {
		s := &metrics.Snapshot{Stats: push.Stats{Published: published}}
		r.Record(begin.Add(time.Duration(i)*time.Second), s, metrics.Durations{})
	}
	if got := r.Now().Rates.Published; got != 0 {
		t.Errorf("the rate is %v", got)
	}
}
