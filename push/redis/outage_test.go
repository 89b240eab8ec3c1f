package redis

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestOutage has the log hear once of an outage, now and then while it lasts, and once of its end.
func TestOutage(t *testing.T) {
	var text bytes.Buffer
	o := outage{log: slog.New(slog.NewTextHandler(&text, nil))}
	lines := func(want int, has string) {
		t.Helper()
		if n := strings.Count(text.String(), "\n"); n != want || !strings.Contains(text.String(), has) {
			t.Errorf("%d lines, want %d with %q:\n%s", n, want, has, text.String())
		}
		text.Reset()
	}
	o.ended()
	lines(0, "")
	for range 2 {
		for range 10 {
			o.began(errors.New("no way"))
		}
		lines(1, "no way")
		o.told = time.Now().Add(-reminder)
		o.began(errors.New("still no way"))
		lines(1, "still no way")
		o.ended()
		o.ended()
		lines(1, "away=")
	}
}
