package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestLimitedLog logs some lines a second of each message and reason, and counts those that it leaves out.
func TestLimitedLog(t *testing.T) {
	var text bytes.Buffer
	p := newLimitedLog(slog.New(slog.NewTextHandler(&text, nil)))
	now := time.Now()
	for range 100 {
		p.info(now, "one", "late", "who", "x")
	}
	p.info(now, "one", "slow")
	p.info(now, "another", "late")
	for line, want := range map[string]int{
		"msg=one reason=late who=x\n": linesPerSecond, "msg=one reason=slow\n": 1, "msg=another reason=late\n": 1,
	} {
		if got := strings.Count(text.String(), line); got != want {
			t.Errorf("%q is there %d times, want %d: %s", line, got, want, text.String())
		}
	}
	text.Reset()
	p.tell(now)
	if text.Len() > 0 {
		t.Errorf("within the second: %s", text.String())
	}
	p.info(now.Add(time.Second), "one", "late")
	p.info(now.Add(time.Second), "one", "late")
	if got := text.String(); strings.Count(got, "left_out=95") != 1 || strings.Count(got, "\n") != 2 {
		t.Errorf("a second later: %s", got)
	}
}

// TestPacedTell says what was left out when nothing more of it comes.
func TestPacedTell(t *testing.T) {
	var text bytes.Buffer
	p := newLimitedLog(slog.New(slog.NewTextHandler(&text, nil)))
	now := time.Now()
	for range linesPerSecond + 7 {
		p.info(now, "one", "late")
	}
	text.Reset()
	for range 2 {
		p.tell(now.Add(time.Second))
	}
	if got := text.String(); strings.Count(got, "msg=one reason=late left_out=7\n") != 1 ||
		strings.Count(got, "\n") != 1 {
		t.Errorf("a second later: %s", got)
	}
}
