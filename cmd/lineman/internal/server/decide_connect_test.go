package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// bySession tells who has which PHP session.
func bySession(q question) string {
	uid, known := strings.CutPrefix(q.Headers["cookie"], "PHPSESSID=of-")
	if !known {
		uid, known = strings.CutPrefix(q.Token, "of-")
	}
	if q.Ask != "connect" || !known {
		return `{"refuse":"please log in"}`
	}
	return fmt.Sprintf(`{"uid":%q,"channels":["chat:*","news"],"groups":["staff"],"session":{"name":"Ann"}}`, uid)
}

// TestConnectHook has an application tell by cookies, headers, a query, a first frame or a hello who pages are. There
// is no token key.
func TestConnectHook(t *testing.T) {
	app := startApplication(t, bySession)
	r := start(t, app.decides("connect"), server.Options{})
	b := r.backend()

	plain := r.Connect(r.pages)
	plain.Upgrade("/room?x=1&hello=1", http.Header{
		"Cookie": {"PHPSESSID=of-ann"}, "User-Agent": {"Netscape"}, "Accept-Language": {"de"}, "Referer": {"secret"},
		"X-Forwarded-For": {"192.0.2.7"},
	})
	r.known(b, "ann")
	name := plain.Receive()
	ask(b, `{"cmd":"pub","to":"g:staff","text":"group"}`)
	ask(b, `{"cmd":"pub","to":"news","text":"news"}`)
	if one, two := plain.Receive(), plain.Receive(); one != "group" || two != "news" {
		t.Errorf("the page got %q, %q", one, two)
	}
	if got := ask(b, `{"cmd":"sessions","to":"u:ann"}`); !strings.Contains(got, `{"name":"Ann"}`) {
		t.Errorf("its session is %s", got)
	}
	asked := app.questions()
	if len(asked) != 1 || name != `{"conn":"`+asked[0].Conn+`"}` {
		t.Fatalf("asked %+v, for %s", asked, name)
	}
	q := asked[0]
	told, _ := json.Marshal(q.Headers)
	if q.Level != 0 || q.Path != "/room" || q.Query != "x=1&hello=1" || q.Token != "" || !strings.HasPrefix(q.Remote,
		"192.0.2.7") || string(told) != `{"accept-language":"de","cookie":"PHPSESSID=of-ann","user-agent":"Netscape"}` {
		t.Errorf("asked %+v", q)
	}

	first := r.Connect(r.pages)
	first.Upgrade("/?hello=1&sub=chat:7", nil) // tells nothing yet
	first.Send("of-bob")
	r.known(b, "bob")
	live := r.live(t)
	live.hello(`,"token":"of-eve"`)
	r.known(b, "eve")
	asked = app.questions()
	if len(asked) != 2 || asked[0].Token != "of-bob" || asked[0].Level != 0 || asked[1].Token != "of-eve" ||
		asked[1].Level != 1 {
		t.Errorf("asked %+v", asked)
	}

	events := r.ask(t, "sub=chat:1", "Cookie: PHPSESSID=of-sse\r\n")
	events.welcome("sse")
	r.known(b, "sse")
}

// TestConnectHookRefuses closes pages that an application does not want, with its code, and those that it has not
// decided about with one that says to come again.
func TestConnectHookRefuses(t *testing.T) {
	app := startApplication(t, bySession)
	c := app.decides("connect")
	r := start(t, c, server.Options{})
	for answer, want := range map[string]struct {
		code websocket.Code
		why  string
	}{
		`{"refuse":"please log in"}`:          {4001, "please log in"},
		`{"refuse":"in an hour","code":4103}`: {4103, "in an hour"},
		``:                                    {4105, "the application has not told who it is"},
		`{"uid":""}`:                          {4105, "the application has not told who it is"},
		`{"uid":"7","channels":["u:8"]}`:      {4105, "the application has not told who it is"},
		`{"uid":"7"}` + strings.Repeat(" ", 2<<20): {4105, "the application has not told who it is"},
	} {
		app.now(func(question) string { return answer })
		p := r.Connect(r.pages)
		p.Upgrade("/?x=1", nil)
		closed(t, p, want.code, want.why)
	}
	live := r.live(t)
	app.now(func(question) string { return `{"refuse":"no","code":4001}` })
	live.Send(`{"op":"hello"}`)
	live.is(nil, `{"op":"bye","code":4001,"why":"no"}`)
}

// TestConnectHookRevoke asks anew about a uid that was revoked, whatever was kept.
func TestConnectHookRevoke(t *testing.T) {
	app := startApplication(t, func(question) string { return `{"uid":"ann","cache":3600}` })
	r := start(t, app.decides("connect"), server.Options{})
	b := r.backend()
	visit := func() *linemantest.Client {
		p := r.Connect(r.pages)
		p.Upgrade("/", http.Header{"Cookie": {"PHPSESSID=1"}})
		return p
	}
	one, two := visit(), visit()
	r.counts(b, "u:ann", 2)
	if n := len(app.questions()); n != 1 {
		t.Errorf("%d questions for two pages", n)
	}
	app.now(func(question) string { return `{"refuse":"logged out"}` })
	if got := ask(b, `{"cmd":"revoke","uid":"ann"}`); got != `{"ok":true,"n":2}` {
		t.Error(got)
	}
	closed(t, one, 4001, "the credential was revoked")
	closed(t, two, 4001, "the credential was revoked")
	closed(t, visit(), 4001, "logged out")
}

// TestConnectHookAway falls back to tokens where settings say so, and never to believing a page.
func TestConnectHookAway(t *testing.T) {
	app := startApplication(t, func(question) string { return "" })
	c := app.decides("connect")
	h := c.Hooks["app"]
	h.Away = "allow"
	c.Hooks["app"] = h
	r := start(t, c, server.Options{Credentials: openQuick(secret)})
	b := r.backend()
	p := r.visit("token=secret-ann")
	r.known(b, "ann")
	closed(t, r.visit("token=nonsense"), 4001, "the credential is not valid")
	closed(t, r.visit("x=1"), 4105, "the application has not told who it is")
	_ = p

	c.Dev = true
	tokenless := start(t, c, server.Options{})
	closed(t, tokenless.visit("token=ann"), 4105, "the application has not told who it is")
}

// TestConnectHookOrigins tells an application no cookies of pages of any site, and takes no pages of another port.
func TestConnectHookOrigins(t *testing.T) {
	app := startApplication(t, bySession)
	c := app.decides("connect")
	r := start(t, c, server.Options{})
	for origin, status := range map[string]int{
		"https://evil.example": 403, "null": 403, "http://127.0.0.1:9": 403, "http://localhost": 101,
	} {
		answer, _ := r.Connect(r.pages).Handshake("/", http.Header{
			"Origin": {origin}, "Cookie": {"PHPSESSID=of-ann"},
		})
		if answer.StatusCode != status {
			t.Errorf("a page of %s is answered %d, want %d", origin, answer.StatusCode, status)
		}
	}
	r.known(r.backend(), "ann")
	app.questions()

	c = app.decides("connect")
	c.Origins = []string{"*"}
	r = start(t, c, server.Options{})
	for _, authorization := range []string{"Basic YW5uOng=", "Bearer of-ann"} {
		p := r.Connect(r.pages)
		p.Upgrade("/?x", http.Header{
			"Origin": {"https://evil.example"}, "Cookie": {"PHPSESSID=of-ann"}, "Authorization": {authorization},
		})
		if authorization[:5] == "Basic" {
			closed(t, p, 4001, "please log in")
		} else {
			r.known(r.backend(), "ann")
		}
	}
	for i, q := range app.questions() {
		if _, basic := q.Headers["authorization"]; q.Headers["cookie"] != "" || basic != (i == 1) {
			t.Errorf("question %d: the application is told %v", i, q)
		}
	}
}

// TestAuthByHook has the application tell who another token is of.
func TestAuthByHook(t *testing.T) {
	app := startApplication(t, bySession)
	r := start(t, app.decides("connect"), server.Options{})
	p := r.live(t)
	p.hello(`,"token":"of-ann"`)
	p.Receive() // its uid
	p.Receive() // its group
	p.Receive() // its channel
	app.questions()
	for _, c := range []struct{ token, answer, want string }{
		{"1", `{"uid":"ann","expires":9000000000,"session":{"n":2}}`, `{"op":"auth","id":7,"exp":9000000000}`},
		{"2", `{"uid":"bob"}`, `{"op":"err","id":7,"code":403,"msg":"it is the token of another uid"}`},
		{"3", `{"refuse":"log in again"}`, `{"op":"err","id":7,"code":401,"msg":"log in again"}`},
		{"4", ``, `{"op":"err","id":7,"code":503,"msg":"the application has not decided: come later"}`},
	} {
		app.now(func(question) string { return c.answer })
		p.Send(`{"op":"auth","id":7,"token":"` + c.token + `"}`)
		if got := p.Receive(); !strings.HasPrefix(got, `{"op":"unsub"`) && got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		if c.token == "1" { // the answer allows no channel any more
			p.is(nil, `{"op":"unsub","ch":"news","why":"auth"}`)
		}
		if q := app.questions(); len(q) != 1 || q[0].Token != c.token || q[0].UID != "ann" || q[0].Headers != nil {
			t.Errorf("asked %+v", q)
		}
	}
	if got := ask(r.backend(), `{"cmd":"sessions","to":"u:ann"}`); !strings.Contains(got, `{"n":2}`) {
		t.Errorf("its session is %s", got)
	}
}
