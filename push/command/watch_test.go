package command_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// told are the events that were sent since, in short.
func (b *bench) told() (all []string) {
	b.t.Helper()
	for _, line := range b.events {
		var e command.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.At.IsZero() {
			b.t.Errorf("the event %s: %v", line, err)
		}
		_, number, _ := strings.Cut(e.Number, ".")
		short := fmt.Sprint(e.Event, " ", number)
		if e.Size != nil {
			short += fmt.Sprintf(" %q+%d %d bytes %q", e.To, e.Others, *e.Size, *e.Text)
		}
		if e.From != nil {
			short += " by " + e.From.Via
		}
		if e.N != nil {
			short += fmt.Sprintf(" n %d", *e.N)
		}
		for _, c := range e.Conns {
			short += " " + c.UID
		}
		if e.Error != nil {
			short += " " + string(e.Error.Code)
		}
		all = append(all, short)
	}
	b.events = nil
	return all
}

// TestWatch turns a connection into a stream of events about what its key is for.
func TestWatch(t *testing.T) {
	b := newBench(t)
	b.add("ann")
	b.add("bob")
	key := &command.Permit{Name: "k", Scopes: []command.Scope{command.Watch}, Targets: []string{"u:*"}}
	for _, c := range []struct{ line, answer string }{
		{`{"cmd":"watch"}`, "invalid"},
		{`{"cmd":"watch","to":["u:ann","u:bob"]}`, "invalid"},
		{`{"cmd":"watch","to":"g:room"}`, "denied"},
		{`{"cmd":"watch","to":"*"}`, "denied"},
		{`{"cmd":"watch","to":"u:"}`, "invalid"},
		{`{"cmd":"watch","to":"u:ann"}`, `{"ok":true}`},
	} {
		if got := b.ask(c.line, key); !strings.Contains(got, c.answer) {
			t.Errorf("%s: %s, want %s", c.line, got, c.answer)
		}
	}
	others := []command.Scope{command.Publish, command.Manage, command.Read, command.Admin}
	reader := &command.Permit{Name: "r", Scopes: others}
	if got := b.ask(`{"cmd":"watch","to":"u:ann"}`, reader); !strings.Contains(got, "denied") {
		t.Errorf("a key of all other scopes: %s", got)
	}
	long := strings.Repeat("é", 600)
	for _, line := range []string{
		`{"uid":"ann","<b>":1}`,
		`{"uid":"bob"}`,
		`{"cmd":"pub","to":["u:ann","*"],"text":"` + long + `"}`,
		`{"all":true}`,
	} {
		b.ask(line, nil)
	}
	want := []string{
		`publication 1 ["u:ann"]+0 21 bytes "{\"uid\":\"ann\",\"<b>\":1}" by line`,
		`delivery 1 n 1 ann`,
		`outcome 1 n 1`,
		`publication 3 ["u:ann"]+1 1200 bytes "` + long[:1024] + `" by line`,
		`delivery 3 n 1 ann`,
		`outcome 3 n 2`,
	}
	if got := b.told(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	b.watching.End()
	b.watching.End()
	b.ask(`{"uid":"ann"}`, nil)
	if got := b.told(); len(got) > 0 {
		t.Errorf("after the end: told %q", got)
	}
	http := ""
	b.Do([]byte(`{"to":"u:ann"}`), "watch", command.Caller{}, func(r command.Reply) { http = string(r.JSON()) })
	if !strings.Contains(http, "the port for lines") {
		t.Errorf("by HTTP: %s", http)
	}
}

// TestWatchFull leaves events out while the connection has no room, and tells how many.
func TestWatchFull(t *testing.T) {
	b := newBench(t)
	b.ask(`{"cmd":"watch","to":"u:ann"}`, nil)
	b.full = true
	b.ask(`{"uid":"ann"}`, nil)
	b.ask(`{"uid":"ann"}`, nil)
	b.watching.Resume() // too early
	b.full = false
	b.watching.Resume()
	b.watching.Resume()
	b.ask(`{"uid":"ann"}`, nil)
	want := []string{"missed  n 4", `publication 3 ["u:ann"]+0 13 bytes "{\"uid\":\"ann\"}" by line`, "outcome 3 n 0"}
	if got := b.told(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// TestWatchMost lets so many connections watch at a time, and one more when one has ended.
func TestWatchMost(t *testing.T) {
	b := newBench(t)
	const most, line = 16, `{"cmd":"watch","to":"*"}`
	for range most {
		if got := b.ask(line, nil); got != `{"ok":true}` {
			t.Fatal(got)
		}
	}
	if got := b.ask(line, nil); !strings.Contains(got, "too_many") {
		t.Errorf("one more: %s", got)
	}
	b.watching.End()
	if got := b.ask(line, nil); got != `{"ok":true}` {
		t.Errorf("when one has ended: %s", got)
	}
}

// TestWatchDocs has docs/push.md name each event, and each field of one.
func TestWatchDocs(t *testing.T) {
	text, err := os.ReadFile(docs + "push.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Following a message\n")
	section, _, _ = strings.Cut(section, "\n## ")
	names := []string{
		string(push.Published), string(push.Delivered), string(push.Finished), string(push.Refused), command.Missed,
	}
	for _, of := range []any{command.Event{}, command.Source{}, command.Conn{}} {
		for field := range reflect.TypeOf(of).Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	for _, name := range names {
		if !slices.Contains(words(section), name) {
			t.Errorf("%s is not there", name)
		}
	}
}
