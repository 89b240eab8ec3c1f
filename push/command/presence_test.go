package command_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push/command"
)

// TestPresence tells who is in a channel, counts many, and tells of all together.
func TestPresence(t *testing.T) {
	b := newBench(t)
	const one, many, all = `{"cmd":"presence","to":"room:1"}`, `{"cmd":"presence_count","to":["room:1","room:2"]}`,
		`{"cmd":"presence_stats"}`
	for line, want := range map[string]string{
		one:  `{"ok":true,"n":0,"users":{}}`,
		many: `{"ok":true,"counts":{"room:1":0,"room:2":0}}`,
		all:  `{"ok":true,"stats":{"channels":0,"users":0,"connections":0}}`,
		`{"cmd":"presence","to":["room:1","room:2"]}`:     `presence wants one channel`,
		`{"cmd":"presence","to":"chat:1"}`:                `presence is off in \"chat:1\"`,
		`{"cmd":"presence","to":"u:ann"}`:                 `presence is off in \"u:ann\"`,
		`{"cmd":"presence_count","to":["room:1","news"]}`: `presence is off in \"news\"`,
		`{"cmd":"presence","to":"room:1","limit":1}`:      `takes no \"limit\"`,
	} {
		got := b.ask(line, nil)
		if refused := strings.Contains(got, `"invalid"`) && strings.Contains(got, want); got != want && !refused {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	for i, uid := range []string{"ann", "bob", "ann"} {
		c, id := b.add(uid)
		if i == 0 {
			if err := b.hub.Member(c.id).SetInfo(json.RawMessage(`{"name": "<Ann>"}`)); err != nil {
				t.Fatal(err)
			}
		}
		b.ask(fmt.Sprintf(`{"cmd":"subscribe","to":%q,"channel":"room:1"}`, id), nil)
	}
	b.ask(`{"cmd":"subscribe","to":"u:bob","channel":"room:2"}`, nil)
	b.ask(`{"cmd":"session","to":"u:bob","data":{"info":7}}`, nil)
	for line, want := range map[string]string{
		one:  `{"ok":true,"n":2,"users":{"ann":{"name":"\u003cAnn\u003e"},"bob":7}}`,
		many: `{"ok":true,"counts":{"room:1":2,"room:2":1}}`,
		all:  `{"ok":true,"stats":{"channels":2,"users":3,"connections":3}}`,
	} {
		if got := b.ask(line, nil); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	for i := range 2 {
		_, id := b.add(fmt.Sprint("more", i))
		b.ask(fmt.Sprintf(`{"cmd":"subscribe","to":%q,"channel":"room:1"}`, id), nil)
	}
	if got := b.ask(`{"cmd":"presence","to":"room:1"}`, nil); got != `{"ok":true,"n":4,"more":true}` {
		t.Errorf("of many: %s", got)
	}
}

// TestPresenceOff names the setting, and asks nobody over a broker that is closed.
func TestPresenceOff(t *testing.T) {
	b := newBench(t)
	b.Table = command.New(b.hub, command.Options{NoPresence: "see namespaces"})
	if got := b.ask(`{"cmd":"presence","to":"news"}`, nil); !strings.Contains(got, `in \"news\": see namespaces"`) {
		t.Errorf("it is %s", got)
	}
	b.hub.Close()
	for _, line := range []string{
		`{"cmd":"presence","to":"room:1"}`, `{"cmd":"presence_count","to":"room:1"}`, `{"cmd":"presence_stats"}`,
	} {
		if got := b.ask(line, nil); !strings.Contains(got, `"unavailable"`) {
			t.Errorf("%s: %s", line, got)
		}
	}
	denied := b.ask(`{"cmd":"presence","to":"room:1"}`, &command.Permit{Scopes: []command.Scope{command.Publish}})
	if !strings.Contains(denied, `"denied"`) {
		t.Errorf("without the scope: %s", denied)
	}
}
