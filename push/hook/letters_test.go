package hook

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func batchOf(all ...string) *batch {
	b := &batch{}
	for _, e := range all {
		b.add([]byte(e))
	}
	return b
}

// TestBatch has events be marked once, however they look inside.
func TestBatch(t *testing.T) {
	b := batchOf(`{"type":"close","n":1}`, `{"data":",\"n\":5}","n":22}`, `{"data":{"a":1,"n":3},"again":true,"n":3}`,
		`{"data":{"again":true,"n":3},"n":4}`)
	want := `{"events":[{"type":"close","again":true,"n":1},{"data":",\"n\":5}","again":true,"n":22},` +
		`{"data":{"a":1,"n":3},"again":true,"n":3},{"data":{"again":true,"n":3},"again":true,"n":4}]}`
	for range 2 {
		if b.mark(); string(b.body()) != want || b.len() != 4 {
			t.Errorf("%s, want %s", b.body(), want)
		}
	}
	if got := string(b.event(1)); got != `{"data":",\"n\":5}","again":true,"n":22}` {
		t.Error(got)
	}
	if b.reset(); b.len() != 0 || string(b.body()) != `{"events":[]}` || b.marked {
		t.Errorf("%s", b.body())
	}
	large := batchOf(strings.Repeat(" ", maxBody))
	if large.hasRoom(10, 1) || !b.hasRoom(1, 2*maxBody) || batchOf("{}").hasRoom(1, 1) {
		t.Error("the bounds of a batch are others")
	}
	if large.reset(); cap(large.text) > 0 {
		t.Error("it keeps much memory")
	}
}

// TestDeadLetters has lines be whole though the disk was full, and the file be bounded until it is moved away.
func TestDeadLetters(t *testing.T) {
	name := filepath.Join(t.TempDir(), "dead")
	d := NewDeadLetters(name)
	at := time.UnixMilli(1795400000123)
	const first = `{"hook":"app","time":1795400000123,"why":"a \"why\"","event":{"a":1}}`
	if err := d.add("app", `a "why"`, at, batchOf(`{"a":1}`, `{"a":2}`)); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, name); len(got) != 2 || got[0] != first {
		t.Errorf("%s", got)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"hook":"ap`); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	if err := d.add("app", `a "why"`, at, batchOf(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, name); len(got) != 4 || got[2] != `{"hook":"ap` || got[3] != first {
		t.Errorf("%s", got)
	}
	d.max = 300
	for err == nil {
		err = d.add("app", `a "why"`, at, batchOf(`{"a":1}`))
	}
	if info, _ := os.Stat(name); !errors.Is(err, errFileFull) || info.Size() > d.max {
		t.Errorf("%v at %d bytes", err, info.Size())
	}
	if err := os.Rename(name, name+".old"); err != nil {
		t.Fatal(err)
	}
	err = d.add("app", `a "why"`, at, batchOf(`{"a":1}`))
	if got := lines(t, name); err != nil || !slices.Equal(got, []string{first}) {
		t.Errorf("%v, %s", err, got)
	}
}

// TestDeadLettersFull has a disk without room be an error.
func TestDeadLettersFull(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip(err)
	}
	err := NewDeadLetters(full).add("app", "why", time.Now(), batchOf(`{}`))
	if err == nil || !strings.HasPrefix(err.Error(), "hook: dead letters: ") {
		t.Error(err)
	}
}

// FuzzDeadLetters has each event be a line of JSON, whatever is told of it.
func FuzzDeadLetters(f *testing.F) {
	f.Add("app", "the answer is 404", "hello")
	f.Add("a\"b", "line\nline\x00\xff", "\",\"n\":1}\n")
	f.Fuzz(func(t *testing.T, hook, why, said string) {
		event, err := json.Marshal(map[string]any{"type": "message", "text": said, "n": 1})
		if err != nil {
			t.Skip()
		}
		text := deadLetters(hook, why, time.UnixMilli(1795400000123), batchOf(string(event), string(event)))
		all := strings.SplitAfter(string(text), "\n")
		if len(all) != 3 || all[2] != "" {
			t.Fatalf("%q", text)
		}
		for _, line := range all[:2] {
			var letter struct {
				Hook, Why string
				Time      int64
				Event     json.RawMessage
			}
			if err := json.Unmarshal([]byte(line), &letter); err != nil || string(letter.Event) != string(event) ||
				utf8.ValidString(hook) && letter.Hook != hook {
				t.Errorf("%q: %v", line, err)
			}
			if strings.ContainsFunc(line[:len(line)-1], func(r rune) bool { return r < ' ' }) {
				t.Errorf("%q has control characters", line)
			}
		}
	})
}
