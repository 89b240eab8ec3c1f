package metrics_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/metrics"
)

// scrape is what a Handler answers.
func scrape(t *testing.T, m *metrics.Metrics) (status int, text string) {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Code, w.Body.String()
}

// TestMetrics has each value of a snapshot in the scrape, and reasons with 0 too.
func TestMetrics(t *testing.T) {
	s := metrics.Snapshot{
		Stats: push.Stats{
			Conns: 1, UIDs: 2, Groups: 3, Channels: 4, Published: 5, Delivered: 6, Breaks: 19, Away: 20 * time.Second,
			Unlinked: 21, Unanswered: 22, HistoryBytes: 55, HistoryMessages: 56,
		},
		Broker: metrics.Broker{
			Nodes: 23, RoundTrip: 24 * time.Second, Waiting: 25, BytesIn: 26, BytesOut: 27, Stale: 28, Overflows: 29,
		},
		Journal: metrics.Journal{
			Bytes: 30, Segments: 31, Writes: 32, Syncs: 33, Failures: 34, WriteTime: 35 * time.Second,
			SyncTime: 36 * time.Second,
		},
		EventGroups: []metrics.Group{{
			Name: "chat", Listeners: 37, Events: 38, Bytes: 39, Held: 40, Emitted: 41, Again: 42, Full: 43, Late: 44,
		}},
		Hooks: []metrics.Hook{
			{
				Name: "app", Requests: map[string]uint64{"good": 45, "lost": 2}, Took: map[float64]uint64{0.1: 46},
				Seconds: 4.5, Tells: true, Retries: 48, Dead: 49, Lost: 50, Open: true,
			},
			{Name: "door", Questions: map[string]uint64{"posted": 51}, Asked: 52},
		},
		Streams: 57, BackEnds: 58, Pusher: map[string]int{"shop": 59},
		Calls:   metrics.Calls{Waiting: 53, Ended: map[string]uint64{"late": 54}},
		Waiting: 7, QueuedBytes: 8, QueuedMost: 9, Linked: true, Accepted: 10, BytesIn: 11, BytesOut: 12, Panics: 13,
		Slow: 14, SlowClients: 15, Refused: map[string]uint64{"origin": 16, "late": 0},
		WouldRefuse: map[string]uint64{"handshakes_per_ip": 17}, Credentials: map[string]uint64{"expired": 18},
	}
	m := metrics.New(func() (metrics.Snapshot, error) { return s, nil })
	m.Lag(time.Millisecond)
	m.Lag(time.Minute)
	m.Took(time.Millisecond)
	status, text := scrape(t, m)
	if status != 200 {
		t.Errorf("the status is %d", status)
	}
	for _, want := range []string{
		"lineman_connections 1", "lineman_uids 2", "lineman_groups 3", "lineman_channels 4",
		"lineman_publishes_total 5", "lineman_deliveries_total 6", "lineman_waiting_connections 7",
		"lineman_queued_bytes 8", "lineman_queued_most_bytes 9", "lineman_broker_linked 1",
		"lineman_accepted_connections_total 10", "lineman_received_bytes_total 11", "lineman_sent_bytes_total 12",
		"lineman_panics_total 13", "lineman_slow_callbacks_total 14", "lineman_slow_clients_total 15",
		`lineman_refusals_total{reason="origin"} 16`, `lineman_refusals_total{reason="late"} 0`,
		`lineman_dry_run_refusals_total{reason="handshakes_per_ip"} 17`,
		`lineman_credential_refusals_total{reason="expired"} 18`, `lineman_publish_lag_seconds_count 2`,
		`lineman_publish_lag_seconds_bucket{le="5e-05"} 0`, "lineman_broker_breaks_total 19",
		"lineman_broker_away_seconds_total 20", "lineman_broker_unlinked_total 21",
		"lineman_broker_unanswered_total 22", "lineman_broker_nodes 23", "lineman_broker_round_trip_seconds 24",
		"lineman_broker_waiting_bytes 25", "lineman_broker_received_bytes_total 26",
		"lineman_broker_sent_bytes_total 27", "lineman_broker_ghosts_total 28", "lineman_broker_overflows_total 29",
		"lineman_journal_bytes 30", "lineman_journal_segments 31", "lineman_journal_writes_total 32",
		"lineman_journal_syncs_total 33", "lineman_journal_failures_total 34",
		"lineman_journal_write_seconds_total 35", "lineman_journal_sync_seconds_total 36",
		`lineman_listeners{group="chat"} 37`, `lineman_events_waiting{group="chat"} 38`,
		`lineman_events_waiting_bytes{group="chat"} 39`, `lineman_events_held_connections{group="chat"} 40`,
		`lineman_events_total{group="chat"} 41`, `lineman_events_again_total{group="chat"} 42`,
		`lineman_events_dropped_total{group="chat",reason="full"} 43`,
		`lineman_events_dropped_total{group="chat",reason="late"} 44`,
		`lineman_hook_requests_total{hook="app",result="good"} 45`,
		`lineman_hook_seconds_bucket{hook="app",le="0.1"} 46`,
		`lineman_hook_seconds_count{hook="app"} 47`, `lineman_hook_seconds_sum{hook="app"} 4.5`,
		`lineman_hook_retries_total{hook="app"} 48`, `lineman_hook_dead_letters_total{hook="app"} 49`,
		`lineman_hook_lost_events_total{hook="app"} 50`, `lineman_hook_open{hook="app"} 1`,
		`lineman_hook_open{hook="door"} 0`, `lineman_hook_questions_total{hook="door",result="posted"} 51`,
		`lineman_hook_questions_waiting{hook="door"} 52`, "lineman_calls_waiting 53",
		`lineman_calls_total{result="late"} 54`, "lineman_history_bytes 55", "lineman_history_messages 56",
		"lineman_stream_connections 57", "lineman_backend_connections 58",
		`lineman_pusher_connections{app="shop"} 59`,
		"lineman_broker_publish_seconds_count 1", "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("the scrape has no %s", want)
		}
	}
	if strings.Contains(text, `retries_total{hook="door"}`) ||
		strings.Contains(text, `questions_waiting{hook="app"}`) {
		t.Error("the scrape has what does not concern a hook")
	}
}

// full is a Snapshot that has something of each.
func full() (metrics.Snapshot, error) {
	one := map[string]uint64{"x": 1}
	return metrics.Snapshot{
		Pusher:  map[string]int{"x": 1},
		Refused: one, WouldRefuse: one, Credentials: one, EventGroups: []metrics.Group{{Name: "x"}},
		Hooks: []metrics.Hook{{Name: "x", Requests: one, Tells: true, Questions: one}},
		Calls: metrics.Calls{Ended: one},
	}, nil
}

// TestNames has names and help texts be as is usual with Prometheus.
func TestNames(t *testing.T) {
	m := metrics.New(full)
	_, text := scrape(t, m)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestMetricsError has a server that does not answer be an error, not zeros.
func TestMetricsError(t *testing.T) {
	m := metrics.New(func() (metrics.Snapshot, error) {
		return metrics.Snapshot{}, errors.New("the loop does not answer")
	})
	if status, text := scrape(t, m); status != 500 || !strings.Contains(text, "does not answer") ||
		strings.Contains(text, "lineman_connections 0") {
		t.Errorf("%d %s", status, text)
	}
}

// TestDocs has a row of docs/service.md for each metric, and none for others.
func TestDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/service.md")
	if err != nil {
		t.Fatal(err)
	}
	m := metrics.New(full)
	_, text := scrape(t, m)
	served := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^# TYPE (lineman_\w+) `).FindAllStringSubmatch(text, -1) {
		served[found[1]] = true
		if !strings.Contains(string(doc), "| `"+found[1]+"`") {
			t.Errorf("docs/service.md has no row for %s", found[1])
		}
	}
	for _, found := range regexp.MustCompile("(?m)^\\| `(lineman_\\w+)`").FindAllStringSubmatch(string(doc), -1) {
		if !served[found[1]] {
			t.Errorf("docs/service.md has a row for %s, which is not served", found[1])
		}
	}
}
