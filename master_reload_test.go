package lineman_test

import (
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
)

// TestReloadReport says what became of all connections, in one line.
func TestReloadReport(t *testing.T) {
	kept := func(n int) []lineman.ReloadedProcess { return []lineman.ReloadedProcess{{Worker: "w", Kept: n}} }
	for want, r := range map[string]lineman.ReloadReport{
		"reloaded: 15,000 connections kept, 3 drained (a request is being answered: 2, it closes: 1); " +
			"pause p50 31 ms, p99 38 ms, max 41 ms; program v1.2.0 → v1.3.0": {
			Kept: 15000, Drained: 3, Reasons: map[string]int{"a request is being answered": 2, "it closes": 1},
			PauseP50: 0.0312, PauseP99: 0.0381, PauseMax: 0.0409,
			OldVersion: "v1.2.0", NewVersion: "v1.3.0", Processes: kept(15000),
		},
		"reloaded: 1,234,567 connections kept, 0 drained; pause p50 0.4 ms, p99 9.5 ms, max 12.3s; program v1": {
			Kept: 1234567, PauseP50: 0.0004, PauseP99: 0.0095, PauseMax: 12.34, OldVersion: "v1", NewVersion: "v1",
			Processes: kept(1234567),
		},
		"reloaded: 0 connections kept, 0 drained; program v1 → v2": {
			OldVersion: "v1", NewVersion: "v2", Processes: kept(0),
		},
		"reloaded: 3 processes replaced, no connection handed over; " +
			"a/0, a/1 drain: why; b/0 drain: because; program v1": {
			NewVersion: "v1", Processes: []lineman.ReloadedProcess{
				{Worker: "a", Drains: "why"}, {Worker: "b", Drains: "because"}, {Worker: "a", ID: 1, Drains: "why"},
			},
		},
		"reloaded: 5 connections kept, 0 drained; pause p50 0.0 ms, p99 0.0 ms, max 0.0 ms; b/0 drain: why; " +
			"a/0 died meanwhile: what had not crossed has ended; c/0, c/1 stay; program v1": {
			Kept: 5, NewVersion: "v1", Rest: []string{"c/0", "c/1"}, Processes: []lineman.ReloadedProcess{
				{Worker: "a", Kept: 5, Died: true}, {Worker: "b", Drains: "why"},
			},
		},
		"nothing was replaced; a reload would do: 2 processes replaced, connections of 1 handed over; " +
			"b/0 drain: why; program v1 → v2": {
			DryRun: true, OldVersion: "v1", NewVersion: "v2", Processes: []lineman.ReloadedProcess{
				{Worker: "a"}, {Worker: "b", Drains: "why"},
			},
		},
		"nothing was replaced; a reload would do: 1 process replaced, all connections handed over; " +
			"program v1": {DryRun: true, NewVersion: "v1", Processes: kept(0)},
	} {
		if got := r.String(); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
}

// TestStatusLeaving says why a process that leaves is there still.
func TestStatusLeaving(t *testing.T) {
	for want, p := range map[string]lineman.ProcessStatus{
		"[leaving]\n":                                        {},
		"[leaving] 1,200 connections drain\n":                {Conns: 1200},
		"[leaving] 3 connections drain, 2,000 are relayed\n": {Conns: 2003, Relays: 2000},
		"[leaving] 0 connections drain, 2,000 are relayed\n": {Conns: 2000, Relays: 2000},
	} {
		p.State = "leaving"
		s := &lineman.Status{Processes: []lineman.ProcessStatus{p}}
		if got := s.String(); !strings.Contains(got, want) {
			t.Errorf("%s\nwithout %s", got, want)
		}
	}
}
