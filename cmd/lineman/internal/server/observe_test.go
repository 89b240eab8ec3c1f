package server

import (
	"bytes"
	"iter"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/text"
	"github.com/lineman-go/lineman/push"
)

// TestLag has a sample end when what the request has caused is written, and takes one at a time.
func TestLag(t *testing.T) {
	const answer = "one\n"
	type sample struct {
		lag     time.Duration
		written uint64
	}
	samples := make(chan sample, 2)
	var l lag
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Protocol: text.Protocol{}}
	w.OnMessage = func(c *lineman.Conn, _ []byte) {
		l.observe = func(d time.Duration) { samples <- sample{d, c.Loop().Stats().BytesOut} }
		l.begin(c.Loop(), time.Now())
		l.begin(c.Loop(), time.Now())
		_ = c.Send([]byte("one"))
	}
	c := linemantest.Start(t, w).Dial(w)
	for n := uint64(1); n <= 2; n++ {
		c.Send("x")
		c.Receive()
		if s := <-samples; s.lag <= 0 || s.lag > time.Minute || s.written != n*uint64(len(answer)) {
			t.Errorf("sample %d: %v, when %d bytes were written", n, s.lag, s.written)
		}
	}
	if len(samples) > 0 {
		t.Error("a tick has two samples")
	}
}

// TestQueued looks at every page once a second, however often it is asked.
func TestQueued(t *testing.T) {
	looked := 0
	var none iter.Seq[*push.Member[*lineman.Conn]] = func(func(*push.Member[*lineman.Conn]) bool) { looked++ }
	var q queued
	now := time.Now()
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {time.Millisecond, 1}, {time.Second, 2}, {1899 * time.Millisecond, 2}, {time.Hour, 3}} {
		if q.measure(none, now.Add(c.after)); looked != c.want {
			t.Errorf("after %v it has looked %d times, want %d", c.after, looked, c.want)
		}
	}
}

// TestReasonsDocumented has docs/service.md say what each reason means.
func TestReasonsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../../../docs/service.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := bytes.Cut(doc, []byte("\n| `reason` |"))
	table, _, _ = bytes.Cut(table, []byte("\n\n"))
	refused := newTally(reasons())
	for r := range refused {
		if !bytes.Contains(table, []byte("`"+r+"`")) {
			t.Errorf("docs/service.md does not say what %s means", r)
		}
	}
	for _, r := range rateReasons() {
		if _, known := refused[r]; !known {
			t.Errorf("a dry run lets %s pass, for which nothing is refused", r)
		}
	}
}

// TestTally has no reasons but those that it began with.
func TestTally(t *testing.T) {
	c := newTally([]string{"late", "slow"})
	for _, r := range []string{"late", "late", "what a peer said", ""} {
		c.add(r)
	}
	if want := (tally{"late": 2, "slow": 0, "other": 2}); !maps.Equal(c, want) {
		t.Errorf("%v, want %v", c, want)
	}
}
