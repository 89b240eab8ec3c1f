package command_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push/command"
)

// TestCommands runs every command, on connections of two uids.
func TestCommands(t *testing.T) {
	b := newBench(t)
	ann, annID := b.add("ann")
	bob, bobID := b.add("bob")
	cachedRequest := map[string]bool{}
	for _, c := range []struct{ line, answer string }{
		{`{"cmd":"join","to":"u:ann","group":"room"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"join","to":["u:bob","u:ann","*"],"group":"room"}`, `{"ok":true,"n":2}`},
		{`{"cmd":"join","to":"u:nobody","group":"room"}`, `{"ok":true,"n":0}`},
		{`{"cmd":"subscribe","to":"ANN","channel":"news:go"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"count","to":["*","u:ann","g:room","news:go","news:x"]}`,
			`{"ok":true,"counts":{"*":2,"g:room":2,"news:go":1,"news:x":0,"u:ann":1}}`},
		{`{"cmd":"online","uids":["ann","carl",7]}`, `{"ok":true,"online":{"7":false,"ann":true,"carl":false}}`},
		{`{"cmd":"list","to":"g:room"}`, `{"ok":true,"uids":["ann","bob"],"conns":["ANN","BOB"]}`},
		{`{"cmd":"list","to":"g:nobody"}`, `{"ok":true,"uids":[],"conns":[]}`},
		{`{"cmd":"groups"}`, `{"ok":true,"groups":["room"]}`},
		{`{"cmd":"channels"}`, `{"ok":true,"channels":["news:go"]}`},
		{`{"cmd":"nodes"}`, `{"ok":true,"nodes":{"NODE":2}}`},
		{`{"cmd":"session","to":"u:ann","data":{"cart": 3}}`, `{"ok":true,"n":1}`},
		{`{"cmd":"sessions","to":"*"}`, `{"ok":true,"sessions":{"ANN":{"cart":3}}}`},
		{`{"cmd":"session","to":"*","data":null}`, `{"ok":true,"n":2}`},
		{`{"cmd":"sessions","to":"*"}`, `{"ok":true}`},
		{`{"cmd":"pub","to":"g:room","data":{ "a" : [1, 2] }}`, `{"ok":true,"n":2}`},
		{`{"cmd":"pub","to":["u:ann","g:room"],"text":"once, \u00e9"}`, `{"ok":true,"n":2}`},
		{`{"cmd":"pub","to":"*","data":null,"except":"BOB"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"pub","to":["ANN","u:ann"],"text":"only you"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"leave","to":"u:ann","group":"room"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"unsubscribe","to":"ANN","channel":"news:go"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"channels"}`, `{"ok":true,"channels":[]}`},
		{`{"cmd":"pub","to":"g:room","text":"room"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"kick","to":"u:bob","reason":"enough"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"online","uids":["bob"]}`, `{"ok":true,"online":{"bob":false}}`},
		{`{"cmd":"kick","to":"BOB"}`, `{"ok":true,"n":0}`},
		{`{"cmd":"pub","to":"u:ann","text":"at once","wait":1000}`, `{"ok":true,"n":1}`},
		{`{"cmd":"pub","to":"u:ann","text":"twice asked","id":"order-9"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"pub","to":"u:ann","text":"twice asked","id":"order-9"}`, `{"ok":true,"n":1}`},
		{`{"to":"u:ann","id":"order-9","text":"twice asked","cmd":"pub"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"pub","to":"u:ann","text":"another","id":"order-9"}`,
			`{"ok":false,"error":{"code":"invalid","text":"\"id\" is that of another request of the last five ` +
				`minutes: give each its own, and repeat one as it was"}}`},
		{`{"cmd":"kick","to":"u:ann","id":"order-9"}`,
			`{"ok":false,"error":{"code":"invalid","text":"\"id\" is that of another request of the last five ` +
				`minutes: give each its own, and repeat one as it was"}}`},
		{`{"cmd":"count","to":"u:ann","id":"order-9"}`, `{"ok":true,"counts":{"u:ann":1}}`},
		{`{"cmd":"count","to":"u:bob","id":"order-9"}`, `{"ok":true,"counts":{"u:bob":0}}`},
		{`{"cmd":"revoke","uid":"ann"}`, `{"ok":true,"n":1}`},
		{`{"cmd":"revoke","uid":7}`, `{"ok":true,"n":0}`},
		{`{"cmd":"forget","to":["chat:7","chat:8"]}`, `{"ok":true}`},
		{`{"cmd":"history","to":"news"}`,
			`{"ok":false,"error":{"code":"invalid","text":"no history is kept of \"news\""}}`},
		{`{"cmd":"presence","to":"room:1"}`, `{"ok":true,"n":0,"users":{}}`},
		{`{"cmd":"presence_count","to":"room:1"}`, `{"ok":true,"counts":{"room:1":0}}`},
		{`{"cmd":"presence_stats"}`, `{"ok":true,"stats":{"channels":0,"users":0,"connections":0}}`},
		{`{"cmd":"watch","to":"u:ann"}`, `{"ok":true}`},
	} {
		node, _, _ := strings.Cut(strings.TrimPrefix(string(annID), "c:"), ".")
		names := strings.NewReplacer("ANN", string(annID), "BOB", string(bobID), "NODE", node)
		if got := b.ask(names.Replace(c.line), nil); got != names.Replace(c.answer) {
			t.Errorf("%s: %s, want %s", c.line, got, c.answer)
		}
		_, rest, _ := strings.Cut(c.line, `"cmd":"`)
		name, _, _ := strings.Cut(rest, `"`)
		cachedRequest[name] = true
	}
	for _, name := range b.Names() {
		if !cachedRequest[name] {
			t.Errorf("%s was not tried", name)
		}
	}
	if want := []string{
		`{ "a" : [1, 2] }`, "once, é", "null", "only you", "at once", "twice asked",
	}; !slices.Equal(ann.got, want) {
		t.Errorf("ann got %q", ann.got)
	}
	if want := []string{`{ "a" : [1, 2] }`, "once, é", "room"}; !slices.Equal(bob.got, want) {
		t.Errorf("bob got %q", bob.got)
	}
	if ann.closed != "4001 the credential was revoked" || bob.closed != "4010 enough" ||
		fmt.Sprint(b.revoked) != "[ann 7]" {
		t.Errorf("they were closed with %q and %q; revoked are %q", ann.closed, bob.closed, b.revoked)
	}
}

// TestCommandsWrong answers what is wrong, and changes nothing.
func TestCommandsWrong(t *testing.T) {
	b := newBench(t)
	c, _ := b.add("x")
	for _, w := range []struct{ line, code, text string }{
		{`{"cmd":1}`, "invalid", `\"cmd\" must be a string`},
		{`{"cmd":"fly"}`, "unknown_command", `unknown command \"fly\": want one of pub, join`},
		{`{"cmd":"pub","to":"u:x","data":1,"colour":"red"}`, "invalid",
			`pub takes no \"colour\": it takes to, data, text, except, wait, id`},
		{`{"cmd":"pub","To":"u:x","data":1}`, "invalid", `pub takes no \"To\"`},
		{`{"cmd":"pub","to":"u:x"}`, "invalid", `pub wants \"data\"`},
		{`{"cmd":"pub","to":"u:x","data":1,"text":"x"}`, "invalid", `pub wants \"data\"`},
		{`{"cmd":"pub","data":1}`, "invalid", `pub wants \"to\"`},
		{`{"cmd":"pub","to":null,"data":1}`, "invalid", `\"to\" must be a target`},
		{`{"cmd":"pub","to":[],"data":1}`, "invalid", `has no target`},
		{`{"cmd":"pub","to":7,"data":1}`, "invalid", `\"to\" must be a target`},
		{`{"cmd":"pub","to":["u:x",7],"data":1}`, "invalid", `\"to\" must be a target`},
		{`{"cmd":"pub","to":["u:x",null],"data":1}`, "invalid", `\"to\" must be a target`},
		{`{"cmd":"pub","to":"u:","data":1}`, "invalid", `a uid has no name`},
		{`{"cmd":"pub","to":"u:x","text":7}`, "invalid", `\"text\" must be a string`},
		{`{"cmd":"pub","to":"u:x","data":1,"except":7}`, "invalid", `\"except\" must be a string`},
		{`{"cmd":"pub","to":"u:x","data":1,"wait":1.5}`, "invalid", `\"wait\" must be a whole number`},
		{`{"cmd":"online","uids":7}`, "invalid", `\"uids\" must be a list`},
		{`{"cmd":"pub","to":"u:x","data":1,"except":"u:y"}`, "invalid", `only a connection can be excepted`},
		{`{"cmd":"pub","to":"u:x","data":1,"except":"c:99"}`, "invalid", `no connection is called \"99\"`},
		{`{"cmd":"pub","to":"u:x","data":"` + strings.Repeat("x", 64<<10) + `"}`, "invalid", `at most 65536 bytes`},
		{`{"cmd":"pub","to":"u:x","data":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`, "",
			`nested deeper than 64`},
		{`{"cmd":"pub","to":"u:x","data":1,"id":"` + strings.Repeat("x", 256) + `"}`, "invalid",
			`\"id\" has at most 255 bytes`},
		{`{"cmd":"join","to":"u:x"}`, "invalid", `join wants \"group\"`},
		{`{"cmd":"join","to":"u:x","group":""}`, "invalid", `has no name`},
		{`{"cmd":"pub","to":"u:x","data":1,"wait":-1}`, "invalid", `0 to 30000 milliseconds`},
		{`{"cmd":"pub","to":"u:x","data":1,"wait":30001}`, "invalid", `0 to 30000 milliseconds`},
		{`{"cmd":"kick","to":"u:y","to":"u:x"}`, "invalid", `\"to\" comes twice`},
		{`{"cmd":"kick","cmd":"pub","to":"u:x"}`, "invalid", `\"cmd\" comes twice`},
		{`{"cmd":"kick","Cmd":"pub","to":"u:x","data":1}`, "invalid", `pub takes no \"Cmd\"`},
		{`{"cmd":"pub","to":"u:x","data":1,"\u0064ata":2}`, "invalid", `\"data\" comes twice`},
		{`{"cmd":"pub","to":"u:x","data":1,"id":"a","id":"b"}`, "invalid", `\"id\" comes twice`},
		{`{"cmd":"revoke","uid":"y","uid":"x"}`, "invalid", `\"uid\" comes twice`},
		{`{"cmd":"pub","to":"u:x","text":"\ud800"}`, "invalid", `\"text\" has half of a surrogate pair`},
		{`{"cmd":"pub","to":"u:x","data":1,"id":"\ud800"}`, "invalid", `\"id\" has half of a surrogate pair`},
		{`{"cmd":"pub","to":["u:x","u:\udfff"],"data":1}`, "invalid", `\"to\" has half of a surrogate pair`},
		{`{"cmd":"pub","to":"u:x","except":"c:\ud8001","data":1}`, "invalid",
			`\"except\" has half of a surrogate pair`},
		{`{"cmd":"join","to":"u:x","group":"\ud800"}`, "invalid", `\"group\" has half of a surrogate pair`},
		{`{"cmd":"subscribe","to":"u:x","channel":"\ud800\u0041"}`, "invalid",
			`\"channel\" has half of a surrogate pair`},
		{`{"cmd":"revoke","uid":"\udc00"}`, "invalid", `\"uid\" has half of a surrogate pair`},
		{`{"cmd":"online","uids":["x","\ud800"]}`, "invalid", `\"uids\" has half of a surrogate pair`},
		{`{"cmd":"kick","to":"u:x","reason":"\ud800"}`, "invalid", `\"reason\" has half of a surrogate pair`},
		{`{"cmd":"join","to":"u:x","group":"a\u009b"}`, "invalid", `control character`},
		{`{"cmd":"subscribe","to":"u:x","channel":"a\u202eb"}`, "invalid", `not seen`},
		{`{"cmd":"pub","to":[` + strings.Repeat(`"u:x",`, 10_000) + `"u:x"],"data":1}`, "invalid",
			`10001 targets: at most 10000`},
		{`{"cmd":"count","to":[` + strings.Repeat(`"u:x",`, 10_000) + `"u:x"]}`, "invalid",
			`10001 targets: at most 10000`},
		// not decoded
		{`{"cmd":"count","to":[` + strings.Repeat(`1,`, 10_000) + `1]}`, "invalid", `10001 targets: at most 10000`},
		{`{"cmd":"count","TO":[` + strings.Repeat(`[1],`, 10_000) + `1]}`, "invalid", `10001 targets: at most 10000`},
		{`{"cmd":"count",` + strings.Repeat(`"to":"u:x",`, 100) + `"to":"*"}`, "invalid", `more than 32 fields`},
		{`{"cmd":"online","uids":[` + strings.Repeat(`1,`, 10_000) + `1]}`, "invalid", `10001 targets: at most 10000`},
		{`{"cmd":"pub","to":[` + strings.Repeat(`"u:x",`, 9999) + `"u:x"],"data":1}`, "invalid", `is named twice`},
		{`{"cmd":"kick","to":[]}`, "invalid", `no target`},
		{`{"cmd":"online","uids":[]}`, "invalid", `no target`},
		{`{"cmd":"join","to":"u:x","group":""}`, "invalid", `a group has no name`},
		{`{"cmd":"subscribe","to":"u:nobody","channel":"u:7"}`, "invalid", `another kind`},
		{`{"cmd":"leave","to":"u:x","group":"\u0000"}`, "invalid", `control character`},
		{`{"cmd":"join","group":"g"}`, "invalid", `join wants \"to\"`},
		{`{"cmd":"join","to":["u:x","g:"],"group":"g"}`, "invalid", `a group has no name`},
		{`{"cmd":"subscribe","to":"u:x","channel":"u:y"}`, "invalid", `another kind`},
		{`{"cmd":"subscribe","to":"u:x","channel":"shut:y"}`, "invalid", `is closed`},
		{`{"cmd":"kick","to":"u:x","code":1000}`, "invalid", `a code is 4000 to 4999`},
		{`{"cmd":"kick","to":"u:x","reason":"` + strings.Repeat("x", 124) + `"}`, "invalid", `at most 123 bytes`},
		{`{"cmd":"kick","to":["u:x","u:"]}`, "invalid", `a uid has no name`},
		{`{"cmd":"session","to":"u:x"}`, "invalid", `session wants \"data\"`},
		{`{"cmd":"session","to":"u:x","data":"` + strings.Repeat("x", 4<<10) + `"}`, "invalid", `at most 4096 bytes`},
		{`{"cmd":"sessions","to":"g:"}`, "invalid", `a group has no name`},
		{`{"cmd":"revoke","uid":1.5}`, "invalid", `must be a string or an integer`},
		{`{"cmd":"revoke","uid":""}`, "invalid", `a uid has no name`},
		{`{"cmd":"count","to":"g:"}`, "invalid", `a group has no name`},
		{`{"cmd":"list","to":""}`, "invalid", `a channel has no name`},
		{`{"cmd":"online","uids":[1.5]}`, "invalid", `must be a string or an integer`},
		{`{"cmd":"groups","uid":"x"}`, "invalid", `groups takes no \"uid\"`},
	} {
		got := b.ask(w.line, nil)
		if w.code == "" {
			w.text = strings.ReplaceAll(w.text, `\"`, `"`)
		} else if !strings.HasPrefix(got, `{"ok":false,"error":{"code":"`+w.code+`","text":"`) {
			t.Errorf("%.80s: %s, want the code %s", w.line, got, w.code)
		}
		if !strings.Contains(got, w.text) {
			t.Errorf("%.80s: %s, want %s", w.line, got, w.text)
		}
	}
	if got := b.ask(`{"cmd":"count","to":["*","g:g","shut:y"]}`,
		nil); got != `{"ok":true,"counts":{"*":1,"g:g":0,"shut:y":0}}` {
		t.Errorf("afterwards: %s", got)
	}
	if len(c.got) > 0 || c.closed != "" || len(b.revoked) > 0 {
		t.Errorf("it got %q, was closed with %q; revoked are %q", c.got, c.closed, b.revoked)
	}
}

// TestBounds has the last value that is allowed be taken, and the next one refused.
func TestBounds(t *testing.T) {
	b := newBench(t)
	x := func(n int) string { return strings.Repeat("x", n) }
	nested := func(n int) string { // with the object around it
		return strings.Repeat("[", n-1) + strings.Repeat("]", n-1)
	}
	for _, c := range []struct{ last, next string }{
		{`{"cmd":"kick","to":"u:x","code":4000}`, `{"cmd":"kick","to":"u:x","code":3999}`},
		{`{"cmd":"kick","to":"u:x","code":4999}`, `{"cmd":"kick","to":"u:x","code":5000}`},
		{`{"cmd":"kick","to":"u:x","reason":"` + x(123) + `"}`, `{"cmd":"kick","to":"u:x","reason":"` + x(124) + `"}`},
		{`{"cmd":"session","to":"u:x","data":"` + x(4094) + `"}`,
			`{"cmd":"session","to":"u:x","data":"` + x(4095) + `"}`},
		{`{"cmd":"pub","to":"u:x","data":1,"wait":30000}`, `{"cmd":"pub","to":"u:x","data":1,"wait":30001}`},
		{`{"cmd":"pub","to":"u:x","data":1,"wait":0}`, `{"cmd":"pub","to":"u:x","data":1,"wait":-1}`},
		{`{"cmd":"pub","to":"u:x","data":1,"id":"` + x(255) + `"}`,
			`{"cmd":"pub","to":"u:x","data":1,"id":"` + x(256) + `"}`},
		{`{"cmd":"pub","to":"u:x","data":` + nested(64) + `}`, `{"cmd":"pub","to":"u:x","data":` + nested(65) + `}`},
		{"\t{\r\n\t\"cmd\"\r:\t\"pub\"\n,\r\"to\"\t:\n\"u:x\",\"data\"\n:\t1\r}\n", "\v{}"},
	} {
		if got := b.ask(c.last, nil); strings.Contains(got, "error") {
			t.Errorf("%.60q is refused: %s", c.last, got)
		}
		if got := b.ask(c.next, nil); !strings.Contains(got, "error") {
			t.Errorf("%.60q is taken: %s", c.next, got)
		}
	}
}

// TestLines sends plain lines as they are.
func TestLines(t *testing.T) {
	b := newBench(t)
	ann, _ := b.add("ann")
	seven, _ := b.add("7")
	for _, c := range []struct{ line, answer string }{
		{``, "error: there is nothing: want a JSON object"},
		{`hello`, "error: not a JSON object"},
		{`null`, "error: not a JSON object"},
		{`[1]`, "error: not a JSON object"},
		{"{\"uid\":\"\xff\"}", "error: not UTF-8"},
		{`{}`, `error: no "uid"`},
		{`{"UID":"x"}`, `error: no "uid": "UID" is written "uid"`},
		{`{"Cmd":"pub","to":"u:ann"}`, `error: no "uid": "Cmd" is written "cmd"`},
		{`{"to":"u:ann","data":1}`, `error: no "uid": a command that has "to" says which it is: {"cmd":"pub",…}`},
		{`{"channel":"news","text":"x"}`,
			`error: no "uid": a command that has "channel" says which it is: {"cmd":"pub",…}`},
		{`{"uid":"x","uid":"ann"}`, `error: "uid" comes twice`},
		{`{"uid":"ann","\u0075id":"ann"}`, `error: "uid" comes twice`},
		{`{"all":false,"all":true}`, `error: "all" comes twice`},
		{`{"uid":"\ud800"}`, `error: "uid" has half of a surrogate pair`},
		{`{"uid":"a\udc00\ud800b"}`, `error: "uid" has half of a surrogate pair`},
		{`{"uid":"\ud83d\ude00\ud83d"}`, `error: "uid" has half of a surrogate pair`},
		{`{"uid":"\ud83d\\ude00"}`, `error: "uid" has half of a surrogate pair`},
		{`{"uid":"\u0085"}`, `error: the name of a uid has a control character, U+0085`},
		{`{"uid":"\ufffd"}`, `error: the name of a uid has a character that could not be decoded, U+FFFD`},
		{`{"uid":"\ud83d\ude00"}`, "fail"},
		{`{"uid":"\\ud800"}`, "fail"},
		{`{"a":{"uid":"ann"}}`, `error: no "uid"`},
		{`{"uid":null}`, `error: a uid must be a string or an integer`},
		{`{"uid":1.5}`, `error: a uid must be a string or an integer`},
		{`{"uid":true}`, `error: a uid must be a string or an integer`},
		{`{"uid":""}`, "error: a uid has no name"},
		{`{"uid":"` + strings.Repeat("x", 256) + `"}`,
			"error: the name of a uid has 256 bytes: at most 255 are allowed"},
		{`{"all":1}`, `error: "all" must be true`},
		{`{"all":true,"uid":"x"}`, `error: "uid" and "all" in one line`},
		{`{"uid":"x"}`, "fail"},
		{`{"uid":"ann"}`, "ok"},
		{` { "n" : [1,{"uid":2}] , "uid":"an\u006e" } `, "ok"},
		{`{"\u0075id":"ann"}`, "ok"},
		{`{"uid":"ann","n":1,"n":"\ud800"}`, "ok"},
		{`{"uid":7}`, "ok"},
		{`{"uid":"7","n":-1e3}`, "ok"},
		{`{"all":true}`, "ok"},
	} {
		if got := b.ask(c.line, nil); got != c.answer {
			t.Errorf("%s: %q, want %q", c.line, got, c.answer)
		}
	}
	if want := []string{
		`{"uid":"ann"}`, ` { "n" : [1,{"uid":2}] , "uid":"an\u006e" } `, `{"\u0075id":"ann"}`,
		`{"uid":"ann","n":1,"n":"\ud800"}`, `{"all":true}`,
	}; !slices.Equal(ann.got, want) {
		t.Errorf("ann got %q", ann.got)
	}
	if want := []string{`{"uid":7}`, `{"uid":"7","n":-1e3}`, `{"all":true}`}; !slices.Equal(seven.got, want) {
		t.Errorf("7 got %q", seven.got)
	}
}

// TestPermit lets a key do what its scopes and targets say, and nothing else.
func TestPermit(t *testing.T) {
	b := newBench(t)
	c, id := b.add("ann")
	shop := &command.Permit{
		Name: "shop", Scopes: []command.Scope{command.Publish, command.Read}, Targets: []string{"u:*", "chat:*"},
	}
	all := &command.Permit{Name: "all", Scopes: []command.Scope{command.Publish, command.Manage, command.Read}}
	for _, w := range []struct {
		line    string
		permit  *command.Permit
		allowed bool
	}{
		{`{"cmd":"pub","to":"u:ann","data":1}`, shop, true},
		{`{"cmd":"pub","to":["u:ann","chat:7"],"data":1}`, shop, true},
		{`{"cmd":"pub","to":["u:ann","g:room"],"data":1}`, shop, false},
		{`{"cmd":"pub","to":"*","data":1}`, shop, false},
		{`{"cmd":"pub","to":"` + string(id) + `","data":1}`, shop, false},
		{`{"uid":"ann"}`, shop, true},
		{`{"all":true}`, shop, false},
		{`{"cmd":"count","to":"chat:1"}`, shop, true},
		{`{"cmd":"online","uids":["ann"]}`, shop, true},
		{`{"cmd":"groups"}`, shop, false},
		{`{"cmd":"history","to":"chat:7"}`, shop, true},
		{`{"cmd":"history","to":"news"}`, shop, false},
		{`{"cmd":"forget","to":"chat:7"}`, shop, false},
		{`{"cmd":"forget","to":"chat:7"}`, all, true},
		{`{"cmd":"join","to":"u:ann","group":"room"}`, shop, false},
		{`{"cmd":"kick","to":"u:ann"}`, shop, false},
		{`{"cmd":"revoke","uid":"ann"}`, shop, false},
		{`{"cmd":"groups"}`, all, true},
		{`{"cmd":"join","to":"u:ann","group":"room"}`, all, true},
		{`{"all":true}`, all, true},
		{`{"cmd":"pub","to":"*","data":1}`, &command.Permit{Name: "none"}, false},
	} {
		got := b.ask(w.line, w.permit)
		denied := strings.Contains(got, `"code":"denied"`) ||
			strings.HasPrefix(got, `error: the key "`+w.permit.Name+`"`)
		if denied == w.allowed {
			t.Errorf("%s by %s: %s", w.line, w.permit.Name, got)
		}
	}
	if len(c.got) != 4 || c.closed != "" {
		t.Errorf("it got %q, and was closed with %q", c.got, c.closed)
	}
	// What one key asked under an id is another request for another key.
	b.ask(`{"cmd":"pub","to":"u:ann","data":1,"id":"a"}`, shop)
	b.ask(`{"cmd":"pub","to":"u:ann","data":1,"id":"a"}`, all)
	if len(c.got) != 6 {
		t.Errorf("with the same id of two keys it got %q", c.got)
	}
}

// TestLongText takes a long text for one thing, whatever is in it.
func TestLongText(t *testing.T) {
	b := newBench(t)
	text := strings.Repeat(`,[\"`, 12_000)
	if got := b.ask(`{"cmd":"pub","to":"u:nobody","text":"`+text+`"}`, nil); got != `{"ok":true,"n":0}` {
		t.Errorf("%.200s", got)
	}
}
