package figures_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/metrics"
)

// recorder is one that has recorded so many seconds from an instant on, in each of which as many were published.
func recorder(from time.Time, seconds, published int) *figures.Recorder {
	r := figures.NewRecorder()
	record(r, from, 0, seconds, published)
	return r
}

// record has a Recorder go on for some seconds after an instant, beginning with so many published before.
func record(r *figures.Recorder, from time.Time, before, seconds, published int) {
	for i := range seconds + 1 {
		r.Record(from.Add(time.Duration(i)*time.Second), &metrics.Snapshot{
			Stats: push.Stats{Published: uint64(before + i*published), Conns: 10},
		}, metrics.Durations{})
	}
}

// TestSeriesCrosses has a successor go on where its predecessor has ended, without a hole, and nothing count twice.
func TestSeriesCrosses(t *testing.T) {
	const before, after, published = 4005, 337, 7
	first := recorder(begin, before, published)
	state := first.AppendState(nil)
	if len(state) > 48<<10 {
		t.Errorf("the state has %d bytes", len(state))
	}
	second := figures.NewRecorder()
	if err := second.RestoreState(state); err != nil {
		t.Fatal(err)
	}
	if got, want := second.Series(), first.Series(); text(t, got) != text(t, want) {
		t.Fatal("the series is another one")
	}
	// the loops stand still for 200 ms, and the counters have crossed
	record(second, begin.Add(before*time.Second+200*time.Millisecond), before*published, after, published)
	s := second.Series()
	if len(s.Seconds) != 300 || len(s.TenSeconds) != 360 {
		t.Errorf("%d seconds and %d tens are kept", len(s.Seconds), len(s.TenSeconds))
	}
	for name, all := range map[string][]figures.Point{"seconds": s.Seconds, "tens": s.TenSeconds} {
		counted := 0.0
		for i, p := range all {
			counted += p.Published * p.Seconds
			if i > 0 && math.Abs(float64(p.At-all[i-1].At)-1000*p.Seconds) > 1 {
				t.Errorf("%s: %d ms after that before, one tells of %v s", name, p.At-all[i-1].At, p.Seconds)
			}
		}
		want := float64(published * len(all) * map[string]int{"seconds": 1, "tens": 10}[name])
		if math.Abs(counted-want) > 0.1 {
			t.Errorf("%s: %v are counted, want %v", name, counted, want)
		}
	}
}

// TestSeriesState has the bytes of version 1 never change, and nonsense be an error.
func TestSeriesState(t *testing.T) {
	state := recorder(begin, 11, 3).AppendState(nil)
	const head, second, ten = 1, 1 + 1 + 54, 1 + 1 + 54
	if len(state) != head+11*second+ten {
		t.Fatalf("the state has %d bytes", len(state))
	}
	const golden = "01" + // the version
		"0136" + "d0afd5edee66" + "0000803f" + "00002041" + "00004040" + // a second: its end, 1 s, 10 pages, 3
		"000000000000000000000000000000000000000000000000000000000000000000000000"
	if got := hex.EncodeToString(state[:head+second]); got != golden {
		t.Errorf("it begins with %s, want %s", got, golden)
	}
	last := figures.NewRecorder()
	if err := last.RestoreState(state); err != nil || len(last.Series().TenSeconds) != 1 {
		t.Errorf("there are %d tens, %v", len(last.Series().TenSeconds), err)
	}
	wrong := slices.Clone(state)
	copy(wrong[head+2+6:], "\xff\xff\xff\xff") // no number
	for _, state := range [][]byte{nil, {2}, state[:len(state)-1], {1, 1, 1, 0}, wrong} {
		if figures.NewRecorder().RestoreState(state) == nil {
			t.Errorf("%x is taken", state[:min(20, len(state))])
		}
	}
}

// TestPointText reads what it writes, and nothing that could not be.
func TestPointText(t *testing.T) {
	p := figures.Point{
		At: 1795400000123, Seconds: 1.5, Pages: 100_000, Queued: figures.Queued{Bytes: 5 << 20, Most: 1 << 20},
		Lag:       figures.Lag{Samples: 3, P50: 0.25, P99: 1},
		Published: 2.5, Delivered: 1e6, Refused: 3, BytesIn: 4, BytesOut: 5,
	}
	var again figures.Point
	if err := json.Unmarshal([]byte(text(t, p)), &again); err != nil || again != p {
		t.Errorf("%s is %+v, %v", text(t, p), again, err)
	}
	later := `[1795400000123,1.5,1,2,3,4,5,6,7,8,9,10,11,12]`
	if err := json.Unmarshal([]byte(later), &again); err != nil || again.Pages != 1 || again.Queued.Most != 11 {
		t.Errorf("%s is %+v, %v", later, again, err)
	}
	for _, wrong := range []string{
		`{}`, `[]`, `[1,2]`, `[1,-1,1,2,3,4,5,6,7,8,9,10,11]`, `[1,1e99,1,2,3,4,5,6,7,8,9,10,11]`,
	} {
		if json.Unmarshal([]byte(wrong), &again) == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}

// TestTogether adds up what several processes did, each in intervals of its own, up to when all of them tell.
func TestTogether(t *testing.T) {
	a := recorder(begin, 1000, 2).Series()
	b := recorder(begin.Add(300*time.Millisecond), 998, 3).Series() // it has told less
	c := recorder(begin.Add(990*time.Second), 12, 5).Series()       // it has begun lately
	all := figures.Together([]figures.Series{a, b, {}, c})
	const n = 298 // the first one does not know what it did before
	if len(all.Seconds) != n || len(all.TenSeconds) < 98 {
		t.Fatalf("%d seconds and %d tens", len(all.Seconds), len(all.TenSeconds))
	}
	last := begin.Add(998*time.Second + 300*time.Millisecond).UnixMilli()
	for i, p := range all.Seconds {
		at, want, pages := last-int64(n-1-i)*1000, 2.0+3, 20
		if at > begin.Add(990*time.Second).UnixMilli() {
			want, pages = want+5, 30
		}
		if p.At != at || math.Abs(p.Published-want) > 1e-6 || p.Pages != pages {
			t.Errorf("at %d: %+v, want %v at %d", i, p, want, at)
		}
	}
	if got := text(t, figures.Together(nil)); got != `{"seconds":[],"ten_seconds":[]}` {
		t.Errorf("nothing is %s", got)
	}
	later := figures.Series{Seconds: []figures.Point{{At: 5}}, TenSeconds: []figures.Point{{At: 6}}}
	if later.Shift(-time.Second); fmt.Sprint(later.Seconds[0].At, later.TenSeconds[0].At) != "-995 -994" {
		t.Errorf("it is shifted to %+v", later)
	}
}
