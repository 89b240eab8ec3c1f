package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestPaced logs some lines a second of each message, and counts those that it leaves out.
func TestPaced(t *testing.T) {
	var text bytes.Buffer
	p := paced{slog.New(slog.NewTextHandler(&text, nil)), map[string]*window{}}
	now := time.Now()
	for range 100 {
		p.warn(now, "one", "who", "x")
	}
	p.warn(now, "another")
	if got := strings.Count(text.String(), "msg=one who=x\n"); got != linesPerSecond || strings.Count(text.String(), "another") != 1 {
		t.Errorf("%d lines: %s", got, text.String())
	}
	text.Reset()
	p.warn(now.Add(time.Second), "one")
	p.warn(now.Add(time.Second), "one")
	if got := text.String(); strings.Count(got, "left_out=95") != 1 || strings.Count(got, "\n") != 2 {
		t.Errorf("a second later: %s", got)
	}
}
