package top_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
	"github.com/lineman-go/lineman/cmd/lineman/internal/top"
)

// at is when all happens.
var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// status is that of so many processes, each of which has told these figures.
func status(t *testing.T, processes int, f figures.Figures) *lineman.Status {
	t.Helper()
	f.At = at.UnixMilli()
	report, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	s := &lineman.Status{Name: "lineman", Started: at.Add(-time.Hour), Load: []float64{1, 2, 3}}
	for i := range processes {
		s.Processes = append(s.Processes, lineman.ProcessStatus{
			PID: 100 + i, ID: i, State: "idle", Memory: 9 << 20, Report: report,
		})
	}
	return s
}

// busy are figures of which each is something.
func busy() figures.Figures {
	return figures.Figures{
		Conns: figures.Conns{Pages: 1200, Level0: 1000, Level1: 150, Streams: 50, Waiting: 3, BackEnds: 2, UIDs: 700},
		Rates: figures.Rates{
			Published: 100, Delivered: 12_345, Refused: 3, RefusedBy: map[string]float64{"late": 1, "slow": 2},
			BytesIn: 2048, BytesOut: 1 << 20, Accepted: 1.5, Cut: 2,
		},
		Lag:    figures.Lag{Samples: 9, P50: 0.0004, P99: 0.0123},
		Queued: figures.Queued{Bytes: 5000, Most: 4000}, Broker: figures.Broker{Linked: true},
	}
}

// TestView adds up what processes tell, and shows those that tell nothing.
func TestView(t *testing.T) {
	s := status(t, 2, busy())
	s.Processes = append(s.Processes, lineman.ProcessStatus{State: "waiting"})
	v := top.NewView(s, at)
	if v.All.Conns.Pages != 2400 || v.All.Rates.Delivered != 24_690 || v.All.Rates.RefusedBy["slow"] != 4 ||
		v.All.Queued.Most != 4000 || v.All.Lag.P99 != 0.0123 || !v.All.Broker.Linked {
		t.Errorf("the sum is %+v", v.All)
	}
	text := strings.Join(top.Screen{Width: 80, Height: 24}.Draw(v), "\n")
	for _, want := range []string{
		"lineman   03:04:05   up 1h0m0s   load 1.00 2.00 3.00", "pages     2,400   level 0 2,000",
		"delivered 24,690/s", "p50 0.40ms   p99 12ms", "refused   6.0/s   slow 4.0/s   late 2.0/s",
		"trouble   cut 4.0/s",
		"100     idle", "101     idle", "-       waiting           -         -",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "redis") {
		t.Error("it tells of Redis, which is not there")
	}
	s.Processes[0].Report = json.RawMessage(`{"at":1,"broker":{"linked":false,"nodes":3}}`)
	text = strings.Join(top.Screen{Width: 80, Height: 24}.Draw(top.NewView(s, at)), "\n")
	if !strings.Contains(text, "redis     NOT REACHED   3 nodes") {
		t.Errorf("a process without its link is not told of:\n%s", text)
	}
}

// TestScreenFits is never wider or higher than the terminal, whatever there is.
func TestScreenFits(t *testing.T) {
	f := busy()
	f.Rates.Delivered, f.Rates.BytesOut, f.Conns.Pages = 1e15, 1e18, math.MaxInt64/100
	f.Broker.Nodes = 3
	v := top.NewView(status(t, 64, f), at)
	for _, size := range [][2]int{{80, 24}, {200, 100}, {20, 10}} {
		lines := top.Screen{Width: size[0], Height: size[1]}.Draw(v)
		if len(lines) > max(size[1], 17) {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, l := range lines {
			if utf8.RuneCountInString(l) > size[0] {
				t.Errorf("%v: %q is too long", size, l)
			}
		}
	}
	text := strings.Join(top.Screen{Width: 80, Height: 24}.Draw(v), "\n")
	if !strings.Contains(text, "processes more") {
		t.Errorf("it does not say that there are more processes:\n%s", text)
	}
}

// TestColour has what somebody should look at be red, where colours are wanted, and nothing where they are not.
func TestColour(t *testing.T) {
	for _, colour := range []bool{false, true} {
		v := top.NewView(status(t, 1, busy()), at)
		text := strings.Join(top.Screen{Width: 80, Height: 24, Colour: colour}.Draw(v), "\n")
		if got := strings.Contains(text, "\x1b[31mrefused"); got != colour {
			t.Errorf("colours %v: what is refused is red: %v", colour, got)
		}
		if got := strings.Contains(text, "\x1b"); got != colour {
			t.Errorf("colours %v: there are sequences: %v", colour, got)
		}
	}
}

// TestWatch shows Views until it is to end, on a terminal that it leaves as it was, and until something fails.
func TestWatch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	show, end := top.Live(&out, false, func() (int, int) { return 80, 24 })
	asked := 0
	err := top.Watch(ctx, func() (*top.View, error) {
		if asked++; asked == 2 {
			top.Quit(strings.NewReader("xq"), cancel)
		}
		return top.NewView(status(t, 1, busy()), at), nil
	}, show)
	end()
	if text := out.String(); err != nil || asked != 2 || strings.Count(text, "delivered") != 1 ||
		!strings.HasPrefix(text, "\x1b[?1049h") || !strings.HasSuffix(text, "\x1b[?1049l") {
		t.Errorf("%v, after %d questions: %q", err, asked, text)
	}
	gone := errors.New("it has gone")
	err = top.Watch(t.Context(), func() (*top.View, error) { return nil, gone }, show)
	if !errors.Is(err, gone) {
		t.Errorf("a server that has gone: %v", err)
	}
}

// TestJSON is an object a line, which says what it says.
func TestJSON(t *testing.T) {
	var out bytes.Buffer
	v := top.NewView(status(t, 1, busy()), at)
	for range 2 {
		if err := top.JSON(&out)(v); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.SplitAfter(out.String(), "\n")
	var got top.View
	err := json.Unmarshal([]byte(lines[1]), &got)
	if err != nil || len(lines) != 3 || got.Processes[0].Now.Conns.Pages != 1200 {
		t.Errorf("%v: %q", err, lines)
	}
}
