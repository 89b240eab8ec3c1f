package command_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// answer is what tests read of a command.Reply.
type answer struct {
	OK       bool
	N        int
	Pos      map[string]string
	Messages []struct {
		Pos  string
		At   time.Time
		Data json.RawMessage
		Text *string
	}
	Top, Gap   string
	Incomplete bool
	Error      struct{ Code, Text string }
}

// read asks a line, and reads the answer.
func (b *bench) read(line string) (a answer) {
	b.t.Helper()
	text := b.ask(line, nil)
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		b.t.Fatalf("%s: %s: %v", line, text, err)
	}
	return a
}

// written are the messages of an answer, data with "=" before it.
func (a answer) written() string {
	var words []string
	for _, m := range a.Messages {
		if m.Text != nil {
			words = append(words, *m.Text)
		}
		if m.Data != nil {
			words = append(words, "="+string(m.Data))
		}
	}
	return strings.Join(words, " ") + a.Gap
}

// TestHistory tells where a publication stands, and what came after it.
func TestHistory(t *testing.T) {
	b := newBench(t)
	one := b.read(`{"cmd":"pub","to":"chat:7","data":{"a" : "<&>"}}`)
	at := one.Pos["chat:7"]
	if !one.OK || len(one.Pos) != 1 || !strings.HasSuffix(at, ".1") {
		t.Fatalf("the first is answered %+v", one)
	}
	again := `{"cmd":"pub","to":["chat:8","u:ann","chat:7"],"text":"hello \u0001 you","id":"a"}`
	two := b.read(again)
	if len(two.Pos) != 2 || two.Pos["chat:8"] != at || two.Pos["chat:7"] == at {
		t.Errorf("several are answered %+v", two)
	}
	if same := b.read(again); fmt.Sprint(same.Pos) != fmt.Sprint(two.Pos) {
		t.Errorf("asked again it is %+v", same)
	}
	if none := b.ask(`{"cmd":"pub","to":"u:ann","text":"x"}`, nil); none != `{"ok":true,"n":0}` {
		t.Errorf("without history: %s", none)
	}
	b.read(`{"cmd":"pub","to":"chat:7","text":"12"}`)
	b.read(`{"cmd":"pub","to":"chat:7","text":"` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `"}`)
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	all := b.read(`{"cmd":"history","to":"chat:7"}`)
	if got := all.written(); got != `={"a":"\u003c\u0026\u003e"} `+"hello \x01 you =12 "+deep {
		t.Errorf("all of it is %q", got)
	}
	for i, m := range all.Messages {
		if age := time.Since(m.At); age < -time.Second || age > time.Minute {
			t.Errorf("message %d is of %v", i, m.At)
		}
	}
	if all.Messages[0].Pos != at || all.Messages[1].Pos != two.Pos["chat:7"] || all.Messages[3].Pos != all.Top {
		t.Errorf("the positions are %+v", all)
	}
	since := `{"cmd":"history","to":"chat:7","since":"`
	for line, want := range map[string]string{
		since + two.Pos["chat:7"] + `"}`:                     "=12 " + deep,
		since + two.Pos["chat:7"] + `","limit":1}`:           "=12",
		since + all.Top + `"}`:                               "",
		since + strings.TrimSuffix(at, "1") + "zz" + `"}`:    "ahead",
		since + `another.1"}`:                                "epoch",
		`{"cmd":"history","to":"chat:7","limit":1}`:          deep,
		`{"cmd":"history","to":"chat:7","limit":0}`:          "",
		`{"cmd":"history","to":"chat:nothing"}`:              "",
		`{"cmd":"history","to":"chat:nothing","since":null}`: "",
	} {
		if got := b.read(line); !got.OK || got.written() != want || got.Top == "" || got.Messages == nil {
			t.Errorf("%s: %+v, want %q", line, got, want)
		}
	}
	if got := b.ask(`{"cmd":"forget","to":"chat:7"}`, nil); got != `{"ok":true}` {
		t.Errorf("forget: %s", got)
	}
	if got := b.read(since + at + `"}`); got.Gap != "expired" || got.Top != all.Top {
		t.Errorf("what was forgotten: %+v", got)
	}
}

// TestHistoryWrong refuses what cannot be, and says why.
func TestHistoryWrong(t *testing.T) {
	b := newBench(t)
	for line, want := range map[string]string{
		`{"cmd":"history","to":["chat:7","chat:8"]}`:         `one target`,
		`{"cmd":"history"}`:                                  `wants "to"`,
		`{"cmd":"history","to":"chat:7","limit":-1}`:         `"limit" is 0 to 10000`,
		`{"cmd":"history","to":"chat:7","limit":10001}`:      `"limit" is 0 to 10000`,
		`{"cmd":"history","to":"chat:7","limit":"1"}`:        `"limit" must be a whole number`,
		`{"cmd":"history","to":"chat:7","since":"x"}`:        `this is no position`,
		`{"cmd":"history","to":"chat:7","since":""}`:         `this is no position`,
		`{"cmd":"history","to":"chat:7","since":"K3F9.1"}`:   `this is no position`,
		`{"cmd":"history","to":"chat:7","since":7}`:          `"since" must be a string`,
		`{"cmd":"history","to":"*"}`:                         `no history is kept of "*"`,
		`{"cmd":"history","to":"u:ann"}`:                     `no history is kept of "u:ann"`,
		`{"cmd":"forget","to":["chat:7","g:room"]}`:          `no history is kept of "g:room"`,
		`{"cmd":"pub","to":"chat:7","data":1,"since":"a.1"}`: `takes no "since"`,
	} {
		if got := b.read(line); got.OK || got.Error.Code != "invalid" || !strings.Contains(got.Error.Text, want) ||
			strings.Contains(got.Error.Text, "push:") {
			t.Errorf("%s: %+v, want %s", line, got, want)
		}
	}
}

// TestHistoryBounds tells a MiB at a time, from which the next answer goes on, and leaves out positions that would make
// an answer too long.
func TestHistoryBounds(t *testing.T) {
	b := newBench(t)
	text := strings.Repeat("x", 60_000)
	var first string
	for i := range 40 {
		pos := b.read(fmt.Sprintf(`{"cmd":"pub","to":"chat:7","text":"%d %s"}`, i, text)).Pos["chat:7"]
		if i == 0 {
			first = pos
		}
	}
	seen := 1
	for since := first; ; {
		got := b.read(`{"cmd":"history","to":"chat:7","since":"` + since + `"}`)
		if got.Gap != "" || len(got.Messages) == 0 || len(got.Messages) > 17 {
			t.Fatalf("%d messages at once, gap %q", len(got.Messages), got.Gap)
		}
		for _, m := range got.Messages {
			if !strings.HasPrefix(*m.Text, fmt.Sprint(seen, " ")) {
				t.Fatalf("message %d is %.20q", seen, *m.Text)
			}
			seen, since = seen+1, m.Pos
		}
		if since == got.Top {
			break
		}
	}
	if seen != 40 {
		t.Errorf("%d messages were told", seen)
	}
	name := strings.Repeat("<", 240) // which JSON writes as six bytes each
	var targets []string
	for i := range 4000 {
		targets = append(targets, fmt.Sprintf(`"chat:%s%d"`, name, i))
	}
	line := `{"cmd":"pub","to":[` + strings.Join(targets, ",") + `],"data":1}`
	if got := b.ask(line, nil); got != `{"ok":true,"n":0,"incomplete":true}` {
		t.Errorf("positions of %d bytes: %.200s", len(got), got)
	}
	if len(line) > push.MaxAnswer {
		t.Error("the request is too long itself")
	}
}
