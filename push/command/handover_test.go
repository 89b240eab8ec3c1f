package command_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push/command"
)

var appKey = &command.Permit{Name: "app", Scopes: []command.Scope{command.Publish, command.Manage}}

// handOver makes a bench that has what another one has, but for its connections.
func (b *bench) handOver() *bench {
	b.t.Helper()
	to := newBench(b.t)
	if err := to.RestoreState(b.AppendState(nil)); err != nil {
		b.t.Fatal(err)
	}
	return to
}

// TestHandover has a successor answer requests as they were, and do none again, for as long as the predecessor would.
func TestHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := []string{
			`{"cmd":"pub","id":"1","to":"chat:1","text":"one"}`,
			`{"cmd":"pub","id":"2","to":"u:ann","text":"two"}`,
			`{"cmd":"kick","id":"3","to":["shut"],"code":1}`,
		}
		b := newBench(t)
		b.add("ann")
		var answers []string
		for _, line := range lines {
			answers = append(answers, b.ask(line, appKey))
		}
		if !strings.Contains(answers[0], `"pos"`) || answers[1] != `{"ok":true,"n":1}` ||
			!strings.Contains(answers[2], "code") {
			t.Fatalf("the answers are %q", answers)
		}
		time.Sleep(4 * time.Minute)
		b = b.handOver().handOver()
		for i, line := range lines {
			if again := b.ask(line, appKey); again != answers[i] {
				t.Errorf("%s: the successor answers %s, want %s", line, again, answers[i])
			}
			if other := b.ask(line, nil); other == answers[i] && i < 2 {
				t.Errorf("%s: another key is answered the same", line)
			}
		}
		other := `{"cmd":"pub","id":"1","to":"chat:1","text":"another"}`
		if answer := b.ask(other, appKey); !strings.Contains(answer, "another request") {
			t.Errorf("another request of this id is answered %s", answer)
		}
		time.Sleep(time.Minute)
		if late := b.ask(lines[1], appKey); late != `{"ok":true,"n":0}` {
			t.Errorf("after five minutes it is answered %s", late)
		}
	})
}

// TestHandoverWatching has a connection go on to watch, and be told how much it has missed before and after.
func TestHandoverWatching(t *testing.T) {
	b := newBench(t)
	b.ask(`{"cmd":"watch","to":"chat:1"}`, nil)
	b.full = true
	b.ask(`{"cmd":"pub","to":"chat:1","text":"one"}`, nil)
	to := b.handOver()
	to.full = true
	if _, err := to.RestoreWatching(b.watching.AppendState(nil), command.Caller{Stream: to}); err != nil {
		t.Fatal(err)
	}
	to.ask(`{"cmd":"pub","to":"chat:1","text":"two"}`, nil)
	to.full = false
	to.watching.Resume()
	to.ask(`{"cmd":"pub","to":"chat:1","text":"three"}`, nil)
	if len(to.events) != 3 || !strings.Contains(to.events[0], `"event":"missed"`) ||
		!strings.Contains(to.events[0], `"n":4`) || !strings.Contains(to.events[1], "three") {
		t.Errorf("it is told %q", to.events)
	}
	gone := strings.Replace(string(b.watching.AppendState(nil)), "chat:1", "c:a.77", 1)
	if _, err := to.RestoreWatching([]byte(gone), command.Caller{Stream: to}); err == nil {
		t.Error("a connection that has not crossed is watched")
	}
}

// goldenState is a Table with all that its state may have.
func goldenState(t testing.TB) []byte {
	b := newBench(t)
	b.ask(`{"cmd":"pub","id":"1","to":"u:ann","text":"one"}`, appKey)
	b.ask(`{"cmd":"kick","id":"2","to":"u:ann","code":1}`, appKey)
	return b.AppendState(nil)
}

// TestGolden has version 1 be read for ever, what a later one writes be refused, and requests have the same fingerprint
// in every process.
func TestGolden(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "golden.state"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		if got := goldenState(t); !bytes.Equal(got, want) {
			t.Errorf("the state is %q, want %q: what is written otherwise is another version", got, want)
		}
	})
	b := newBench(t)
	b.add("ann")
	if err := b.RestoreState(want); err != nil {
		t.Fatal(err)
	}
	line := `{"cmd":"pub","id":"1","to":"u:ann","text":"one"}`
	if got := b.ask(line, appKey); got != `{"ok":true,"n":0}` {
		t.Errorf("it is answered %s", got)
	}
	for _, later := range [][]byte{append([]byte{2}, want[1:]...), fields.Uint(want, 100, 1)} {
		if err := newBench(t).RestoreState(later); !errors.Is(err, fields.ErrNewer) {
			t.Errorf("what a later version says: %v", err)
		}
	}
}

// FuzzRestoreState has no state make the Table panic.
func FuzzRestoreState(f *testing.F) {
	f.Add(goldenState(f))
	f.Fuzz(func(t *testing.T, state []byte) {
		b := newBench(t)
		if b.RestoreState(state) == nil {
			b.ask(`{"cmd":"pub","id":"1","to":"u:ann","text":"one"}`, appKey)
			b.AppendState(nil)
		}
		_, _ = b.RestoreWatching(state, command.Caller{Stream: b}) // it must not panic
	})
}
