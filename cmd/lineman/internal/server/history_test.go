package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// read is what a back end reads of an answer.
type read struct {
	OK       bool
	N        int
	Pos      map[string]string
	Messages []struct{ Pos, Text string }
	Top, Gap string
	Error    struct{ Code, Text string }
}

// parse reads an answer.
func parse(t testing.TB, text string) (a read) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return a
}

// texts are those of the messages, and the gap.
func (a read) texts() (text string) {
	for _, m := range a.Messages {
		text += m.Text + " "
	}
	return text + a.Gap
}

// TestHistory keeps what the settings say, tells it by lines and by HTTP, and leaves to pages what they had before.
func TestHistory(t *testing.T) {
	c := devMode()
	c.Namespaces["chat"] = config.Namespace{Subscribe: "all", History: config.Retention{Size: 3, TTL: time.Hour}}
	c.Namespaces["price"] = config.Namespace{Subscribe: "all", History: config.Retention{Class: "latest"}}
	c.History.UIDs = config.Retention{Size: 10}
	r := start(t, c, server.Options{})
	page, b := r.page("ann"), r.backend()
	r.known(b, "ann")
	var positions []string
	for i := range 5 {
		line := fmt.Sprintf(`{"cmd":"pub","to":["chat:7","price:x","u:ann","g:room"],"text":"m%d"}`, i)
		answer := parse(t, ask(b, line))
		if len(answer.Pos) != 3 || answer.Pos["g:room"] != "" {
			t.Fatalf("%s: %+v", line, answer)
		}
		positions = append(positions, answer.Pos["chat:7"])
		if got := page.Receive(); got != fmt.Sprint("m", i) {
			t.Errorf("the page got %q", got)
		}
	}
	if got := ask(b, `{"uid":"ann","plain":1}`); got != "ok" || page.Receive() != `{"uid":"ann","plain":1}` {
		t.Errorf("a plain line: %s", got)
	}
	for line, want := range map[string]string{
		`{"to":"chat:7"}`: `m2 m3 m4 `,
		`{"to":"chat:7","since":"` + positions[2] + `"}`: `m3 m4 `,
		`{"to":"chat:7","since":"` + positions[0] + `"}`: `expired`,
		`{"to":"price:x","since":"a.1"}`:                 `m4 `,
		`{"to":"u:ann","limit":2}`:                       `m4  `, // and the plain line, as data
	} {
		byLine := ask(b, `{"cmd":"history",`+line[1:])
		status, byHTTP := r.call(post("history", line))
		if got := parse(t, byLine).texts(); got != want || status != 200 || byHTTP != byLine {
			t.Errorf("%s: %q, want %q; by HTTP %d %s", line, got, want, status, byHTTP)
		}
	}
	if status, text := r.call(post("history", `{"to":"g:room"}`)); status != 400 ||
		!strings.Contains(text, "history of its namespace, history.uids or history.groups says what is kept") {
		t.Errorf("without history: %d %s", status, text)
	}
	if status, text := r.call(post("forget", `{"to":["chat:7","u:ann"]}`)); status != 200 || text != `{"ok":true}` {
		t.Errorf("forget: %d %s", status, text)
	}
	if got := parse(t, ask(b, `{"cmd":"history","to":"chat:7"}`)); got.texts() != "" || got.Top != positions[4] {
		t.Errorf("what was forgotten: %+v", got)
	}
}

// TestHistoryKeys lets a key read and forget what its scopes and targets say.
func TestHistoryKeys(t *testing.T) {
	c := devMode()
	c.History.UIDs = config.Retention{Size: 10}
	const secret = "a secret of 22 letters"
	c.API.Keys = []config.Key{
		{Name: "reads", Key: secret + "1", Scopes: []string{"read"}, Targets: []string{"u:ann"}},
		{Name: "manages", Key: secret + "2", Scopes: []string{"manage"}},
		{Name: "publishes", Key: secret + "3", Scopes: []string{"publish"}},
	}
	r := start(t, c, server.Options{})
	for _, w := range []struct {
		key     string
		request call
		status  int
	}{
		{"1", post("history", `{"to":"u:ann"}`), 200}, {"1", post("history", `{"to":"u:bob"}`), 403},
		{"1", post("forget", `{"to":"u:ann"}`), 403}, {"2", post("forget", `{"to":"u:ann"}`), 200},
		{"2", post("history", `{"to":"u:ann"}`), 403}, {"3", post("history", `{"to":"u:ann"}`), 403},
		{"4", post("history", `{"to":"u:ann"}`), 401},
	} {
		if status, text := r.call(w.request.with("Authorization", "Bearer "+secret+w.key)); status != w.status {
			t.Errorf("%s with key %s: %d %s, want %d", w.request.path, w.key, status, text, w.status)
		}
	}
}

// TestHistoryBudget keeps no more than history.memory.
func TestHistoryBudget(t *testing.T) {
	c := devMode()
	c.History.UIDs, c.History.Memory = config.Retention{Size: 1000}, 100_000
	r := start(t, c, server.Options{})
	b := r.backend()
	text := strings.Repeat("x", 10_000)
	for i := range 20 {
		if a := parse(t, ask(b, fmt.Sprintf(`{"cmd":"pub","to":"u:%d","text":"%s"}`, i%2, text))); len(a.Pos) != 1 {
			t.Fatalf("publication %d: %+v", i, a)
		}
	}
	kept := 0
	for i := range 2 {
		kept += len(parse(t, ask(b, fmt.Sprintf(`{"cmd":"history","to":"u:%d"}`, i))).Messages)
	}
	if kept != 9 {
		t.Errorf("%d messages of 10 kB are kept in 100 kB", kept)
	}
}
