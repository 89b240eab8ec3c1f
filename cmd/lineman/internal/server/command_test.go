package server_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestCommands runs every command, on pages of two uids.
func TestCommands(t *testing.T) {
	r := start(t, server.Config{Dev: true})
	b := r.backend()
	ann, bob := r.page("ann"), r.page("bob")
	r.known(b, "ann")
	r.known(b, "bob")
	ids := strings.Split(strings.TrimSuffix(after(ask(b, `{"cmd":"list","to":"*"}`), `"conns":[`), "]}"), ",")
	if len(ids) != 2 {
		t.Fatalf("the connections are %q", ids)
	}
	for _, c := range []struct{ line, answer string }{
		{`{"cmd":"join","uid":"ann","group":"room"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"join","uid":"bob","group":"room"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"join","uid":"nobody","group":"room"}`, `{"ok":true,"n":0}`},
		{`{"cmd":"subscribe","conn":` + ids[0] + `,"channel":"news:go"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"count","to":["*","u:ann","g:room","news:go","news:x"]}`, `{"ok":true,"counts":{"*":2,"g:room":2,"news:go":1,"news:x":0,"u:ann":1}}`},
		{`{"cmd":"online","uids":["ann","carl",7]}`, `{"ok":true,"online":{"7":false,"ann":true,"carl":false}}`},
		{`{"cmd":"list","to":"g:room"}`, `{"ok":true,"uids":["ann","bob"],"conns":[` + strings.Join(ids, ",") + `]}`},
		{`{"cmd":"groups"}`, `{"ok":true,"groups":["room"]}`},
		{`{"cmd":"channels"}`, `{"ok":true,"channels":["news:go"]}`},
		{`{"cmd":"pub","to":"g:room","data":{ "a" : [1, 2] }}`, `{"ok":true,"n":2}`},
		{`{"cmd":"pub","to":["u:ann","g:room"],"text":"once, \u00e9"}`, `{"ok":true,"n":2}`},
		{`{"cmd":"leave","uid":"ann","group":"room"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"unsubscribe","conn":` + ids[0] + `,"channel":"news:go"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"channels"}`, `{"ok":true}`},
		{`{"cmd":"pub","to":"g:room","text":"room"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"pub","to":"*","text":"last"}`, `{"ok":true,"n":2}`},
		{`{"cmd":"kick","uid":"bob","reason":"enough"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"online","uids":["bob"]}`, `{"ok":true,"online":{"bob":false}}`},
		{`{"cmd":"kick","conn":12345}`, `{"ok":true,"n":0}`},
		{`{"cmd":"pub","to":"u:ann","text":"twice asked","id":"order-9"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"pub","to":"u:ann","text":"twice asked","id":"order-9"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"pub","to":"u:ann","text":"end"}`, `{"ok":true,"n":1}`},
	} {
		if got := ask(b, c.line); got != c.answer {
			t.Errorf("%s: %s, want %s", c.line, got, c.answer)
		}
	}
	received(t, ann, `{ "a" : [1, 2] }`, "once, é", "last", "twice asked", "end")
	received(t, bob, `{ "a" : [1, 2] }`, "once, é", "room", "last")
	var e *websocket.CloseError
	if err := bob.Ended(); !errors.As(err, &e) || e.Code != 4010 || e.Reason != "enough" {
		t.Errorf("who was kicked is told %v", err)
	}
}

// after is what follows a part of a text.
func after(text, part string) string {
	_, rest, _ := strings.Cut(text, part)
	return rest
}

// received checks what a page got, beside what made it known.
func received(t *testing.T, c *linemantest.Client, want ...string) {
	t.Helper()
	for _, w := range want {
		got := c.Receive()
		for strings.Contains(got, "probe") {
			got = c.Receive()
		}
		if got != w {
			t.Errorf("a page got %q, want %q", got, w)
		}
	}
}

// TestCommandsWrong answers what is wrong, and changes nothing.
func TestCommandsWrong(t *testing.T) {
	r := start(t, server.Config{Dev: true})
	b := r.backend()
	for _, c := range []struct{ line, want string }{
		{`{"cmd":1}`, `\"cmd\" must be of type string`},
		{`{"cmd":"fly"}`, `unknown command \"fly\": want one of channels, count, groups, join`},
		{`{"cmd":"pub","to":"u:x","data":1,"colour":"red"}`, `pub takes no \"colour\": it takes to, data, text, except, id`},
		{`{"cmd":"pub","to":"u:x"}`, `pub wants \"data\"`},
		{`{"cmd":"pub","to":"u:x","data":1,"text":"x"}`, `pub wants \"data\"`},
		{`{"cmd":"pub","data":1}`, `has no target`},
		{`{"cmd":"pub","to":7,"data":1}`, `\"to\" must be a target`},
		{`{"cmd":"pub","to":["u:x",7],"data":1}`, `\"to\" must be a target`},
		{`{"cmd":"pub","to":"u:","data":1}`, `a uid has no name`},
		{`{"cmd":"pub","to":"u:x","text":7}`, `\"text\" must be of type string`},
		{`{"cmd":"pub","to":"u:x","data":1,"except":99}`, `no connection has the id 99`},
		{`{"cmd":"join","uid":"x"}`, `a group has no name`},
		{`{"cmd":"leave","uid":"x","group":"\u0000"}`, `control character`},
		{`{"cmd":"join","group":"g"}`, `join wants \"uid\" or \"conn\"`},
		{`{"cmd":"join","uid":"x","conn":1,"group":"g"}`, `join wants \"uid\" or \"conn\"`},
		{`{"cmd":"kick","uid":"x","code":1000}`, `a code is 4000 to 4999`},
		{`{"cmd":"kick","uid":"x","reason":"` + strings.Repeat("x", 124) + `"}`, `at most 123 bytes`},
		{`{"cmd":"count","to":"g:"}`, `a group has no name`},
		{`{"cmd":"list","to":["*","u:x"]}`, `list wants one target`},
		{`{"cmd":"list","to":""}`, `a channel has no name`},
		{`{"cmd":"online","uids":[1.5]}`, `must be a string or an integer`},
		{`{"cmd":"groups","uid":"x"}`, `groups takes no \"uid\"`},
	} {
		if got := ask(b, c.line); !strings.HasPrefix(got, `{"ok":false,"error":"`) || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.line, got, c.want)
		}
	}
	if got := ask(b, `{"cmd":"count","to":"*"}`); got != `{"ok":true,"counts":{"*":0}}` {
		t.Errorf("afterwards: %s", got)
	}
}

// FuzzLine feeds the port for back ends whatever may come: every line has an answer, and the server lives.
func FuzzLine(f *testing.F) {
	for _, line := range []string{`{"uid":"x"}`, `{"cmd":"pub","to":["u:x","*"],"data":{}}`, `{"cmd":"kick","conn":1}`, `{"cmd":"list","to":"*"}`, `[`, "\xff"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if strings.ContainsAny(string(line), "\r\n") || len(line) > 60_000 || strings.HasPrefix(string(line), "GET ") {
			t.Skip("more than one line, or none")
		}
		answer := server.Answer(line)
		if !strings.HasPrefix(answer, "error: ") && answer != "fail" && answer != "ok" && !strings.HasPrefix(answer, `{"ok":`) {
			t.Errorf("%q is answered %q", line, answer)
		}
	})
}
