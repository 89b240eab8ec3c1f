package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/hook"
)

// question is what an application is asked.
type question struct {
	Ask, Conn, UID, Remote, Host, Path, Query, Origin, Token, Channel, Method string

	Level         int
	Headers       map[string]string
	Data, Session json.RawMessage
}

// application is a back end behind a hook: it decides by a function, whose answer is a body, or a status.
type application struct {
	*httptest.Server
	mu     sync.Mutex // guards the following
	decide func(q question) string
	asked  []question
}

const hookSecret = "0123456789abcdef"

func startApplication(t *testing.T, decide func(question) string) *application {
	t.Helper()
	a := &application{decide: decide}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		stamp := r.Header.Get(hook.TimestampHeader)
		if r.Header.Get(hook.SignatureHeader) != hook.Sign([]string{hookSecret}, stamp, body) {
			t.Errorf("the signature of %s is wrong", body)
		}
		var q question
		if err := json.Unmarshal(body, &q); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		answer := a.answer(q)
		if answer == "" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *application) answer(q question) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, q)
	return a.decide(q)
}

// questions are those that were asked since the last call.
func (a *application) questions() []question {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := a.asked
	a.asked = nil
	return asked
}

// now changes how it decides.
func (a *application) now(decide func(question) string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.decide = decide
}

// decides are settings without a token key, in which an application decides.
func (a *application) decides(what ...string) config.Config {
	c := settings()
	h := config.DefaultHook()
	h.URL, h.Private, h.Secrets, h.Decides, h.Timeout = a.URL, true, []string{hookSecret}, what, 2*time.Second
	c.Hooks = map[string]config.Hook{"app": h}
	return c
}

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
		code int
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
		p.Goodbye(websocket.Code(want.code), want.why)
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
	one.Goodbye(4001, "the credential was revoked")
	two.Goodbye(4001, "the credential was revoked")
	visit().Goodbye(4001, "logged out")
}

// TestConnectHookAway falls back to tokens where settings say so, and never to believing a page.
func TestConnectHookAway(t *testing.T) {
	app := startApplication(t, func(question) string { return "" })
	c := app.decides("connect")
	h := c.Hooks["app"]
	h.Away = "allow"
	c.Hooks["app"] = h
	r := start(t, c, server.Options{Credentials: open(secret)})
	b := r.backend()
	p := r.visit("token=secret-ann")
	r.known(b, "ann")
	r.visit("token=nonsense").Goodbye(4001, "the credential is not valid")
	r.visit("x=1").Goodbye(4105, "the application has not told who it is")
	_ = p

	c.Dev = true
	tokenless := start(t, c, server.Options{})
	tokenless.visit("token=ann").Goodbye(4105, "the application has not told who it is")
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
			p.Goodbye(4001, "please log in")
		} else {
			r.known(r.backend(), "ann")
		}
	}
	for i, q := range app.questions() {
		if _, basic := q.Headers["authorization"]; q.Headers["cookie"] != "" || basic != (i == 1) {
			t.Errorf("the application is told %v", q.Headers)
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

// friends lets nobody into other rooms than those of friends.
func friends(q question) string {
	switch {
	case q.Ask != "subscribe" || q.UID == "":
		return `{}`
	case strings.HasPrefix(q.Channel, "away:"):
		return ""
	case strings.HasPrefix(q.Channel, "friends:"):
		return `{"allow":true}`
	}
	return `{"allow":false,"why":"` + q.UID + ` is no friend"}`
}

// TestSubscribeHook asks an application about the channels that neither namespace nor token allows.
func TestSubscribeHook(t *testing.T) {
	app := startApplication(t, friends)
	c := app.decides("subscribe")
	c.Namespaces["open"] = config.Namespace{Subscribe: "all"}
	c.Namespaces["shut"] = config.Namespace{Subscribe: "none"}
	r := start(t, c, server.Options{Credentials: open(secret)})
	b := r.backend()
	p := r.live(t)
	p.hello(`,"token":"secret-ann","sub":{"chat:1":"","open:1":"","friends:1":"","shut:1":""}`)
	p.Receive() // its uid
	p.Receive() // its group
	p.is(nil, `{"op":"sub","ch":"chat:1"}`, `{"op":"sub","ch":"open:1"}`,
		`{"op":"err","ch":"shut:1","code":403,"msg":"it may not subscribe to it"}`,
		`{"op":"sub","ch":"friends:1"}`)
	p.Send(`[{"op":"sub","id":1,"ch":"friends:2"},{"op":"sub","id":2,"ch":"friends:2"}]`)
	p.is(nil, `{"op":"err","id":2,"ch":"friends:2","code":409,"msg":"the same is under way"}`,
		`{"op":"sub","id":1,"ch":"friends:2"}`)
	p.Send(`{"op":"sub","id":3,"ch":"room:1"}`)
	p.is(nil, `{"op":"err","id":3,"ch":"room:1","code":403,"msg":"ann is no friend"}`)
	p.Send(`{"op":"sub","id":4,"ch":"away:1"}`)
	p.is(nil, `{"op":"err","id":4,"ch":"away:1","code":503,"msg":"the application has not decided: come later"}`)
	r.counts(b, "friends:2", 1)
	r.counts(b, "room:1", 0)
	for _, q := range app.questions() {
		if q.UID != "ann" || strings.HasPrefix(q.Channel, "open") || strings.HasPrefix(q.Channel, "chat") ||
			strings.HasPrefix(q.Channel, "shut") {
			t.Errorf("asked about %+v", q)
		}
	}

	many := r.live(t) // more than are asked about at a time
	many.hello(`,"token":"secret-eve","sub":{}`)
	for i := range 30 {
		many.Send(fmt.Sprintf(`{"op":"sub","id":%d,"ch":"friends:%d"}`, i+1, 10+i))
	}
	for i := 10; i < 40; i++ {
		r.counts(b, push.Channel(fmt.Sprint("friends:", i)), 1)
	}

	r.visit("token=secret-bob&sub=chat:1,friends:77,friends:78")
	r.counts(b, "friends:77", 1)
	r.counts(b, "friends:78", 1)
	r.visit("token=secret-bob&sub=chat:1,room:1,friends:79").Goodbye(4003, "bob is no friend")
	r.visit("token=secret-bob&sub=shut:1").Goodbye(4003, `it may not subscribe to "shut:1"`)
	r.visit("token=secret-bob&sub=away:1").Goodbye(4105, "the application has not told what it may")
	r.counts(b, "friends:79", 0)

	events := r.ask(t, "token=secret-sse&sub=room:5", "")
	events.welcome("sse")
	events.event() // its group
	events.is(nil, `{"op":"err","ch":"room:5","code":403,"msg":"sse is no friend"}`)
}

// TestSubscribeHookGivenUp forgets a question about a channel that a page has given up, or when it has gone.
func TestSubscribeHookGivenUp(t *testing.T) {
	asked, answer := make(chan question), make(chan string)
	app := startApplication(t, func(q question) string { asked <- q; return <-answer })
	r := start(t, app.decides("subscribe"), server.Options{Credentials: open(secret)})
	b := r.backend()
	p := r.live(t)
	p.hello(`,"token":"secret-ann","sub":{}`)
	p.Receive() // its uid
	p.Receive() // its group
	p.Send(`{"op":"sub","id":1,"ch":"room:1"}`)
	<-asked
	p.Send(`{"op":"unsub","id":2,"ch":"room:1"}`)
	p.is(nil, `{"op":"unsub","id":2,"ch":"room:1"}`)
	answer <- `{"allow":true}`
	p.Send(`{"op":"sub","id":3,"ch":"room:2"}`)
	<-asked
	r.counts(b, "room:1", 0)
	p.Reset()
	r.counts(b, "u:ann", 0)
	answer <- `{"allow":true}`
	r.visit("token=secret-bob&sub=room:3")
	<-asked
	answer <- `{"allow":true}`
	r.known(b, "bob")
	r.counts(b, "room:2", 0)
}

// judge decides about what pages publish, and answers them.
func judge(q question) string {
	switch {
	case q.Ask == "connect":
		return `{"uid":"ann","channels":["chat:*"],"publish":["chat:1"],"session":{"name":"Ann"}}`
	case q.Ask == "rpc" && q.Method == "name":
		return `{"data":` + string(q.Session) + `}`
	case q.Ask == "rpc":
		return `{"error":"sold out","code":410}`
	case string(q.Data) == `"away"`:
		return ""
	case string(q.Data) == `"loud"`:
		return `{"allow":false,"why":"too loud"}`
	case string(q.Data) == `"done"`:
		return `{"allow":true,"skip":true}`
	}
	return `{"allow":true,"data":{"from":"` + q.UID + `","said":` + string(q.Data) + `}}`
}

// TestPublishHook has an application decide what pages publish, and answer what they call. Where it is away, namespace
// and token decide if settings say so.
func TestPublishHook(t *testing.T) {
	app := startApplication(t, judge)
	c := app.decides("connect", "publish", "rpc")
	h := c.Hooks["app"]
	h.Away = "allow"
	c.Hooks["app"] = h
	c.Namespaces["chat"] = config.Namespace{Subscribe: "token", Publish: "token", PublishRate: 1000}
	r := start(t, c, server.Options{})
	p := r.live(t)
	p.hello(`,"sub":{"chat:1":"","chat:2":""}`)
	p.Receive() // its uid
	p.Receive()
	p.Receive()
	for _, c := range []struct{ say, want string }{
		{`"op":"pub","ch":"chat:1","data":"hi"`, `{"op":"msg","ch":"chat:1","data":{"from":"ann","said":"hi"}}`},
		{`"op":"pub","ch":"chat:2","data":"hi"`, `{"op":"msg","ch":"chat:2","data":{"from":"ann","said":"hi"}}`},
		{`"op":"pub","ch":"chat:1","data":"away"`, `{"op":"msg","ch":"chat:1","data":"away"}`},
		{`"op":"pub","id":1,"ch":"chat:2","data":"away"`, `{"op":"err","id":1,"ch":"chat:2","code":503,` +
			`"msg":"the application has not decided: come later"}`},
		{`"op":"pub","id":2,"ch":"chat:1","data":"loud"`,
			`{"op":"err","id":2,"ch":"chat:1","code":403,"msg":"too loud"}`},
		{`"op":"pub","id":3,"ch":"chat:1","data":"done"`, `{"op":"pub","id":3,"ch":"chat:1"}`},
		{`"op":"rpc","id":4,"method":"name","data":1`, `{"op":"rpc","id":4,"data":{"name":"Ann"}}`},
		{`"op":"rpc","id":5,"method":"buy","data":1`, `{"op":"err","id":5,"code":410,"msg":"sold out"}`},
	} {
		p.Send("{" + c.say + "}")
		p.is(nil, c.want)
	}
}
