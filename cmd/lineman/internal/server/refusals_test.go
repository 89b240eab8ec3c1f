package server

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// TestNewestRefusals keeps the newest of each reason, though there is a flood of one.
func TestNewestRefusals(t *testing.T) {
	g := guarding(config.Limits{}, slog.New(slog.DiscardHandler))
	g.refuse("slow", "a page was closed", "remote", remote("192.0.2.7"), "code", 4102, "conn", "c:x.1", "uid", "ann")
	for range 1000 {
		g.refuse("late", "a page was closed", "error", errors.New(strings.Repeat("x", 1000)))
	}
	all := g.newestRefusals()
	if len(all) != 1+refusalsOfReason {
		t.Fatalf("%d are kept", len(all))
	}
	for i, one := range all {
		if i > 0 && all[i-1].At < one.At {
			t.Errorf("%+v comes before %+v", all[i-1], one)
		}
		if len(one.Detail) > maxDetail {
			t.Errorf("the detail has %d bytes", len(one.Detail))
		}
		if one.Reason == "slow" && (one.Remote != "192.0.2.7:1" || one.UID != "ann" ||
			one.Detail != "code=4102 conn=c:x.1" || one.What != "a page was closed" || one.Advice != advice["slow"]) {
			t.Errorf("%+v", one)
		}
	}
}

// TestAdvice has something be advised about each reason, in a line, by settings that there are.
func TestAdvice(t *testing.T) {
	for _, why := range reasons() {
		if advice[why] == "" {
			t.Errorf("nothing is advised about %s", why)
		}
	}
	if len(advice) != len(reasons()) {
		t.Errorf("%d reasons, advice about %d", len(reasons()), len(advice))
	}
}
