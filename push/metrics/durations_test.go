package metrics_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push/metrics"
)

// TestQuantile is right to within a quarter, of what came since, and agrees with what Prometheus is told.
func TestQuantile(t *testing.T) {
	m := metrics.New(full)
	for range 1000 {
		m.Lag(time.Second) // before
	}
	before := m.Lags()
	rnd := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	for range 5000 {
		d := time.Duration(math.Exp(rnd.NormFloat64()-7) * float64(time.Second)) // about a millisecond
		all = append(all, d)
		m.Lag(d)
	}
	slices.Sort(all)
	since := m.Lags().Since(before)
	for part, want := range map[float64]time.Duration{0.5: all[2500], 0.9: all[4500], 0.99: all[4950]} {
		if got := since.Quantile(part); got < want*3/4 || got > want*5/4 {
			t.Errorf("the quantile %v is %v, want about %v", part, got, want)
		}
	}
	if n := since.Count(); n != 5000 {
		t.Errorf("%d are counted, want 5000", n)
	}
	_, text := scrape(t, m)
	below := 0
	for _, d := range all {
		if d.Seconds() <= 0.00078125 {
			below++
		}
	}
	for _, want := range []string{
		fmt.Sprintf("lineman_publish_lag_seconds_bucket{le=\"0.00078125\"} %d\n", below),
		"lineman_publish_lag_seconds_count 6000\n",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("the scrape has no %s", want)
		}
	}
}

// TestQuantileEnds are those of nothing, and of what took longer than is measured.
func TestQuantileEnds(t *testing.T) {
	m := metrics.New(full)
	if got := m.Lags().Quantile(0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	m.Lag(time.Hour)
	if got := m.Lags().Quantile(0.99); got < time.Second || got > 2*time.Second {
		t.Errorf("of an hour: %v", got)
	}
	if got := (metrics.Durations{}).Since(metrics.Durations{}).Quantile(0.5); got != 0 {
		t.Errorf("of the zero value: %v", got)
	}
}
